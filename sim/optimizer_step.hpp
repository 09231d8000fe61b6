#pragma once

#include <string>
#include <vector>

#include "base/kernel.hpp"
#include "sim/stage.hpp"
#include "sim/step_graph.hpp"
#include "strategies/plan.hpp"

namespace sim {

/// One link of the chain with which a stage ends its step.
struct UpdateLink {
  enum class Kind {
    kernels,     ///< on the compute stream
    collective,  ///< on the stream of its communicator
    copy,        ///< to or from the host
    host,        ///< the GPU waits for the CPUs
  };

  Kind kind = Kind::kernels;
  std::string name;
  std::vector<base::Kernel> kernels;
  int launches = 0;        ///< what the host launches for it, if the GPU is quicker
  base::Seconds dispatch;  ///< what the host does besides
  DataCollective collective;
  CommKind purpose = CommKind::other;
  Stream stream = Stream::compute;  ///< of a copy
  base::Bytes bytes;                ///< of a copy
  std::int64_t parameters = 0;      ///< that the host updates
  base::Bytes temporary;            ///< held while it runs
};

/// What is done with gradients that are reduced: 16-bit ones may be copied; fp16 ones are unscaled
/// and looked through for overflows, on whose number all ranks agree; their norm is taken over all
/// ranks that hold different ones, and they are scaled by it (`clip_grad_norm_`, one pass each);
/// the optimizer updates the parameters. Each link waits for the one before. Links that span
/// pipeline stages stand at the same place of each stage's chain.
std::vector<UpdateLink> update_links(const strategies::Plan& plan, const Stage& stage);

/// Time that the host takes to launch the kernels of a link: operators outside of autograd.
base::Seconds launch_time(const UpdateLink& link);

}  // namespace sim
