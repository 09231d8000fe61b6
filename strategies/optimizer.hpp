#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/kernel.hpp"
#include "base/map_reader.hpp"
#include "base/units.hpp"
#include "strategies/weight_matrices.hpp"

/// What an optimizer keeps of each parameter, and what its step costs a rank.
namespace strategies {

struct Precision;

enum class OptimizerKind {
  adam,
  adamw,
  sgd,
  adam8bit,   ///< moments of 8 bits with an fp32 scale a block (arXiv 2110.02861)
  adafactor,  ///< second moments of a matrix by rows and columns (arXiv 1804.04235)
  muon,       ///< orthogonal updates of hidden matrices, AdamW for the rest (Jordan et al. 2024,
              ///< arXiv 2502.16982)
  shampoo,    ///< a preconditioner for each side of a block, with Adam's step size (arXiv
              ///< 1802.09568, distributed as in 2309.06497)
};
std::string_view name_of(OptimizerKind kind);

/// How the kernels of Adam and SGD are launched (PyTorch).
enum class OptimizerLaunch {
  fused,     ///< one kernel for all
  foreach,   ///< one kernel an operation, for all tensors
  for_loop,  ///< one an operation and tensor
};

struct Optimizer {
  OptimizerKind kind = OptimizerKind::adamw;
  OptimizerLaunch launch = OptimizerLaunch::fused;
  bool momentum = true;  ///< sgd
  /// 16-bit gradients are copied to the format of the master weights before anything is done with
  /// them, and parameters are copied back when all are updated (Megatron-LM's
  /// Float16OptimizerWithFloat16Params, DeepSpeed's FP16_Optimizer); otherwise the optimizer's
  /// kernel does both as it goes.
  bool copies_gradients = false;
  /// adam8bit: elements that share a scale (bitsandbytes: 256); shampoo: side of a block (1024);
  /// 0: these.
  std::int64_t block = 0;
  int newton_schulz_steps = 5;  ///< muon
  int root_every = 50;          ///< shampoo: steps between inverse roots

  std::int64_t block_or_usual() const;
  /// The format in which gradients are unscaled, clipped and read by the update.
  base::DType gradient_type(const Precision& precision) const;
};

/// Reads `plan.optimizer`; keys that go with another kind are mistakes.
void read_optimizer(base::MapReader& reader, Optimizer& optimizer);

/// Parameters of one class on one rank, before data-parallel sharding.
struct ParameterTensors {
  std::int64_t elements = 0;
  std::int64_t tensors = 0;
  std::vector<WeightMatrix> matrices;  ///< the rest of the elements are vectors
};

/// An optimizer's step on one rank.
struct OptimizerWork {
  base::Bytes states;     ///< beside the master weights
  base::Bytes temporary;  ///< while it runs
  /// Muon with sharded states: shards of all matrices that a rank sends to the ranks which have
  /// them whole, and of updates that come back (each an all-to-all of so many bytes).
  base::Bytes exchanged;
  base::Bytes before;                 ///< memory traffic of what precedes the exchange (momentum)
  std::vector<base::Kernel> kernels;  ///< from the gathered matrices to the updated parameters
  int launches = 0;                   ///< kernels that the host launches
};

/// States are cut in `shards` pieces, at the borders of blocks where states have blocks.
/// `writes_copy`: parameters of the compute format lie beside the master weights.
OptimizerWork optimizer_work(const Optimizer& optimizer, const Precision& precision,
                             const ParameterTensors& parameters, int shards, bool writes_copy);

}  // namespace strategies
