#pragma once

#include <compare>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "strategies/plan.hpp"
#include "strategies/shard.hpp"

namespace sim {

/// Numbers [first, end): of units of a chunk, in forward order, or of buckets.
struct Range {
  int first = 0;
  int end = 0;

  auto operator<=>(const Range&) const = default;
};

/// Parameters that one group of ranks shards and another holds copies of.
struct ParameterClass {
  /// Which tensors of a block they are.
  std::vector<std::int64_t> strategies::ShardedBlock::*tensors = nullptr;
  std::vector<strategies::WeightMatrix> strategies::ShardedBlock::*matrices = nullptr;
  strategies::AxisSet shard;      ///< ranks that hold the shards of one copy
  strategies::AxisSet replicate;  ///< ranks that hold the same shard
  int shards = 1;
  int replicas = 1;
  /// FSDP: ranks over which a unit lies between forward and backward, when it is resharded to less
  /// than all.
  strategies::AxisSet group;
  int group_size = 1;
  Stream shard_stream = Stream::data_comm;
  Stream replica_stream = Stream::replica_comm;

  int copies() const { return shards * replicas; }
};

/// Tensors of one class whose gradients are reduced as one, or that are gathered as one.
struct Bucket {
  int of_class = 0;  ///< of Stage::classes()
  std::int64_t elements = 0;
  Range units;  ///< from the first to the last that has some of it
};

/// FSDP: what is gathered and resharded at once, a bucket of each class.
struct FsdpUnit {
  Range buckets;
  Range units;        ///< from the first to the last of its blocks
  bool kept = false;  ///< stays gathered from forward to backward
};

/// A piece of a chunk's forward or backward that is computed without a break.
struct Part {
  Range units;
  Range needs;         ///< forward, ZeRO-1 and -2: gather_buckets that it is the first to use
  Range completes;     ///< backward: buckets whose gradients are complete after it
  int fsdp_unit = -1;  ///< FSDP: the unit that it computes with
};

/// A collective of the data-parallel ranks, on the stream of its communicator.
struct DataCollective {
  Stream stream = Stream::data_comm;
  const char* name = "";
  strategies::Communication communication;
};

/// What one pipeline stage holds: chunks of units (embedding, layers, head), the buckets in which
/// their gradients and parameters travel, and the collectives that carry a bucket.
class Stage {
 public:
  Stage(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
        const std::vector<strategies::Chunk>& chunks);

  int chunks() const { return static_cast<int>(chunks_.size()); }
  /// Index into ShardedGraph::blocks.
  int block_index(int chunk, int unit) const {
    return of(chunk).blocks[static_cast<std::size_t>(unit)];
  }
  const strategies::ShardedBlock& block(int chunk, int unit) const {
    return sharded_.blocks[static_cast<std::size_t>(block_index(chunk, unit))];
  }
  Range whole(int chunk) const { return {0, static_cast<int>(of(chunk).blocks.size())}; }

  const std::vector<ParameterClass>& classes() const { return classes_; }
  const ParameterClass& class_of(const Bucket& bucket) const {
    return classes_[static_cast<std::size_t>(bucket.of_class)];
  }
  /// Of a class, before data-parallel sharding.
  std::int64_t parameters(int of_class) const;
  /// That a rank's optimizer updates, of all classes.
  std::int64_t updated_parameters() const;
  base::Bytes gradient_bytes(std::int64_t elements) const;   ///< as they are reduced
  base::Bytes parameter_bytes(std::int64_t elements) const;  ///< as they are gathered

  /// FSDP: of a bucket, what each rank keeps of its parameters and of its gradients.
  base::Bytes parameter_shard_bytes(const Bucket& bucket) const;
  base::Bytes gradient_shard_bytes(const Bucket& bucket) const;

