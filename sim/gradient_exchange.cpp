#include "sim/gradient_exchange.hpp"

#include "sim/step_memory.hpp"

namespace sim {

namespace {

/// Megatron adds up the whole table even where the optimizer's states are sharded; of gradients in
/// shards there is no whole.
base::Bytes table_gradient(const strategies::Plan& plan, const strategies::ModelSpec& model,
                           const Stage& holds) {
  const std::int64_t cut =
      std::int64_t{plan.tensor} * (plan.zero >= 2 ? holds.classes().front().shards : 1);
  return tensor_bytes(base::ceil_div(model.vocab * model.hidden, cut), plan.precision.gradients);
}

}  // namespace

std::vector<GradientExchange> gradient_exchanges(const strategies::Plan& plan,
                                                 const strategies::ModelSpec& model,
                                                 const Stage& holds, int stage) {
  const strategies::PipelineShape shape = plan.shape();
  const int mirrored = shape.stages - 1 - stage;
  // In the format in which they are accumulated, and as data parallelism leaves them.
  if (shape.layout == strategies::PipelineLayout::bidirectional && mirrored != stage)
    return {{"gradients of the other copy", mirrored,
             tensor_bytes(holds.updated_parameters(), plan.precision.gradients)}};
  if (model.tied_embeddings && plan.ends_apart() && (stage == 0 || mirrored == 0))
    return {{"gradient of the tied embedding", mirrored, table_gradient(plan, model, holds)}};
  return {};
}

}  // namespace sim
