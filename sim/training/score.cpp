#include "sim/training/score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace sim::training {

namespace {

std::string nodes_text(const Row& row) {
  const int nodes = row.gpus.value_or(1) / std::max(row.gpus_per_node.value_or(1), 1);
  if (nodes <= 1) return "1";
  if (nodes == 2) return "2";
  return nodes <= 8 ? "3-8" : "9+";
}

std::string tensor_text(const Row& row) {
  if (row.tensor.value_or(1) == 1) return "none";
  return *row.tensor > row.gpus_per_node.value_or(0) ? "across nodes" : "inside a node";
}

/// Of plans that are compared: GPU model, and whether they meet a network.
std::string choice_text(const Row& row) {
  return fmt::format("{}, {}", row.gpu, nodes_text(row) == "1" ? "one node" : "several nodes");
}

std::map<std::string, std::string> regimes(const ForecastRow& forecast) {
  const Row& row = forecast.row;
  return {
      {"framework", row.framework},
      {"gpu", row.gpu},
      {"nodes", nodes_text(row)},
      {"framework, gpu, nodes", fmt::format("{}, {}, {}", row.framework, row.gpu, nodes_text(row))},
      {"model", fmt::format("{}, {}", row.framework, row.model)},
      {"tensor parallel", tensor_text(row)},
      {"schedule", row.schedule.empty() ? "not stated" : row.schedule},
      {"precision", row.precision},
      {"recompute", row.recompute.empty() ? "not stated" : row.recompute},
      {"source", row.source},
      {"setting", forecast.inferred.empty() ? "stated" : "partly inferred"},
      {"trust", row.trust}};
}

base::ScoredRow scored(const ForecastRow& row) {
  return {row.row.id,         *row.row.step_s,    row.forecast.step_s,
          row.forecast.p10_s, row.forecast.p90_s, regimes(row)};
}

constexpr double gib = 1073741824.0;

base::ScoredRow scored_memory(const ForecastRow& row) {
  const double predicted = row.forecast.memory_bytes;
  return {row.row.id,
          *row.row.peak_memory_gib * gib,
          predicted,
          predicted,
          predicted,
          {{"memory kind", row.row.memory_kind},
           {"framework", row.row.framework},
           {"framework, model", fmt::format("{}, {}", row.row.framework, row.row.model)}}};
}

base::ScoredRow scored_reserved(const ForecastRow& row) {
  const double predicted = row.forecast.reserved_bytes;
  return {row.row.id, *row.row.noted_reserved_gib * gib, predicted, predicted, predicted, {}};
}

void count(const ForecastRow& row, Verdicts& verdicts) {
  const bool fits = row.forecast.fits;
  int& cell = row.row.ran ? (fits ? verdicts.ran_fits : verdicts.ran_unfit)
                          : (fits ? verdicts.oom_fits : verdicts.oom_unfit);
  cell += 1;
}

/// Sums over groups; `finish` makes means of them.
void add_group(const Plans& plans, Choice& choice) {
  const double regret = regret_of(plans);
  choice.groups += 1;
  choice.regret += regret;
  choice.regret_worst = std::max(choice.regret_worst, regret);
  const auto [pairs, right] = concordant_pairs(plans);
  choice.pairs += pairs;
  choice.concordance += right;
}

std::map<std::string, Choice> score_choices(const std::vector<ForecastRow>& rows) {
  std::map<std::string, std::pair<std::string, Plans>> groups;  // regime and plans by group
  for (const ForecastRow& row : rows) {
    if (row.row.group.empty() || !row.row.ran || !row.row.step_s || !row.row.trusted()) continue;
    auto& [regime, plans] = groups[row.row.group];
    regime = choice_text(row.row);
    plans.emplace_back(*row.row.step_s, row.forecast.step_s);
  }
  std::map<std::string, Choice> choices;
  for (const auto& [group, regime_and_plans] : groups) {
    const auto& [regime, plans] = regime_and_plans;
    if (plans.size() < 2) continue;
    add_group(plans, choices["all"]);
    add_group(plans, choices[regime]);
  }
  for (auto& [regime, choice] : choices) {
    choice.regret /= choice.groups;
    choice.concordance = choice.pairs > 0 ? choice.concordance / choice.pairs : 1;
  }
  return choices;
}

std::vector<std::string> furthest(const std::vector<base::ScoredRow>& results) {
  constexpr std::size_t most = 20;
  std::vector<std::pair<double, std::string>> errors;
  for (const base::ScoredRow& row : results)
    errors.emplace_back(-std::abs(std::log(row.predicted / row.measured)), row.id);
  std::sort(errors.begin(), errors.end());
  errors.resize(std::min(errors.size(), most));
  std::vector<std::string> ids;
  for (auto& [error, id] : errors) ids.push_back(std::move(id));
  return ids;
}

base::ScoreFigures figures_of(const std::vector<base::ScoredRow>& rows) {
  std::vector<const base::ScoredRow*> pointers;
  for (const base::ScoredRow& row : rows) pointers.push_back(&row);
  return base::figures_of(pointers);
}

}  // namespace

