#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/dtype.hpp"
#include "base/map_reader.hpp"
#include "base/units.hpp"
#include "strategies/context_parallel.hpp"
#include "strategies/data_parallel.hpp"
#include "strategies/execution.hpp"
#include "strategies/expert_parallel.hpp"
#include "strategies/model.hpp"
#include "strategies/offload.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/optimizer.hpp"
#include "strategies/pipeline.hpp"
#include "strategies/rank_grid.hpp"
#include "strategies/schedule_file.hpp"

namespace strategies {

enum class Recompute {
  none,
  selective,  ///< the attention scores (arXiv 2205.05198)
  full,       ///< whole layers
  operators,  ///< those that the plan lists
};

/// Number formats. Defaults are mixed precision with fp32 master weights and Adam moments.
struct Precision {
  base::DType compute = base::DType::bf16;     ///< GEMM inputs
  Scaling scaling = Scaling::delayed;          ///< of fp8 and fp4
  base::DType parameters = base::DType::bf16;  ///< weights used in forward and backward
  base::DType gradients = base::DType::fp32;   ///< accumulation and reduction
  base::DType master = base::DType::fp32;      ///< optimizer's copy of the weights
  base::DType moments = base::DType::fp32;     ///< two of them (Adam)
};

/// What of a matrix product with sequence parallelism is computed while tokens travel.
enum class TensorOverlap {
  none,
  own_part,  ///< with its own tokens, while those of the other ranks are gathered (nanotron)
  parts,     ///< part after part, gathered or scattered (async tensor parallel)
};

struct Overlap {
  bool gradient_reduce = true;  ///< buckets reduced during the last backward
  bool parameter_gather =
      true;  ///< ZeRO-1/2: gathered during the first forward; ZeRO-3: prefetched
  /// Computing goes on while a stage's message is sent; not said: as Megatron-Core does, see
  /// hides_messages.
  std::optional<bool> point_to_point;
  TensorOverlap tensor = TensorOverlap::none;
  /// The tokens of one micro-batch travel to and from experts while another micro-batch computes: a
  /// forward and a backward run at once (Megatron-Core, overlap_moe_expert_parallel_comm).
  bool expert = false;
};

/// What the cross-entropy holds beside the fp32 tensor that it keeps.
enum class LossKernels {
  fused,    ///< in place, then the cast of the gradient (Megatron-LM)
  sharded,  ///< the fp32 logits that it was called with (nanotron)
  eager,    ///< three more fp32 tensors in its backward (torch.nn.functional)
};

/// What becomes of layers that cannot be divided by the stages.
enum class Uneven {
  refused,
  first,  ///< the first stages have one more (ScaleTorch)
};

/// How the step is cut over ranks.
struct Plan {
  int tensor = 1;
  int pipeline = 1;
  int data = 0;            ///< 0: what is left of the cluster
  int data_replicate = 1;  ///< HSDP: replicas of a sharded group; divides `data`
  int zero = 0;            ///< 0 DDP, 1 optimizer, 2 and gradients, 3 and parameters (FSDP)
  /// ZeRO-1: each rank updates whole tensors, which it broadcasts, instead of a share of every
  /// tensor (InternEvo).
  bool owns_tensors = false;
  bool sequence_parallel = false;
  /// Stages send each tensor rank's share of what all tensor ranks have, and gather it behind the
  /// message (arXiv 2104.04473, section 4.1).
  bool scatters_messages = false;
  bool fused_projections = true;   ///< queries, keys and values one matrix, gate and up one
  bool reduce_per_linear = false;  ///< backward: an all-reduce for every column-parallel matrix
  LossKernels loss_kernels = LossKernels::fused;
  bool gather_logits = false;  ///< the loss is computed from all of the vocabulary everywhere
  ContextParallel context;
  ExpertParallel expert;
  ScheduleKind schedule = ScheduleKind::one_f_one_b;
  int virtual_stages = 1;                          ///< model chunks per pipeline rank (interleaved)
  std::string schedule_file;                       ///< of the table, beside the scenario
  std::shared_ptr<const WrittenSchedule> written;  ///< the table, read from it
  std::vector<int> stage_layers;                   ///< of each virtual stage; empty: equal runs
  std::optional<int> first_stage_layers;           ///< of the first pipeline rank, all its chunks
  std::optional<int> last_stage_layers;            ///< and of the last
  Uneven uneven = Uneven::refused;
  int micro_batch = 1;            ///< sequences
  std::int64_t global_batch = 1;  ///< sequences per optimizer step
  std::int64_t sequence = 0;      ///< tokens per sequence
  Recompute recompute = Recompute::none;
  int recompute_every = 1;                       ///< full: of so many layers, the first
  std::vector<std::string> recompute_operators;  ///< operators: kinds, or names of single ones
  bool flash_attention = true;
  /// Which attention kernels run, by the name of a curve or library in the hardware folder, for
  /// example "flash-attention-2"; empty: the architecture's usual ones.
  std::string attention_kernels;
  Precision precision;
  Optimizer optimizer;
  bool clip_gradients = true;  ///< by their global norm
  Offload offload;
  base::Bytes bucket;  ///< gradient bucket; 0: chosen by check_plan as its policy does
  base::Bytes
      gather_bucket;  ///< ZeRO-1 and -2: parameters gathered as one; 0: the gradient buckets
  Ddp ddp;
  Fsdp fsdp;
  std::optional<GradientSync> sync;  ///< default: see gradient_sync
  Overlap overlap;
  Execution execution;
  AxisOrder order = default_order;

