#include "viz/step_comparison.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace viz {

namespace {

std::string time_text(double seconds) {
  if (seconds >= 1) return fmt::format("{:.3f} s ", seconds);
  return seconds >= 1e-3 ? fmt::format("{:.2f} ms", 1e3 * seconds)
                         : fmt::format("{:.1f} us", 1e6 * seconds);
}

std::string error_text(double error) { return fmt::format("{:+.1f} %", 100 * error); }

}  // namespace

std::string step_comparison_text(const ComparedStep& step, const sim::StepComparison& comparison) {
  std::string out = fmt::format("{}\n{}\n\n", step.scenario, step.ranks);
  out += fmt::format("  forecast  {:>12}   (p10 {}, p90 {})\n", time_text(comparison.forecast),
                     time_text(step.p10), time_text(step.p90));
  out += fmt::format("  executed  {:>12}   (median of {} steps, {} to {})\n",
                     time_text(comparison.executed), comparison.steps,
                     time_text(comparison.executed_min), time_text(comparison.executed_max));
  out += fmt::format("  error     {:>12}\n", error_text(comparison.error()));
  out += fmt::format(
      "  at speed  {:>12}   (the largest product took {:.2f} times as long between the steps)\n\n",
      error_text(comparison.error_at_speed()), comparison.drift);
  for (const sim::SourceShare& source : step.sources)
    out += fmt::format("  {:>5.1f} %  ± {:.1f} %  {}\n", 100 * source.share, 100 * source.spread,
                       source.name);
  out += fmt::format("\n{:<34} {:>11} {:>11} {:>9} {:>7}\n", "of a step, mean over ranks",
                     "forecast", "executed", "error", "share");
  for (const sim::ComparedPart& part : comparison.parts)
    out += fmt::format("{:<34} {:>11} {:>11} {:>9} {:>5.1f} %\n",
                       (part.collective ? "~ " : "  ") + part.name, time_text(part.forecast),
                       time_text(part.executed), error_text(part.error()),
                       comparison.executed > 0 ? 100 * part.executed / comparison.executed : 0);
  return out + "~: collectives; of those executed, waiting for other ranks is part\n";
}

std::string step_comparison_json(const ComparedStep& step, const sim::StepComparison& comparison) {
  nlohmann::ordered_json json;
  json["schema"] = "foreshard.step.v1";
  json["scenario"] = step.scenario;
  json["ranks"] = step.ranks;
  json["forecast_s"] = comparison.forecast;
  json["forecast_p10_s"] = step.p10;
  json["forecast_p90_s"] = step.p90;
  json["sources"] = nlohmann::ordered_json::array();
  for (const sim::SourceShare& source : step.sources)
    json["sources"].push_back(
        {{"name", source.name}, {"share", source.share}, {"spread", source.spread}});
  json["executed_s"] = comparison.executed;
  json["executed_min_s"] = comparison.executed_min;
  json["executed_max_s"] = comparison.executed_max;
  json["steps"] = comparison.steps;
  json["error"] = comparison.error();
  json["drift"] = comparison.drift;
  json["error_at_speed"] = comparison.error_at_speed();
  json["parts"] = nlohmann::ordered_json::array();
  for (const sim::ComparedPart& part : comparison.parts)
    json["parts"].push_back({{"name", part.name},
                             {"collective", part.collective},
                             {"forecast_s", part.forecast},
                             {"executed_s", part.executed},
                             {"error", part.error()}});
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace viz
