#pragma once

#include <compare>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "strategies/plan.hpp"
#include "strategies/shard.hpp"

namespace sim {

/// Units [first, end) of a chunk, in forward order.
struct Range {
  int first = 0;
  int end = 0;

  auto operator<=>(const Range&) const = default;
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

  int chunks() const { return static_cast<int>(units_.size()); }
  /// Index into ShardedGraph::blocks.
  int block_index(int chunk, int unit) const {
    return units_[static_cast<std::size_t>(chunk)][static_cast<std::size_t>(unit)];
  }
  const strategies::ShardedBlock& block(int chunk, int unit) const {
    return sharded_.blocks[static_cast<std::size_t>(block_index(chunk, unit))];
  }
  Range whole(int chunk) const {
    return {0, static_cast<int>(units_[static_cast<std::size_t>(chunk)].size())};
  }
  std::int64_t parameters(int chunk, Range range) const;
  std::int64_t all_parameters() const;
  base::Bytes gradient_bytes(std::int64_t parameters) const;
  base::Bytes parameter_bytes(std::int64_t parameters) const;

  int shards() const { return plan_.data / plan_.data_replicate * plan_.context.degree; }
  /// Whether other ranks have the same parameters.
  bool copies() const { return shards() * plan_.data_replicate > 1; }
  bool sharded_state() const { return plan_.zero >= 1 && shards() > 1; }
  bool fully_sharded() const { return plan_.zero == 3 && shards() > 1; }
  /// ZeRO-1 and -2: parameters are gathered in shards, during the first forward or at the end.
  bool gathers_shards() const { return sharded_state() && plan_.zero < 3; }
  bool gathers_ahead() const { return gathers_shards() && plan_.overlap.parameter_gather; }
  /// Whether a backward's gradients are reduced: ZeRO-2 and -3 keep them in shards, so each
  /// micro-batch is reduced at once.
  bool reduces(bool last_backward) const { return copies() && (plan_.zero >= 2 || last_backward); }
  /// Whether such a backward is cut, so that a bucket is reduced while the next is computed.
  bool splits_backward(bool reduces) const {
    return fully_sharded() || (reduces && plan_.overlap.gradient_reduce);
  }

  /// Runs of units whose gradients (or parameters) fill a bucket; FSDP: a unit each. Of a backward
  /// the last units come first.
  std::vector<Range> buckets(int chunk, bool backward) const;
  /// What reduces the gradients of a bucket: ZeRO shards them, HSDP then sums the shards over the
  /// replicas. Empty when there is nothing to reduce.
  std::vector<DataCollective> reduction(int chunk, Range range) const;
  /// What gathers the parameters of a bucket.
  DataCollective gathering(int chunk, Range range) const;
  /// Bytes that Adam moves: reads gradients, reads and writes master weights and both moments,
  /// writes parameters.
  base::Bytes optimizer_traffic() const;

 private:
  const strategies::Plan& plan_;
  const strategies::ShardedGraph& sharded_;
  std::vector<std::vector<int>> units_;  // per chunk: block of each unit
};

}  // namespace sim
