#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/collective.hpp"
#include "base/kernel.hpp"
#include "base/units.hpp"
#include "strategies/model.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/plan.hpp"
#include "strategies/rank_grid.hpp"
#include "strategies/weight_matrices.hpp"

/// A model cut by a plan: what one rank computes and says to others in each block, and what it
/// keeps in memory. Still no durations.
namespace strategies {

/// A collective of the ranks that differ along `axes`.
struct Communication {
  base::Collective op = base::Collective::all_reduce;
  AxisSet axes;
  base::Bytes bytes;  ///< nccl-tests convention
  int parts = 1;      ///< done one behind the other, each with its share of the bytes
};

enum class WorkPhase { forward, backward, recompute };

/// Kernels of one operator, one after the other; a communication beside them starts with them and
/// both must be over before the next work begins.
struct Work {
  std::string label;
  WorkPhase phase = WorkPhase::forward;
  std::vector<base::Kernel> kernels;
  std::optional<Communication> communication;
  int operators = 1;  ///< that the host launches for the kernels
};

/// The embedding, one layer, or the head, as one tensor-parallel rank sees it for one micro-batch.
struct ShardedBlock {
  std::string name;
  std::vector<Work> forward;
  std::vector<Work> backward;  ///< begins with what is recomputed
  /// The same backward in two parts, for schedules that put off weight gradients (zero bubble): the
  /// input gradient with everything that others wait for, then the weight gradient. What one of
  /// them hides in `backward` behind the other stands alone here.
  std::vector<Work> backward_input;
  std::vector<Work> backward_weight;
  std::int64_t parameters = 0;  ///< held by one tensor-parallel rank, before data-parallel sharding
  /// Of experts whose copies are other ranks than those of the rest; not counted in `parameters`.
  std::int64_t expert_parameters = 0;
  /// Sizes of both, tensor by tensor in forward order; one an operator, its bias included.
  std::vector<std::int64_t> parameter_tensors;
  std::vector<std::int64_t> expert_tensors;
  /// The matrices among both.
  std::vector<WeightMatrix> matrices;
  std::vector<WeightMatrix> expert_matrices;
  base::Bytes saved_by_experts;  ///< of `saved`, what operators of routed experts keep
  base::Bytes saved;  ///< kept from forward to backward, after recompute is accounted for
  /// Kept from the input gradient to the weight gradient: inputs of the matrices and the gradients
  /// of their outputs.
  base::Bytes kept_for_weight;
  base::Bytes working;  ///< further bytes while the backward of this block runs
};

struct ShardedGraph {
  std::vector<ShardedBlock> blocks;
  std::vector<int> layer_block;  ///< block of each layer
  int embedding_block = 0;
  int head_block = 0;
  base::Bytes boundary;  ///< message between pipeline stages: activation of one micro-batch
  std::optional<Communication> behind_message;  ///< of the tensor ranks, whose shares were sent
  base::Flop recompute_flop;                    ///< one micro-batch, all ranks of a replica
};

/// Bytes a parameter that fully sharded data parallel moves on the device around its collectives,
/// for one micro-batch. Parameters that are sharded one by one are copied out of what was gathered,
/// and their gradients into what is reduced, in its format. Gradients of views of a flat parameter
/// are put together, cast, and divided by ranks in advance, so that sums in fp16 do not overflow
/// (PyTorch, torch/distributed/fsdp: _fully_shard/_fsdp_collectives.py, _runtime_utils.py). Whole
/// gradients that wait for the last micro-batch (`sync: last`) are copied once a step, which is
/// left out.
struct ShardingCopies {
  double forward = 0;
  double backward = 0;          ///< of a layer that is gathered again
  double backward_of_head = 0;  ///< of a head that is
  double gradients = 0;
};
ShardingCopies sharding_copies(const Plan& plan);

/// Cuts the operators of one micro-batch. Tensor parallel after Megatron-LM (arXiv 1909.08053):
/// column- then row-parallel matrices, one all-reduce each way; with sequence parallelism
/// (arXiv 2205.05198) all-gather and reduce-scatter instead, the re-gather hidden behind the input
/// gradient and the reduce-scatter behind the weight gradient.
/// \pre check_plan found no error.
ShardedGraph shard(const ModelSpec& model, const Plan& plan);

/// Of one micro-batch, forward and backward, however the model is cut: matrix products and what
/// attention sees of the scores; the backward is twice the forward.
base::Flop model_flop(const ModelSpec& model, const Plan& plan);

}  // namespace strategies