  /// Whether other ranks have the same parameters.
  bool copies() const { return copies_; }
  bool sharded_state() const { return plan_.zero >= 1 && shards_; }
  /// Whether parameters in the compute format lie beside the master weights. FSDP's master weights
  /// are its parameters, cast while they are gathered.
  bool keeps_copy() const {
    return plan_.zero < 3 && plan_.precision.master != plan_.precision.parameters;
  }
  bool fully_sharded() const { return plan_.zero == 3 && shards_; }
  bool offloads() const { return fully_sharded() && plan_.fsdp.offload; }
  /// Whether the host has the optimizer, so that reduced gradients are copied there.
  bool updates_on_host() const { return offloads() || plan_.offload.optimizer; }
  /// ZeRO-1 and -2: parameters are gathered in shards, during the first forward or at the end.
  bool gathers_shards() const { return sharded_state() && plan_.zero < 3; }
  bool gathers_ahead() const { return gathers_shards() && plan_.overlap.parameter_gather; }
  /// Whether a backward's gradients are reduced.
  bool reduces(bool last_backward) const;
  /// Whether such a reduction waits for all that the stage computes: without overlap nothing is
  /// sent before the last backward of all its chunks, except by ZeRO-2 and -3.
  bool puts_off(bool last_backward) const {
    return !plan_.overlap.gradient_reduce && last_backward && plan_.zero < 2;
  }
  /// Whether whole gradients of a chunk wait for the last of its backwards in FSDP, which has them
  /// in shards only otherwise.
  bool holds_gradients() const {
    return fully_sharded() && plan_.gradient_sync() == strategies::GradientSync::last;
  }

  /// In the order in which gradients become complete; FSDP: of each unit, in forward order.
  const std::vector<Bucket>& buckets(int chunk) const { return of(chunk).buckets; }
  /// In the order in which parameters are used.
  const std::vector<Bucket>& gather_buckets(int chunk) const { return of(chunk).gather_buckets; }
  const std::vector<FsdpUnit>& fsdp_units(int chunk) const { return of(chunk).fsdp_units; }
  /// The forward of a chunk; in one piece unless it waits for parameters in between.
  std::vector<Part> forward_parts(int chunk, bool waits_for_parameters) const;
  /// The backward of a chunk, last units first; in one piece unless something is to be gathered or
  /// reduced beside it.
  std::vector<Part> backward_parts(int chunk, bool reduces) const;

  /// Whether shards of its gradients are then summed over replicas (HSDP).
  bool sums_replicas(const Bucket& bucket) const {
    return plan_.zero > 0 && class_of(bucket).shards > 1 && class_of(bucket).replicas > 1;
  }
  /// What reduces the gradients of a bucket: ZeRO shards them, HSDP then sums the shards over the
  /// replicas.
  std::vector<DataCollective> reduction(const Bucket& bucket) const;
  /// What gathers the parameters of a bucket; `from_group`: of an FSDP unit that lies in groups
  /// after its forward.
  DataCollective gathering(const Bucket& bucket, bool from_group = false) const;
  /// What the optimizer does with the parameters of a class, and the states that it keeps.
  strategies::OptimizerWork optimizer_work(const ParameterClass& its) const;

 private:
  /// Ranks that own tensors of the bucket, where tensors have owners.
  int owners(const Bucket& bucket) const;
  struct ChunkUnits {
    std::vector<int> blocks;  // of each unit
    std::vector<Bucket> buckets;
    std::vector<Bucket> gather_buckets;
    std::vector<FsdpUnit> fsdp_units;
    std::vector<int> fsdp_unit_of;  // of each unit
  };

  const ChunkUnits& of(int chunk) const { return chunks_[static_cast<std::size_t>(chunk)]; }
  std::int64_t elements(const ChunkUnits& chunk, int of_class, int unit) const;
  void cut_fsdp_units(ChunkUnits& chunk, const strategies::Chunk& layers) const;
  void fill_buckets(ChunkUnits& chunk) const;
  std::vector<Bucket> bucket_tensors(const ChunkUnits& chunk, bool backward) const;

  const strategies::Plan& plan_;
  const strategies::ShardedGraph& sharded_;
  std::vector<ParameterClass> classes_;
  bool copies_ = false;  // some class has copies,
  bool shards_ = false;  // or copies that may be sharded
  std::vector<ChunkUnits> chunks_;
};

}  // namespace sim
