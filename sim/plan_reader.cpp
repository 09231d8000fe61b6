#include "sim/plan_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/dtype.hpp"
#include "sim/schedule/written.hpp"

namespace sim {

namespace {

using base::Diagnostics;

void append(Diagnostics& to, Diagnostics more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

using GpuModels = std::vector<const topology::GpuSpec*>;

GpuModels models_of(const topology::Cluster& cluster) {
  GpuModels models;
  for (const topology::NodeInfo& node : cluster.nodes()) {
    if (node.gpus == 0) continue;
    const topology::GpuSpec* gpu = &cluster.gpu_spec(node.first_gpu);
    if (std::find(models.begin(), models.end(), gpu) == models.end()) models.push_back(gpu);
  }
  return models;
}

/// The data types that all of these GPUs compute in.
std::string compute_hint(const GpuModels& models) {
  std::string names;
  for (const auto& [type, rate] : models.front()->peak)
    if (std::all_of(models.begin(), models.end(),
                    [&, wanted = type](const auto* gpu) { return gpu->peak.contains(wanted); }))
      names += fmt::format("{}{}", names.empty() ? "" : ", ", base::name_of(type));
  return names.empty() ? "the GPUs of the cluster have none in common"
                       : fmt::format("set plan.precision.compute to one of: {}", names);
}

}  // namespace

std::string beside(const std::string& file, const std::string& path) {
  return (std::filesystem::path(file).parent_path() / path).string();
}

std::optional<std::string> read_named(base::MapReader& reader, std::string_view key,
                                      const std::string& file) {
  base::Result<std::string> text = base::read_file(file);
  if (text) return std::move(*text);
  const base::Diagnostic& why = text.error().front();
  reader.error(key, fmt::format("'{}' {}", file, why.message), why.hint);
  return std::nullopt;
}

strategies::Plan read_plan(base::MapReader& reader, const std::string& scenario,
                           Diagnostics& problems) {
  strategies::Plan plan = strategies::read_plan(reader);
  if (plan.schedule_file.empty()) return plan;
  const std::string file = beside(scenario, plan.schedule_file);
  const auto text = read_named(reader, "schedule_file", file);
  if (!text) return plan;
  const auto document = base::parse_yaml(*text, file);
  if (!document) {
    append(problems, document.error());
    return plan;
  }
  auto written = strategies::read_schedule(*document);
  if (!written) {
    append(problems, std::move(written.error()));
    return plan;
  }
  append(problems, schedule::check_written(*written));
  plan.written = std::make_shared<const strategies::WrittenSchedule>(std::move(*written));
  return plan;
}

PlanSeats seats_of(const Placement& placement, const topology::Cluster& cluster) {
  return {static_cast<int>(gpus_of(placement, cluster).size()),
          placement.nodes.empty() ? "the cluster" : "the placement"};
}

Diagnostics check_plan(strategies::Plan& plan, const strategies::ModelSpec& model,
                       const topology::Cluster& cluster, const PlanSeats& seats,
                       const base::Origins& origins) {
  Diagnostics problems = strategies::check_plan(plan, model, seats.gpus, origins, seats.machine);
  const GpuModels models = models_of(cluster);
  for (const topology::GpuSpec* gpu : models)
    if (!gpu->peak.contains(plan.precision.compute))
      problems.push_back(
          {origins.at("plan.precision.compute"),
           fmt::format("{} cannot compute in {}", gpu->name, base::name_of(plan.precision.compute)),
           compute_hint(models)});
  return problems;
}

std::optional<base::Diagnostic> unused_gpus(const strategies::Plan& plan, int gpus,
                                            const base::Origins& origins) {
  if (plan.ranks() >= gpus) return std::nullopt;
  return base::Diagnostic{origins.at("plan"),
                          fmt::format("the plan uses {} of {} GPUs", plan.ranks(), gpus), "",
                          base::Severity::warning};
}

}  // namespace sim
