#include "sim/gradient_exchange.hpp"

#include "sim/step_memory.hpp"

namespace sim {

namespace {

/// Gradients of a rank in the format in which they are accumulated, as data parallelism leaves
/// them.
base::Bytes held_gradients(const strategies::Plan& plan, const Stage& holds) {
  std::int64_t elements = 0;
  for (int c = 0; c < static_cast<int>(holds.classes().size()); ++c) {
    const std::int64_t shards =
        plan.zero >= 1 ? holds.classes()[static_cast<std::size_t>(c)].shards : 1;
    elements += (holds.parameters(c) + shards - 1) / shards;
  }
  return tensor_bytes(elements, plan.precision.gradients);
}

/// Megatron adds up the whole table even where the optimizer's states are sharded; of gradients in
/// shards there is no whole.
base::Bytes table_gradient(const strategies::Plan& plan, const strategies::ModelSpec& model,
                           const Stage& holds) {
  const std::int64_t cut =
      std::int64_t{plan.tensor} * (plan.zero >= 2 ? holds.classes().front().shards : 1);
  return tensor_bytes((model.vocab * model.hidden + cut - 1) / cut, plan.precision.gradients);
}

}  // namespace

std::vector<GradientExchange> gradient_exchanges(const strategies::Plan& plan,
                                                 const strategies::ModelSpec& model,
                                                 const Stage& holds, int stage) {
  const strategies::PipelineShape shape = plan.shape();
  const int mirrored = shape.stages - 1 - stage;
  if (shape.layout == strategies::PipelineLayout::bidirectional && mirrored != stage)
    return {{"gradients of the other copy", mirrored, held_gradients(plan, holds)}};
  if (model.tied_embeddings && plan.ends_apart() && (stage == 0 || mirrored == 0))
    return {{"gradient of the tied embedding", mirrored, table_gradient(plan, model, holds)}};
  return {};
}

}  // namespace sim
