#include "viz/score.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "viz/terminal.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

// A mean over nothing is no number.
Json figure(const calibrate::ScoreFigures& figures, double value) {
  return figures.rows > 0 ? Json(value) : Json();
}

Json figures_json(const calibrate::ScoreFigures& figures) {
  return {{"scored", figures.rows},
          {"mape", figure(figures, figures.mape)},
          {"median_ape", figure(figures, figures.median_ape)},
          {"p90_ape", figure(figures, figures.p90_ape)},
          {"bias", figure(figures, figures.bias)},
          {"interval_coverage", figure(figures, figures.interval_coverage)}};
}

Json classes_json(const calibrate::Score& score) {
  Json by = Json::object();
  for (const auto& [kind, names] : score.by)
    for (const auto& [name, figures] : names) by[kind][name] = figures_json(figures);
  return by;
}

void table_row(std::string& out, std::string_view name, const calibrate::ScoreFigures& figures) {
  const auto percent = [](double share) { return fmt::format("{:.1f} %", share * 100); };
  out += fmt::format("  {} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", fit(printable(name), 44),
                     figures.rows, percent(figures.median_ape), percent(figures.mape),
                     percent(figures.p90_ape), fmt::format("{:+.1f} %", figures.bias * 100));
}

}  // namespace

std::string score_json(const calibrate::Score& score) {
  Json unexpressed = Json::array();
  for (const auto& row : score.unexpressed)
    unexpressed.push_back({{"id", row.id}, {"reason", row.reason}});
  Json results = Json::array();
  for (const auto& row : score.results)
    results.push_back({{"id", row.id},
                       {"measured", row.measured},
                       {"predicted", row.predicted},
                       {"p10", row.p10},
                       {"p90", row.p90}});
  const calibrate::ScoreFigures& all = score.all;
  const Json json = {{"schema", "foreshard.score.v1"},
                     {"table", score.table},
                     {"rows", score.rows},
                     {"scored", all.rows},
                     {"unexpressed", std::move(unexpressed)},
                     {"mape", figure(all, all.mape)},
                     {"median_ape", figure(all, all.median_ape)},
                     {"p90_ape", figure(all, all.p90_ape)},
                     {"bias", figure(all, all.bias)},
                     {"memory_mape", optional_json(score.memory_mape)},
                     {"oom_accuracy", optional_json(score.oom_accuracy)},
                     {"interval_coverage", figure(all, all.interval_coverage)},
                     {"plan_regret", optional_json(score.plan_regret)},
                     {"concordance", optional_json(score.concordance)},
                     {"by", classes_json(score)},
                     {"results", std::move(results)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string score_text(const calibrate::Score& score) {
  std::string out =
      fmt::format("{}: {} of {} rows scored\n", printable(score.table), score.all.rows, score.rows);
  out += fmt::format("  {:44} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", "", "rows", "median", "mean",
                     "p90", "bias");
  table_row(out, "all", score.all);
  for (const auto& [kind, names] : score.by) {
    out += fmt::format("{}\n", printable(kind));
    for (const auto& [name, figures] : names) table_row(out, name, figures);
  }
  std::map<std::string, int> reasons;
  for (const auto& row : score.unexpressed) reasons[row.reason] += 1;
  if (!reasons.empty()) out += "left out\n";
  for (const auto& [reason, count] : reasons)
    out += fmt::format("  {} {:>6}\n", fit(printable(reason), 44), count);
  return out;
}

}  // namespace viz
