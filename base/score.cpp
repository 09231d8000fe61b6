#include "base/score.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace base {

namespace {

// Linear interpolation between order statistics, as numpy and R (type 7) have it.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(at));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - std::floor(at)) * (sorted[above] - sorted[below]);
}

}  // namespace

ScoreFigures figures_of(const std::vector<const ScoredRow*>& rows) {
  ScoreFigures figures;
  figures.rows = static_cast<int>(rows.size());
  if (rows.empty()) return figures;
  std::vector<double> errors;
  for (const ScoredRow* row : rows) {
    const double error = row->predicted / row->measured - 1;
    errors.push_back(std::abs(error));
    figures.bias += error;
    if (row->p10 <= row->measured && row->measured <= row->p90) figures.interval_coverage += 1;
  }
  const auto count = static_cast<double>(rows.size());
  std::sort(errors.begin(), errors.end());
  for (const double error : errors) figures.mape += error / count;
  figures.bias /= count;
  figures.interval_coverage /= count;
  figures.median_ape = quantile(errors, 0.5);
  figures.p90_ape = quantile(errors, 0.9);
  return figures;
}

Score make_score(std::vector<ScoredRow> results, std::vector<UnexpressedRow> unexpressed) {
  Score score;
  score.rows = static_cast<int>(results.size() + unexpressed.size());
  score.results = std::move(results);
  score.unexpressed = std::move(unexpressed);
  std::vector<const ScoredRow*> all;
  std::map<std::string, std::map<std::string, std::vector<const ScoredRow*>>> classes;
  for (const ScoredRow& row : score.results) {
    all.push_back(&row);
    for (const auto& [kind, name] : row.classes) classes[kind][name].push_back(&row);
  }
  score.all = figures_of(all);
  for (const auto& [kind, names] : classes)
    for (const auto& [name, rows] : names) score.by[kind][name] = figures_of(rows);
  return score;
}

void set_interval(ScoredRow& row, double spread) {
  constexpr double ninetieth = 1.2815515655446004;  // of the standard normal distribution
  row.p10 = row.predicted * std::exp(-ninetieth * spread);
  row.p90 = row.predicted * std::exp(ninetieth * spread);
}

}  // namespace base
