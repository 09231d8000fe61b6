#include "sim/training/setting.hpp"

#include <fmt/format.h>

#include <utility>

#include "topology/cluster.hpp"
#include "topology/summary.hpp"

namespace sim::training {

Expressed<Setting> setting_of(const Row& row, const Frameworks& frameworks,
                              const topology::HardwareRegistry& registry) {
  const Framework& framework = frameworks.of(row);
  std::vector<std::string> inferred;
  auto plan = plan_of(row, framework, inferred);
  if (!plan) return tl::unexpected(plan.error());
  auto model = model_of(row, framework, inferred);
  if (!model) return tl::unexpected(model.error());
  auto machine = machine_of(row, registry, inferred);
  if (!machine) return tl::unexpected(machine.error());
  for (const base::Diagnostic& problem : strategies::check_plan(*plan, *model, *row.gpus, {}))
    if (problem.severity == base::Severity::error) return tl::unexpected(problem.message);
  const topology::GpuSpec& gpu = *registry.find_gpu(machine->node.gpu);
  if (!gpu.peak.contains(plan->precision.compute))
    return tl::unexpected(
        fmt::format("{} does not compute in {}", gpu.name, base::name_of(plan->precision.compute)));
  return Setting{std::move(*model), std::move(*plan), std::move(*machine), std::move(inferred)};
}

Scenario scenario_of(const Row& row, const Setting& setting,
                     const std::shared_ptr<const topology::HardwareRegistry>& registry,
                     const std::shared_ptr<const calibrate::CollectiveBackend>& backend) {
  Machine machine = setting.machine;
  if (row.measured_busbw_gbit && machine.nodes > 1)
    machine.node.nic_efficiency = nic_efficiency_for(
        base::BytesPerSecond::from_gbit(*row.measured_busbw_gbit), machine, *backend, registry);
  const topology::Cluster cluster =
      topology::uniform_cluster(machine.node, machine.nodes, machine.gpus_per_node, registry);
  return {.name = row.id,
          .model = setting.model,
          .cluster = cluster,
          .cluster_text = topology::summary(cluster),
          .plan = setting.plan,
          .backend = backend};
}

}  // namespace sim::training
