#pragma once

#include <fmt/format.h>

#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "sim/build_step.hpp"
#include "strategies/shard.hpp"
#include "tests/support/catch.hpp"
#include "topology/cluster.hpp"

/// Steps of a small model with round prices.
namespace sim {

/// Every kernel takes 1 ms, every collective its wire bytes at 100 GB/s.
class FlatProfile : public calibrate::Profile {
 public:
  calibrate::Duration kernel(const base::Kernel&) const override {
    return {base::Seconds::from_ms(1), 0.1, calibrate::Evidence::model, 0};
  }
  calibrate::CollectiveCost collective(calibrate::Collective op, base::Bytes bytes,
                                       const calibrate::GroupShape& shape) const override {
    const auto rate = base::BytesPerSecond::from_gbyte(100);
    const base::Seconds time = (bytes / rate) * calibrate::bus_factor(op, shape.ranks);
    return {base::Seconds{}, rate, {time, 0.1, calibrate::Evidence::model, 0}};
  }
  const std::vector<std::string>& sources() const override { return sources_; }

 private:
  std::vector<std::string> sources_{"flat"};
};

inline strategies::ModelSpec gpt(int layers) {
  strategies::ModelSpec model;
  model.name = "small";
  model.hidden = 256;
  model.ffn = 1024;
  model.heads = model.kv_heads = 4;
  model.head_dim = 64;
  model.vocab = 1000;
  model.positions = 128;
  model.gated = false;
  model.layers.resize(static_cast<std::size_t>(layers));
  return model;
}

inline strategies::Plan plan_with(int tensor, int pipeline, int data, int micro_batches) {
  strategies::Plan plan;
  plan.tensor = tensor;
  plan.pipeline = pipeline;
  plan.data = data;
  plan.micro_batch = 1;
  plan.global_batch = static_cast<std::int64_t>(data) * micro_batches;
  plan.sequence = 128;
  plan.execution.operator_dispatch = base::Seconds{};
  plan.clip_gradients = false;
  return plan;
}

struct Built {
  std::shared_ptr<const topology::HardwareRegistry> registry;
  topology::Cluster cluster;
  std::vector<topology::GpuId> gpus;
  StepGraph graph;
};

inline Built build(const strategies::ModelSpec& model, strategies::Plan plan) {
  auto registry = std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
  topology::ClusterSpec spec;
  const int ranks = plan.tensor * plan.pipeline * plan.data;
  for (int i = 0; i < (ranks + 7) / 8; ++i)
    spec.nodes.push_back(
        {.name = fmt::format("n{}", i), .type = registry->find_node("dgx-h100"), .usable_gpus = 8});
  topology::Cluster cluster = *topology::build_cluster(spec, registry);
  const base::Diagnostics problems =
      strategies::check_plan(plan, model, cluster.gpu_count(), base::Origins{});
  REQUIRE_FALSE(base::has_errors(problems));
  std::vector<topology::GpuId> gpus(static_cast<std::size_t>(ranks));
  std::iota(gpus.begin(), gpus.end(), topology::GpuId{0});
  const FlatProfile profile;
  StepGraph graph = build_step({.model = model,
                                .plan = plan,
                                .sharded = strategies::shard(model, plan),
                                .cluster = cluster,
                                .gpu_of_rank = gpus,
                                .profile = profile});
  return {registry, std::move(cluster), std::move(gpus), std::move(graph)};
}

/// Bytes of a program's own collectives (segments aside), by name.
inline std::map<std::string, std::int64_t> collective_bytes(const StepGraph& graph, int program) {
  std::map<std::string, std::int64_t> bytes;
  for (const Task& task : graph.programs[static_cast<std::size_t>(program)].tasks)
    if (task.kind == TaskKind::collective)
      bytes[graph.collectives[task.index].name] += graph.collectives[task.index].bytes.count();
  return bytes;
}

inline std::int64_t parameters_of(const strategies::ModelSpec& model) {
  return strategies::count_parameters(model).total();
}

}  // namespace sim
