#include "viz/breakdown_json.hpp"

namespace viz {

void add_beside_kernels(const sim::Breakdown& b, nlohmann::ordered_json& json) {
  json["exposed_tensor_s"] = b.tensor_exposed.s();
  json["exposed_context_s"] = b.context_exposed.s();
  json["exposed_expert_s"] = b.expert_exposed.s();
  json["exposed_data_s"] = b.data_exposed.s();
  json["exposed_parameter_s"] = b.parameter_exposed.s();
  json["exposed_pipeline_s"] = b.pipeline_exposed.s();
  json["bubble_s"] = b.bubble.s();
  json["optimizer_s"] = b.optimizer.s();
  json["host_s"] = b.host.s();
  json["allocator_s"] = b.allocator.s();
  json["slowed_s"] = b.slowed.s();
  json["other_s"] = b.other.s();
}

}  // namespace viz
