#pragma once

#include "base/map_reader.hpp"
#include "base/units.hpp"

namespace strategies {

/// How the parameters of a unit of FSDP lie, and so what is copied around its collectives.
enum class FsdpLayout {
  per_parameter,  ///< each is sharded by itself: what is gathered holds rank after rank (FSDP2)
  flat,           ///< views of one tensor (FSDP1)
  buffer,         ///< views of the buffers that are gathered and reduced (Megatron-FSDP)
};

/// How a framework brings a plan onto the GPU: what differs between frameworks that cut a step in
/// the same way.
struct Execution {
  /// Host time to launch one operator, forward or backward, communication too: dispatch, autograd
  /// and kernel launch of an eager framework. A step cannot run faster than its host. Near 0 with
  /// CUDA graphs.
  base::Seconds operator_dispatch = base::Seconds::from_us(80);
  /// From a message of another stage to the first kernel behind it. Where the host waits for the
  /// message (Megatron-LM synchronised with the device after each exchange), nothing has been
  /// launched ahead.
  base::Seconds exchange_dispatch;
  /// Of each step that all-gathers and reduce-scatters of tensor ranks on several nodes take round
  /// their ring, beyond what the profile says: they stand alone between kernels that wait for them.
  base::Seconds tensor_step;
  /// Once a step, while nothing runs: data, logs, the optimizer's own code.
  base::Seconds step_dispatch;
  /// Bytes that memory-bound kernels of the model move, over those of norms, activations,
  /// residuals and rotations that are one kernel each. Eager frameworks run several. The passes of
  /// the loss are counted as they are.
  double elementwise_traffic = 1;
  /// Matrix products add weight gradients to those of earlier micro-batches; otherwise a kernel of
  /// its own does.
  bool fused_accumulation = true;
  /// A gated MLP's activation and its product with the other half are one kernel, which keeps its
  /// inputs; otherwise what the activation makes is kept as well.
  bool fused_gate = true;
  /// Tensors of the tokens of all tensor ranks that sequence parallelism's reduce-scatters beside
  /// kernels read, and that are freed but not yet for use: PyTorch's allocator waits until the
  /// collective has run (`record_stream`), and the host is so many of them ahead.
  int deferred_frees = 0;
  /// Where memory is short, for each GiB that the allocator has no room for: waiting for the GPU,
  /// giving blocks back to the driver and asking again.
  base::Seconds allocator_retry;
  FsdpLayout fsdp_layout = FsdpLayout::per_parameter;
};

/// Reads `plan.execution`.
void read_execution(base::MapReader& reader, Execution& execution);

}  // namespace strategies
