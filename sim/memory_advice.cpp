#include "sim/memory_advice.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "sim/analytic.hpp"
#include "sim/build_step.hpp"
#include "strategies/shard.hpp"

namespace sim {

namespace {

using base::Bytes;
using strategies::Plan;
using strategies::Recompute;

struct Neighbour {
  std::string what;  ///< "zero: 1"
  Plan plan;
};

struct Outcome {
  std::string what;
  Bytes peak;
  base::Seconds step;
};

std::vector<Neighbour> neighbours(const Plan& plan) {
  std::vector<Neighbour> all;
  const auto changed = [&](std::string what, auto&& change) {
    Neighbour made{std::move(what), plan};
    change(made.plan);
    all.push_back(std::move(made));
  };
  if (plan.data > 1)
    for (int zero = plan.zero + 1; zero <= 3; ++zero)
      changed(fmt::format("zero: {}", zero), [&](Plan& p) {
        p.zero = zero;
        p.sync.reset();
        if (zero == 3) p.offload = {};
      });
  if (plan.recompute == Recompute::none)
    changed("recompute: selective", [](Plan& p) { p.recompute = Recompute::selective; });
  if (plan.recompute != Recompute::full || plan.recompute_every > 1)
    changed("recompute: full", [](Plan& p) {
      p.recompute = Recompute::full;
      p.recompute_every = 1;
      p.recompute_operators.clear();
    });
  if (plan.tensor > 1 && !plan.sequence_parallel)
    changed("sequence_parallel: true", [](Plan& p) { p.sequence_parallel = true; });
  if (plan.data % 2 == 0 && plan.data_replicate == 1) {
    changed(fmt::format("tensor_parallel: {}", 2 * plan.tensor), [](Plan& p) {
      p.tensor *= 2;
      p.data /= 2;
    });
    if (plan.stage_layers.empty() && !plan.written)
      changed(fmt::format("pipeline_parallel: {}", 2 * plan.pipeline), [](Plan& p) {
        p.pipeline *= 2;
        p.data /= 2;
      });
  }
  if (plan.micro_batch % 2 == 0)
    changed(fmt::format("micro_batch: {}", plan.micro_batch / 2),
            [](Plan& p) { p.micro_batch /= 2; });
  // Collectives keep what they read until they are waited for, not until they have run.
  if (plan.execution.deferred_frees > 0 && plan.sequence_parallel && plan.tensor > 1)
    changed("TORCH_NCCL_AVOID_RECORD_STREAMS=1", [](Plan& p) { p.execution.deferred_frees = 0; });
  const strategies::OptimizerKind kind = plan.optimizer.kind;
  if (plan.zero < 3 && !plan.offload.optimizer &&
      (kind == strategies::OptimizerKind::adam || kind == strategies::OptimizerKind::adamw))
    changed("offload: {optimizer: true}", [](Plan& p) { p.offload.optimizer = true; });
  return all;
}

std::optional<Outcome> outcome_of(const Scenario& scenario, const calibrate::Profile& profile,
                                  Neighbour neighbour) {
  Scenario other = scenario;
  other.plan = std::move(neighbour.plan);
  const auto seats = static_cast<int>(gpus_of(other.placement, other.cluster).size());
  if (base::has_errors(strategies::check_plan(other.plan, other.model, seats, base::Origins{})))
    return std::nullopt;
  const std::vector<topology::GpuId> gpus = place_ranks(other);
  const strategies::ShardedGraph sharded = strategies::shard(other.model, other.plan);
  const StepGraph graph = build_step({.model = other.model,
                                      .plan = other.plan,
                                      .sharded = sharded,
                                      .cluster = other.cluster,
                                      .gpu_of_rank = gpus,
                                      .profile = profile,
                                      .forced = other.forced});
  const Timeline timeline = analyse(graph, other.cluster, gpus);
  std::vector<Bytes> capacities;
  for (const topology::GpuId gpu : gpus) capacities.push_back(other.cluster.gpu_spec(gpu).memory);
  return Outcome{std::move(neighbour.what), follow_memory(graph, timeline, capacities).peak,
                 timeline.step};
}

}  // namespace

std::string advise(const Scenario& scenario, const calibrate::Profile& profile,
                   const MemoryReport& now) {
  std::optional<Outcome> quickest;  // of those that fit
  std::optional<Outcome> smallest;
  for (Neighbour& neighbour : neighbours(scenario.plan)) {
    const auto outcome = outcome_of(scenario, profile, std::move(neighbour));
    if (!outcome || outcome->peak >= now.peak) continue;
    if (!smallest || outcome->peak < smallest->peak) smallest = outcome;
    if (outcome->peak <= now.capacity && (!quickest || outcome->step < quickest->step))
      quickest = outcome;
  }
  if (quickest)
    return fmt::format("{} saves {} and fits", quickest->what,
                       base::format_bytes(now.peak - quickest->peak));
  if (smallest)
    return fmt::format("{} saves most, {}, but {} are still missing; combine it with others",
                       smallest->what, base::format_bytes(now.peak - smallest->peak),
                       base::format_bytes(smallest->peak - now.capacity));
  return "no single change of the plan saves memory: use more GPUs";
}

}  // namespace sim
