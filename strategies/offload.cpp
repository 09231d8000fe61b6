#include "strategies/offload.hpp"

#include "strategies/plan.hpp"

namespace strategies {

void read_offload(base::MapReader& reader, const Plan& plan, Offload& offload) {
  if (reader.read("optimizer", offload.optimizer) && offload.optimizer) {
    const OptimizerKind kind = plan.optimizer.kind;
    if (plan.zero == 3)
      reader.error("optimizer", "offload.optimizer is for zero up to 2",
                   "set fsdp: {offload: true}, which takes parameters along");
    else if (kind != OptimizerKind::adam && kind != OptimizerKind::adamw)
      reader.error("optimizer", "only adam and adamw run on the host");
  }
  reader.finish();
}

}  // namespace strategies
