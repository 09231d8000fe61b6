#include "cli/autoshard_stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/stage_solver.hpp"
#include "viz/table.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

/// A number of micro-batches and the best pipeline with it; nothing: there is none.
struct Trial {
  int micro_batches = 1;
  std::optional<PipelinePlan> plan;
};

std::string proof_of(const PipelinePlan& plan) {
  std::string text = plan.proven ? "every stage is proven optimal for its layers"
                                 : "not every stage is proven optimal";
  if (plan.step == plan.free) return text + ", and stages agree on the layouts at their cuts";
  return fmt::format("{}; layouts at the cuts differ, which takes {} of the step", text,
                     base::format_seconds(plan.step - plan.free));
}

std::string trials_text(const std::vector<Trial>& trials) {
  std::vector<std::vector<std::string>> rows;
  for (const Trial& trial : trials)
    rows.push_back({std::to_string(trial.micro_batches),
                    trial.plan ? base::format_seconds(trial.plan->step) : "does not fit"});
  return "\nmicro-batches that were tried:\n" +
         viz::table({{"micro-batches", true}, {"step", true}}, rows);
}

std::string text_of(const AutoshardProblem& whole, const PipelinePlan& plan) {
  const int micro_batches = whole.header.micro_batches;
  std::vector<std::vector<std::string>> table;
  double busy = 0;  // in the stage that works most
  for (std::size_t s = 0; s < plan.stages.size(); ++s) {
    const StagePlan& stage = plan.stages[s];
    busy = std::max(busy, (micro_batches * stage.time.micro_batch + stage.time.once).s());
    table.push_back({std::to_string(s), fmt::format("{}-{}", stage.first, stage.last - 1),
                     base::format_seconds(stage.time.micro_batch),
                     base::format_seconds(stage.received), base::format_seconds(stage.time.once),
                     base::format_bytes(base::Bytes::from_double(stage.solution.memory_bytes))});
  }
  return fmt::format(
             "{} stages, each on a mesh of {}; {} micro-batch{} of {} sequences of {} tokens\n"
             "step {}: a micro-batch through all stages, {} more turns of the slowest, and what "
             "it does once; {:.1f} % of it is bubble\n{}\n\n",
             plan.stages.size(), fmt::join(whole.header.mesh, "x"), micro_batches,
             micro_batches == 1 ? "" : "es", whole.shape.batch, whole.shape.seq,
             base::format_seconds(plan.step), micro_batches - 1, 100 * (1 - busy / plan.step.s()),
             proof_of(plan)) +
         viz::table({{"stage", true},
                     {"layers", true},
                     {"a micro-batch", true},
                     {"of it messages", true},
                     {"once", true},
                     {"memory", true}},
                    table);
}

std::string json_of(const AutoshardProblem& whole, const PipelinePlan& plan,
                    const std::vector<Trial>& trials) {
  nlohmann::ordered_json json{{"schema", "foreshard.autoshard_stages.v1"},
                              {"scenario", whole.scenario.name},
                              {"mesh", whole.header.mesh},
                              {"micro_batches", whole.header.micro_batches},
                              {"step_s", plan.step.s()},
                              {"layouts_at_cuts_s", (plan.step - plan.free).s()}};
  for (const StagePlan& stage : plan.stages)
    json["stages"].push_back({{"first_layer", stage.first},
                              {"layers", stage.last - stage.first},
                              {"micro_batch_s", stage.time.micro_batch.s()},
                              {"messages_s", stage.received.s()},
                              {"once_s", stage.time.once.s()},
                              {"bound_s", stage.solution.bound.s()},
                              {"memory_bytes", stage.solution.memory_bytes}});
  for (const Trial& trial : trials) {
    nlohmann::ordered_json one{{"micro_batches", trial.micro_batches}};
    if (trial.plan) one["step_s"] = trial.plan->step.s();
    json["tried"].push_back(std::move(one));
  }
  return json.dump(1) + "\n";
}

}  // namespace

StagesAnswer autoshard_stages(AutoshardProblem& whole, const AutoshardOptions& options) {
  std::vector<int> choices{options.micro_batches};
  if (options.micro_batches == 0) choices = whole.micro_batch_choices();
  std::vector<Trial> trials;
  const Trial* best = nullptr;
  trials.reserve(choices.size());
  for (const int micro_batches : choices) {
    whole.cut_batch(micro_batches);
    trials.push_back({micro_batches, StageSolver(whole, options.stages).best()});
    const std::optional<PipelinePlan>& plan = trials.back().plan;
    if (plan && (best == nullptr || plan->step < best->plan->step)) best = &trials.back();
  }
  if (best == nullptr) {
    print({{{whole.scenario.name},
            fmt::format("no cuts into {} stages meet the demands", options.stages),
            options.micro_batches == 0 ? "more stages, or more memory"
                                       : "more stages, more micro-batches, or more memory"}});
    throw CLI::RuntimeError(infeasible);
  }
  whole.cut_batch(best->micro_batches);
  StagesAnswer answer{text_of(whole, *best->plan), json_of(whole, *best->plan, trials)};
  if (options.micro_batches == 0) answer.text += trials_text(trials);
  return answer;
}

}  // namespace cli
