#include "viz/training_score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/quantity.hpp"
#include "viz/breakdown_json.hpp"
#include "viz/score_parts.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using sim::training::Choice;
using sim::training::ForecastRow;
using sim::training::Verdicts;

Json breakdown_json(const sim::Breakdown& b) {
  Json json = {{"forward_s", b.forward.s()},
               {"backward_s", b.backward.s()},
               {"recompute_s", b.recompute.s()}};
  add_beside_kernels(b, json);
  return json;
}

Json memory_json(const ForecastRow& row) {
  constexpr double gib = 1073741824.0;
  Json json = {{"predicted_bytes", row.forecast.memory_bytes}, {"fits", row.forecast.fits}};
  if (row.row.peak_memory_gib) {
    json["measured_bytes"] = *row.row.peak_memory_gib * gib;
    json["kind"] = row.row.memory_kind;
  }
  if (row.row.noted_reserved_gib) {
    json["noted_reserved_bytes"] = *row.row.noted_reserved_gib * gib;
    json["predicted_reserved_bytes"] = row.forecast.reserved_bytes;
  }
  return json;
}

/// `classes`: what the row is scored by.
Json result_json(const ForecastRow& row, const std::map<std::string, std::string>& classes) {
  return {{"id", row.row.id},
          {"measured", *row.row.step_s},
          {"predicted", row.forecast.step_s},
          {"p10", row.forecast.p10_s},
          {"p90", row.forecast.p90_s},
          {"classes", classes},
          {"trust", row.row.trust},
          {"inferred", row.inferred},
          {"breakdown", breakdown_json(row.forecast.breakdown)},
          {"memory", memory_json(row)}};
}

Json out_of_memory_json(const ForecastRow& row) {
  return {{"id", row.row.id}, {"trust", row.row.trust}, {"memory", memory_json(row)}};
}

Json choice_json(const Choice& choice) {
  return {{"groups", choice.groups},
          {"plan_regret", choice.regret},
          {"plan_regret_worst", choice.regret_worst},
          {"pairs", choice.pairs},
          {"concordance", choice.concordance}};
}

Json verdicts_json(const Verdicts& verdicts) {
  return {{"ran_said_to_fit", verdicts.ran_fits},
          {"ran_said_not_to_fit", verdicts.ran_unfit},
          {"out_of_memory_said_to_fit", verdicts.oom_fits},
          {"out_of_memory_said_not_to_fit", verdicts.oom_unfit}};
}

std::string percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string choices_text(const sim::training::Score& score) {
  if (score.choice.empty()) return {};
  std::string out = fmt::format("choice of plans\n  {:44} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", "",
                                "groups", "regret", "worst", "pairs", "in order");
  for (const auto& [name, choice] : score.choice)
    out += fmt::format("  {} {:>6}  {:>8} {:>8} {:>8} {:>8}\n", fit(printable(name), 44),
                       choice.groups, percent(choice.regret), percent(choice.regret_worst),
                       choice.pairs, percent(choice.concordance));
  return out;
}

std::string verdicts_text(const Verdicts& verdicts) {
  if (verdicts.rows() == 0) return {};
  std::string out = fmt::format("verdict on memory: {} of {} rows right\n",
                                percent(verdicts.accuracy()), verdicts.rows());
  const auto row = [&](std::string_view name, int fits, int unfit) {
    out +=
        fmt::format("  {} said to fit {:>5}, said not to fit {:>5}\n", fit(name, 16), fits, unfit);
  };
  row("ran", verdicts.ran_fits, verdicts.ran_unfit);
  row("out of memory", verdicts.oom_fits, verdicts.oom_unfit);
  return out;
}

std::string worst_text(const sim::training::Score& score) {
  if (score.worst.empty()) return {};
  std::string out = "furthest off\n";
  for (const std::string& id : score.worst) {
    const auto row = std::find_if(score.rows.begin(), score.rows.end(),
                                  [&](const ForecastRow& one) { return one.row.id == id; });
    const double measured = *row->row.step_s;
    out += fmt::format("  {} {} {:>9} {:>9} {:>9}\n", fit(printable(id), 18),
                       fit(printable(fmt::format("{}, {}, {} GPUs", row->row.framework,
                                                 row->row.model, row->row.gpus.value_or(0))),
                           44),
                       base::format_seconds(base::Seconds::from_s(measured)),
                       base::format_seconds(base::Seconds::from_s(row->forecast.step_s)),
                       fmt::format("{:+.1f} %", (row->forecast.step_s / measured - 1) * 100));
  }
  return out;
}

}  // namespace

std::string training_score_json(const sim::training::Score& score) {
  Json json = score_keys(score.steps);
  json["low_trust"] = figures_json(score.low_trust);
  json["partly_inferred"] = figures_json(score.inferred);
  json["memory"] = figures_json(score.memory);
  json["memory_by"] = classes_json(score.memory_by);
  json["memory_noted_reserved"] = figures_json(score.noted_reserved);
  json["verdicts"] = verdicts_json(score.verdicts);
  json["choice"] = Json::object();
  for (const auto& [name, choice] : score.choice) json["choice"][name] = choice_json(choice);
  json["worst"] = score.worst;
  std::map<std::string, std::map<std::string, std::string>> classes;  // of rows that count
  for (const base::ScoredRow& row : score.steps.results) classes[row.id] = row.classes;
  Json results = Json::array();
  Json out_of_memory = Json::array();
  for (const ForecastRow& row : score.rows)
    row.row.ran ? results.push_back(result_json(row, classes[row.row.id]))
                : out_of_memory.push_back(out_of_memory_json(row));
  json["results"] = std::move(results);
  json["out_of_memory"] = std::move(out_of_memory);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string training_score_text(const sim::training::Score& score) {
  std::string out =
      fmt::format("{}: {} rows; {} steps scored, {} of low trust apart, {} left out\n",
                  printable(score.steps.table), score.steps.rows, score.steps.all.rows,
                  score.low_trust.rows, score.steps.unexpressed.size());
  out += "step time\n" + figures_heading() + figures_row("all", score.steps.all);
  out +=
      fmt::format("  {} of them between p10 and p90\n", percent(score.steps.all.interval_coverage));
  if (score.low_trust.rows > 0) out += figures_row("of low trust, apart", score.low_trust);
  out += choices_text(score);
  if (score.memory.rows > 0) {
    out += "peak memory\n" + figures_heading() + figures_row("all", score.memory);
    out += classes_text(score.memory_by);
  }
  if (score.noted_reserved.rows > 0)
    out += "peak memory that notes tell\n" + figures_heading() +
           figures_row("reserved, of rank 0", score.noted_reserved);
  out += verdicts_text(score.verdicts);
  out += "step time by regime\n" + classes_text(score.steps.by);
  return out + worst_text(score) + unexpressed_text(score.steps.unexpressed);
}

}  // namespace viz
