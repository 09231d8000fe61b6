#include "cli/forecast.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/quantity.hpp"
#include "cli/node_ranks.hpp"
#include "sim/analytic.hpp"
#include "sim/build_step.hpp"
#include "strategies/shard.hpp"

namespace cli {

namespace {

/// The slowest GPU model that a rank sits on sets the pace of a synchronous step.
/// \pre all of them compute in `dtype`, which loading a scenario checks
const topology::GpuSpec& pacing_gpu(const sim::Scenario& scenario) {
  const base::DType dtype = scenario.plan.precision.compute;
  const topology::GpuSpec* slowest = nullptr;
  for (const topology::GpuId id : sim::place_ranks(scenario)) {
    const topology::GpuSpec& gpu = scenario.cluster.gpu_spec(id);
    if (slowest == nullptr || gpu.peak.at(dtype) < slowest->peak.at(dtype)) slowest = &gpu;
  }
  return *slowest;
}

/// Collectives that the backend does not have, or for which the algorithms and protocols that the
/// user asks for leave nothing.
base::Diagnostics refusals(const sim::StepGraph& graph, const sim::Scenario& scenario) {
  base::Diagnostics problems;
  if (scenario.backend == nullptr) return problems;
  const std::string name(scenario.backend->name());
  std::set<std::pair<base::Collective, unsigned>> told;
  for (const sim::CollectiveUse& use : graph.collectives)
    for (const calibrate::GroupShape& shape : graph.groups_of(use.axes).shapes) {
      if (scenario.forced.contains(use.op)) continue;
      const bool known = scenario.backend->supports(use.op);
      if (known && scenario.backend->obeys(use.op, shape)) continue;
      if (!told.emplace(use.op, use.axes.bits()).second) continue;
      base::Diagnostic problem{
          scenario.backend_where,
          fmt::format("communication backend {} has no {}", name, base::name_of(use.op)),
          "choose another backend, or set an algorithm in 'force'"};
      if (known) {
        problem.message = fmt::format(
            "'algorithms' and 'protocols' leave {} nothing for {} of {} ranks on {} nodes", name,
            base::name_of(use.op), shape.ranks, shape.nodes);
        problem.hint = "allow one more, or name the operation that is meant: 'allreduce:tree'";
      }
      problems.push_back(std::move(problem));
    }
  // 'force' is for collectives: messages between stages have the backend's price or none.
  if (!graph.messages.empty() && !scenario.backend->supports(base::Collective::send_receive))
    problems.push_back(
        {scenario.backend_where,
         fmt::format("communication backend {} has no {}, which pipeline stages send by", name,
                     base::name_of(base::Collective::send_receive)),
         "choose another backend, or set pipeline_parallel to 1"});
  return problems;
}

base::Result<sim::StepGraph> build(const sim::Scenario& scenario, const calibrate::Profile& profile,
                                   const std::vector<topology::GpuId>& gpu_of_rank,
                                   const strategies::ShardedGraph& sharded) {
  sim::StepGraph graph = sim::build_step({.model = scenario.model,
                                          .plan = scenario.plan,
                                          .sharded = sharded,
                                          .cluster = scenario.cluster,
                                          .gpu_of_rank = gpu_of_rank,
                                          .profile = profile,
                                          .forced = scenario.forced});
  if (base::Diagnostics refused = refusals(graph, scenario); !refused.empty())
    return tl::unexpected(std::move(refused));
  return graph;
}

}  // namespace

std::string hardware_folder() {
  const char* chosen = std::getenv("FORESHARD_HARDWARE");
  return chosen != nullptr ? chosen : FORESHARD_HARDWARE_FOLDER;
}

std::string model_text(const strategies::ModelSpec& model) {
  const strategies::ParameterCount count = strategies::count_parameters(model);
  std::string text = fmt::format("{}, {} parameters", model.name,
                                 base::format_count(static_cast<double>(count.total())));
  if (count.active > 0 && count.active < count.total())
    text += fmt::format(" ({} active)", base::format_count(static_cast<double>(count.active)));
  return text;
}

base::Result<calibrate::MadeProfile> profile_for(const sim::Scenario& scenario,
                                                 const calibrate::Calibrations& calibrations) {
  const strategies::Plan& plan = scenario.plan;
  return calibrate::make_calibrated_profile(
      calibrations, pacing_gpu(scenario), ranks_of_fullest_node(scenario), hardware_folder(),
      {.flash_attention = plan.flash_attention ? plan.attention_kernels : std::string(),
       .unfused_attention = plan.flash_attention ? std::string() : plan.attention_kernels,
       .step_gpus = plan.ranks(),
       .backend = scenario.backend});
}

base::Result<sim::StepGraph> step_graph(const sim::Scenario& scenario,
                                        const calibrate::Calibrations& calibrations) {
  const auto made = profile_for(scenario, calibrations);
  if (!made) return tl::unexpected(made.error());
  return build(scenario, *made->profile, sim::place_ranks(scenario),
               strategies::shard(scenario.model, scenario.plan));
}

base::Result<Prepared> prepare(const sim::Scenario& scenario,
                               const calibrate::Calibrations& calibrations) {
  const strategies::Plan& plan = scenario.plan;
  auto made = profile_for(scenario, calibrations);
  if (!made) return tl::unexpected(made.error());
  Prepared prepared;
  prepared.notes = scenario.notes;
  // Where a calibration has prices of it, nobody has to be told that its model has none.
  if (calibrations != nullptr && made->warnings.empty())
    std::erase_if(prepared.notes, [&](const base::Diagnostic& note) {
      return note.where == scenario.backend_where && note.severity == base::Severity::warning;
    });
  prepared.notes.insert(prepared.notes.end(), made->warnings.begin(), made->warnings.end());

  prepared.gpu_of_rank = sim::place_ranks(scenario);
  const strategies::ShardedGraph sharded = strategies::shard(scenario.model, plan);
  base::Result<sim::StepGraph> graph =
      build(scenario, *made->profile, prepared.gpu_of_rank, sharded);
  if (!graph) return tl::unexpected(graph.error());
  prepared.graph = std::move(*graph);
  prepared.bound = sim::analyse(prepared.graph, scenario.cluster, prepared.gpu_of_rank);
  const double micro_batches = static_cast<double>(plan.micro_batches()) * plan.data;
  prepared.model_flop = strategies::model_flop(scenario.model, plan) * micro_batches;
  prepared.hardware_flop = prepared.model_flop + sharded.recompute_flop * micro_batches;
  return prepared;
}

sim::EngineOptions engine_options(const sim::Scenario& scenario, sim::Fidelity fidelity) {
  return {.fidelity = fidelity, .routing = scenario.routing, .fold = scenario.fold, .progress = {}};
}

sim::Report report_of(const sim::Scenario& scenario, const Prepared& prepared,
                      const sim::Timeline& timeline, sim::Fidelity fidelity) {
  return sim::summarise({.scenario = scenario.name,
                         .model = model_text(scenario.model),
                         .cluster_text = scenario.cluster_text,
                         .plan_text = strategies::describe(scenario.plan),
                         .fidelity = fidelity,
                         .graph = prepared.graph,
                         .timeline = timeline,
                         .lower_bound = prepared.bound.step,
                         .cluster = scenario.cluster,
                         .gpu_of_rank = prepared.gpu_of_rank,
                         .tokens = scenario.plan.global_batch * scenario.plan.sequence,
                         .model_flop = prepared.model_flop,
                         .hardware_flop = prepared.hardware_flop,
                         .compute_dtype = scenario.plan.precision.compute,
                         .measured = scenario.measured,
                         .diagnostics = prepared.notes});
}

base::Result<Forecast> forecast(const sim::Scenario& scenario,
                                const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
                                const std::function<void(double)>& progress) {
  auto prepared = prepare(scenario, calibrations);
  if (!prepared) return tl::unexpected(std::move(prepared.error()));
  Forecast result;
  sim::EngineOptions options = engine_options(scenario, fidelity);
  options.progress = progress;
  result.timeline =
      fidelity == sim::Fidelity::analytic
          ? prepared->bound
          : sim::simulate(prepared->graph, scenario.cluster, prepared->gpu_of_rank, options);
  result.report = report_of(scenario, *prepared, result.timeline, fidelity);
  result.graph = std::move(prepared->graph);
  return result;
}

}  // namespace cli
