#include "cli/plan_search.hpp"

#include <fmt/format.h>

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "cli/forecast.hpp"
#include "cli/plan_forecast_bytes.hpp"
#include "cli/plan_forecasts.hpp"
#include "cli/workers.hpp"

namespace cli {

namespace {

using sim::search::Answer;
using sim::search::Check;
using sim::search::PlanCode;
using sim::search::Task;
using sim::search::UnitAnswer;

template <class T>
void append(std::string& text, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>, "its bytes are all there is to it");
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T taken(std::string_view& text) {
  CHECK_INVARIANT(text.size() >= sizeof(T));
  T value;
  std::memcpy(&value, text.data(), sizeof value);
  text.remove_prefix(sizeof value);
  return value;
}

/// Field by field: equal tasks have equal texts.
std::string text_of(const Task& task) {
  std::string text;
  append(text, task.kind);
  for (const std::uint16_t index : task.code.at) append(text, index);
  append(text, task.limit);
  append(text, task.reserve.count());
  append(text, task.slowdown);
  return text;
}

Task task_of(std::string_view text) {
  Task task;
  task.kind = taken<Task::Kind>(text);
  for (std::uint16_t& index : task.code.at) index = taken<std::uint16_t>(text);
  task.limit = taken<double>(text);
  task.reserve = base::Bytes::from_count(taken<std::int64_t>(text));
  task.slowdown = taken<double>(text);
  return task;
}

template <class T>
std::string text_of_value(const T& value) {
  std::string text;
  append(text, value);
  return text;
}

Answer answer_of(Task::Kind kind, std::string_view text) {
  Answer answer;
  switch (kind) {
    case Task::Kind::floor:
    case Task::Kind::slow: answer.number = taken<double>(text); break;
    case Task::Kind::explore: answer.unit = taken<UnitAnswer>(text); break;
    case Task::Kind::check: answer.check = taken<Check>(text); break;
    case Task::Kind::confirm: {
      auto forecast = from_bytes(text);
      if (!forecast)
        throw base::EnvironmentError(
            fmt::format("a plan cannot be played: {}", forecast.error().front().message));
      answer.forecast = std::move(*forecast);
      break;
    }
  }
  return answer;
}

double tasks_of_all_ranks(const sim::StepGraph& graph) {
  double tasks = 0;
  for (const std::uint16_t program : graph.program_of_rank)
    tasks += static_cast<double>(graph.programs[program].tasks.size());
  return tasks;
}

}  // namespace

Workers workers_here(Work work) {
  return [work = std::move(work)](const std::vector<std::string>& pieces) {
    const std::vector<TextResult> results =
        texts_in_processes(static_cast<int>(pieces.size()),
                           [&](int i) { return work(pieces[static_cast<std::size_t>(i)]); }, {});
    std::vector<std::string> answers;
    for (const TextResult& result : results) {
      if (!result.failure.empty())
        throw base::EnvironmentError(
            fmt::format("a part of the search failed: {}", result.failure));
      answers.push_back(result.value);
    }
    return answers;
  };
}

PlanSearch::PlanSearch(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
                       const calibrate::Profile& profile, sim::search::Space space,
                       sim::Fidelity fidelity)
    : scenario_(scenario),
      calibrations_(calibrations),
      space_(std::move(space)),
      fidelity_(fidelity),
      explorer_(space_, scenario.model, scenario.cluster, profile,
                sim::gpus_of(scenario.placement, scenario.cluster)) {}

sim::Scenario PlanSearch::with(const PlanCode& code) const {
  sim::Scenario chosen = scenario_;
  chosen.plan = explorer_.plan(code);
  return chosen;
}

std::string PlanSearch::perform(const std::string& piece) {
  const Task task = task_of(piece);
  switch (task.kind) {
    case Task::Kind::floor: return text_of_value(explorer_.floor(task.code));
    case Task::Kind::explore:
      return text_of_value(explorer_.explore(task.code, task.limit, task.reserve, task.slowdown));
    case Task::Kind::slow: return text_of_value(explorer_.slowdown(task.code, task.limit));
    case Task::Kind::check: return text_of_value(check(task.code));
    case Task::Kind::confirm:
      return to_bytes(plan_forecast(with(task.code), calibrations_, fidelity_));
  }
  CHECK_INVARIANT(false);
}

Check PlanSearch::check(const PlanCode& code) {
  const sim::Scenario chosen = with(code);
  const base::Result<Prepared> prepared = prepare(chosen, calibrations_);
  if (!prepared) return {};  // no price for what it says
  std::vector<base::Bytes> capacities;
  for (const topology::GpuId gpu : prepared->gpu_of_rank)
    capacities.push_back(chosen.cluster.gpu_spec(gpu).memory);
  const sim::MemoryReport memory = sim::follow_memory(prepared->graph, prepared->bound, capacities);
  return {memory.fits, memory.peak - explorer_.memory(chosen.plan),
          tasks_of_all_ranks(prepared->graph)};
}

sim::search::Outcome PlanSearch::run(const Workers& workers,
                                     const sim::search::Options& options) const {
  const auto crew = [&](const std::vector<Task>& tasks) {
    std::vector<std::string> pieces;
    for (const Task& task : tasks) pieces.push_back(text_of(task));
    const std::vector<std::string> texts = workers(pieces);
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < tasks.size(); ++i)
      answers.push_back(answer_of(tasks[i].kind, texts[i]));
    return answers;
  };
  return sim::search::search(explorer_, crew, options);
}

}  // namespace cli