double regret_of(const Plans& plans) {
  const auto chosen = std::min_element(
      plans.begin(), plans.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return chosen->first / std::min_element(plans.begin(), plans.end())->first - 1;
}

std::pair<int, double> concordant_pairs(const Plans& plans) {
  constexpr double noise = 0.02;
  int pairs = 0;
  double right = 0;
  for (std::size_t i = 0; i < plans.size(); ++i)
    for (std::size_t j = i + 1; j < plans.size(); ++j) {
      const bool i_first = plans[i].first < plans[j].first;
      const auto& [fast, fast_forecast] = i_first ? plans[i] : plans[j];
      const auto& [slow, slow_forecast] = i_first ? plans[j] : plans[i];
      if (slow <= fast * (1 + noise)) continue;
      pairs += 1;
      right += fast_forecast < slow_forecast ? 1 : fast_forecast == slow_forecast ? 0.5 : 0;
    }
  return {pairs, right};
}

Score make_score(std::vector<ForecastRow> rows, std::vector<base::UnexpressedRow> unexpressed) {
  Score score;
  const std::size_t table_rows = rows.size() + unexpressed.size();
  std::vector<base::ScoredRow> steps;
  std::vector<base::ScoredRow> doubtful;
  std::vector<base::ScoredRow> open;
  std::vector<base::ScoredRow> peaks;
  std::vector<base::ScoredRow> reserved;
  for (const ForecastRow& row : rows) {
    if (row.row.ran && row.row.step_s) {
      (row.row.trusted() ? steps : doubtful).push_back(scored(row));
      if (row.row.trusted() && !row.inferred.empty()) open.push_back(scored(row));
    }
    if (!row.row.trusted()) continue;
    if (row.row.peak_memory_gib) peaks.push_back(scored_memory(row));
    if (row.row.noted_reserved_gib) reserved.push_back(scored_reserved(row));
    count(row, score.verdicts);
  }
  score.worst = furthest(steps);
  score.steps = base::make_score(std::move(steps), std::move(unexpressed));
  score.steps.rows = static_cast<int>(table_rows);
  score.low_trust = figures_of(doubtful);
  score.inferred = figures_of(open);
  score.memory = figures_of(peaks);
  score.noted_reserved = figures_of(reserved);
  score.memory_by = base::make_score(std::move(peaks), {}).by;
  if (score.memory.rows > 0) score.steps.memory_mape = score.memory.mape;
  if (score.verdicts.rows() > 0) score.steps.oom_accuracy = score.verdicts.accuracy();
  score.choice = score_choices(rows);
  if (const auto all = score.choice.find("all"); all != score.choice.end()) {
    score.steps.plan_regret = all->second.regret;
    score.steps.concordance = all->second.concordance;
  }
  score.rows = std::move(rows);
  return score;
}

}  // namespace sim::training
