#include "viz/score.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "viz/score_parts.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using Classes = std::map<std::string, std::map<std::string, base::ScoreFigures>>;

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json figure(const base::ScoreFigures& figures, double value) {
  return figures.rows > 0 ? Json(value) : Json();
}

}  // namespace

Json figures_json(const base::ScoreFigures& figures) {
  return {{"scored", figures.rows},
          {"mape", figure(figures, figures.mape)},
          {"median_ape", figure(figures, figures.median_ape)},
          {"p90_ape", figure(figures, figures.p90_ape)},
          {"bias", figure(figures, figures.bias)},
          {"interval_coverage", figure(figures, figures.interval_coverage)}};
}

Json classes_json(const Classes& by) {
  Json json = Json::object();
  for (const auto& [kind, names] : by)
    for (const auto& [name, figures] : names) json[kind][name] = figures_json(figures);
  return json;
}

Json unexpressed_json(const std::vector<base::UnexpressedRow>& rows) {
  Json json = Json::array();
  for (const auto& row : rows) json.push_back({{"id", row.id}, {"reason", row.reason}});
  return json;
}

Json score_keys(const base::Score& score) {
  const base::ScoreFigures& all = score.all;
  return {{"schema", "foreshard.score.v1"},
          {"table", score.table},
          {"rows", score.rows},
          {"scored", all.rows},
          {"unexpressed", unexpressed_json(score.unexpressed)},
          {"mape", figure(all, all.mape)},
          {"median_ape", figure(all, all.median_ape)},
          {"p90_ape", figure(all, all.p90_ape)},
          {"bias", figure(all, all.bias)},
          {"memory_mape", optional_json(score.memory_mape)},
          {"oom_accuracy", optional_json(score.oom_accuracy)},
          {"interval_coverage", figure(all, all.interval_coverage)},
          {"plan_regret", optional_json(score.plan_regret)},
          {"concordance", optional_json(score.concordance)},
          {"by", classes_json(score.by)}};
}

std::string figures_heading() {
  return fmt::format("  {:44} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", "", "rows", "median", "mean",
                     "p90", "bias");
}

std::string figures_row(std::string_view name, const base::ScoreFigures& figures) {
  const auto percent = [](double share) { return fmt::format("{:.1f} %", share * 100); };
  return fmt::format("  {} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", fit(printable(name), 44),
                     figures.rows, percent(figures.median_ape), percent(figures.mape),
                     percent(figures.p90_ape), fmt::format("{:+.1f} %", figures.bias * 100));
}

std::string classes_text(const Classes& by) {
  std::string out;
  for (const auto& [kind, names] : by) {
    out += fmt::format("{}\n", printable(kind));
    for (const auto& [name, figures] : names) out += figures_row(name, figures);
  }
  return out;
}

std::string unexpressed_text(const std::vector<base::UnexpressedRow>& rows) {
  std::map<std::string, int> reasons;
  for (const auto& row : rows) reasons[row.reason] += 1;
  std::string out;
  if (!reasons.empty()) out += "left out\n";
  for (const auto& [reason, count] : reasons)
    out += fmt::format("  {} {:>6}\n", fit(printable(reason), 44), count);
  return out;
}

std::string score_json(const base::Score& score) {
  Json json = score_keys(score);
  Json& results = json["results"] = Json::array();
  for (const auto& row : score.results)
    results.push_back({{"id", row.id},
                       {"classes", row.classes},
                       {"measured", row.measured},
                       {"predicted", row.predicted},
                       {"p10", row.p10},
                       {"p90", row.p90}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string score_text(const base::Score& score) {
  return fmt::format("{}: {} of {} rows scored\n", printable(score.table), score.all.rows,
                     score.rows) +
         figures_heading() + figures_row("all", score.all) + classes_text(score.by) +
         unexpressed_text(score.unexpressed);
}

}  // namespace viz