  bool account_for_embedding = false;  ///< the embedding counts as a layer when stages are cut
  bool account_for_loss = false;       ///< so does the head with the loss

  int micro_batches() const {  ///< per data-parallel rank
    return static_cast<int>(global_batch / data / micro_batch);
  }
  bool overlaps_messages() const {
    return overlap.point_to_point.value_or(hides_messages(schedule));
  }
  /// ZeRO-2 and -3 keep gradients in shards, so that each micro-batch is reduced at once.
  GradientSync gradient_sync() const {
    return sync.value_or(zero >= 2 ? GradientSync::every : GradientSync::last);
  }
  /// Whether weight gradients are added to those of earlier micro-batches. FSDP reduces each first.
  bool accumulates() const { return micro_batches() > 1 && zero < 3; }
  /// FSDP: units gathered ahead.
  int prefetch() const { return overlap.parameter_gather ? fsdp.prefetch : 0; }
  /// Extent of Axis::data_shard; the rest of `data` is Axis::data_replicate. FSDP that reshards to
  /// groups after the forward shards over both, and those groups are what the first one tells
  /// apart.
  int data_shard() const {
    return zero == 3 && fsdp.ranks_after_forward > 1 ? fsdp.ranks_after_forward
                                                     : data / data_replicate;
  }
  /// Ranks between which the states of one parameter are sharded: with ZeRO, copies of the same
  /// parameters that see different tokens.
  AxisSet shard_axes() const {
    return context.degree > 1 ? Axis::data_shard | Axis::context : AxisSet(Axis::data_shard);
  }
  int ranks() const {  ///< of the whole job
    return tensor * context.degree * data * pipeline * (expert.own_axis ? expert.degree : 1);
  }
  PipelineShape shape() const;
  /// Whether the embedding and the head lie on different ranks.
  bool ends_apart() const;
  RankGrid::Extents extents() const;
  RankGrid::Views views() const;
  RankGrid grid() const { return RankGrid(extents(), order, views()); }
};

/// What one virtual stage holds: layers [first_layer, end_layer).
struct Chunk {
  int first_layer = 0;
  int end_layer = 0;
  bool embedding = false;
  bool head = false;
};

/// Chunks by [stage][chunk of the stage]: virtual stage v of the plan's shape holds the v-th run of
/// layers, the first the embedding and the last the head. \pre check_plan found nothing.
std::vector<std::vector<Chunk>> cut_layers(const Plan& plan, const ModelSpec& model);

/// "tp 8, pp 2, dp 4 (ZeRO-1), 1f1b, 8 micro-batches of 1".
std::string describe(const Plan& plan);

/// Reads the `plan:` map. Degrees are checked against each other in `check_plan`.
Plan read_plan(base::MapReader& reader);

/// The same keys but for the batch and the sequence, which no preset knows; others may be left.
Plan read_plan_defaults(base::MapReader& reader);

/// `recompute_operators: [norm, activation]`: kinds of operators, or names of single matrices.
std::vector<std::string> read_operators(base::MapReader& reader);

/// Fills `plan.data` and the sizes of buckets where they are 0 and reports every way in which the
/// plan does not fit the model or `gpus`: degrees whose product is not the cluster, heads, widths,
/// layers, batches that do not divide. Places come from `origins` (paths "plan.…" and "model.…").
/// `machine`: what has these GPUs, for messages.
base::Diagnostics check_plan(Plan& plan, const ModelSpec& model, int gpus,
                             const base::Origins& origins,
                             std::string_view machine = "the cluster");

}  // namespace strategies
