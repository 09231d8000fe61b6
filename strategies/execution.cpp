#include "strategies/execution.hpp"

#include "strategies/plan_names.hpp"

namespace strategies {

void read_execution(base::MapReader& reader, Execution& execution) {
  reader.read("operator_dispatch", execution.operator_dispatch);
  reader.read("exchange_dispatch", execution.exchange_dispatch);
  reader.read("tensor_step", execution.tensor_step);
  reader.read("step_dispatch", execution.step_dispatch);
  reader.read("elementwise_traffic", execution.elementwise_traffic, base::Range<double>{1, 100});
  reader.read_choice("gradient_accumulation", execution.fused_accumulation, fusion_names);
  reader.read_choice("gated_activation", execution.fused_gate, fusion_names);
  reader.read("deferred_frees", execution.deferred_frees, base::Range<int>{0, 1024});
  reader.read("allocator_retry", execution.allocator_retry);
  reader.read_choice("fsdp_layout", execution.fsdp_layout, fsdp_layout_names);
  reader.finish();
}

}  // namespace strategies
