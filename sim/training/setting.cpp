#include "sim/training/setting.hpp"

#include <utility>

#include "topology/cluster.hpp"
#include "topology/summary.hpp"

namespace sim::training {

Expressed<Setting> setting_of(const Row& row,
                              const std::shared_ptr<const topology::HardwareRegistry>& registry,
                              const std::shared_ptr<const calibrate::CollectiveBackend>& backend) {
  std::vector<std::string> inferred;
  auto plan = plan_of(row, inferred);
  if (!plan) return tl::unexpected(plan.error());
  auto model = model_of(row, inferred);
  if (!model) return tl::unexpected(model.error());
  auto machine = machine_of(row, *registry, inferred);
  if (!machine) return tl::unexpected(machine.error());
  const base::Diagnostics problems = strategies::check_plan(*plan, *model, *row.gpus, {});
  for (const base::Diagnostic& problem : problems)
    if (problem.severity == base::Severity::error) return tl::unexpected(problem.message);
  const topology::GpuSpec* const gpu = registry->find_gpu(machine->node.gpu);
  if (!gpu->peak.contains(plan->precision.compute))
    return tl::unexpected(gpu->name + " does not compute in " +
                          std::string(base::name_of(plan->precision.compute)));
  if (row.measured_busbw_gbit)
    set_bus_bandwidth(*machine, base::BytesPerSecond::from_gbit(*row.measured_busbw_gbit), *backend,
                      registry);
  const topology::Cluster cluster =
      topology::uniform_cluster(machine->node, machine->nodes, machine->gpus_per_node, registry);
  std::optional<Measured> measured;
  if (row.step_s) measured = Measured{base::Seconds::from_s(*row.step_s), row.source};
  return Setting{Scenario{.name = row.id,
                          .model = std::move(*model),
                          .cluster = cluster,
                          .cluster_text = topology::summary(cluster),
                          .plan = std::move(*plan),
                          .backend = backend,
                          .measured = std::move(measured)},
                 std::move(inferred)};
}

}  // namespace sim::training
