#include "cli/plan_forecast_bytes.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "sim/compare/difference.hpp"

namespace cli {

namespace {

using sim::compare::PlanForecast;
using Json = nlohmann::json;

Json packed(const base::Diagnostics& diagnostics) {
  Json all = Json::array();
  for (const base::Diagnostic& one : diagnostics)
    all.push_back({one.where.file, one.where.line, one.where.column, one.message, one.hint,
                   static_cast<int>(one.severity)});
  return all;
}

base::Diagnostics unpacked(const Json& all) {
  base::Diagnostics diagnostics;
  for (const Json& one : all)
    diagnostics.push_back(
        {{one[0], one[1], one[2]}, one[3], one[4], static_cast<base::Severity>(one[5].get<int>())});
  return diagnostics;
}

Json packed(const base::Result<PlanForecast>& answer) {
  if (!answer) return {{"refused", packed(answer.error())}};
  Json breakdown = Json::array();
  for (const sim::compare::Part& part : sim::compare::parts)
    breakdown.push_back((answer->breakdown.*part.time).s());
  Json sources = Json::array();
  for (const sim::SourceShare& source : answer->sources)
    sources.push_back({source.name, source.share, source.spread});
  return {{"plan_text", answer->plan_text},
          {"gpus", answer->gpus},
          {"step", answer->step.s()},
          {"p10", answer->step_p10.s()},
          {"p90", answer->step_p90.s()},
          {"tokens", answer->tokens},
          {"tokens_per_s", answer->tokens_per_s},
          {"mfu", answer->mfu},
          {"peak", answer->memory_peak.count()},
          {"capacity", answer->memory_capacity.count()},
          {"fits", answer->fits},
          {"worst_rank", answer->worst_rank},
          {"breakdown", std::move(breakdown)},
          {"sources", std::move(sources)},
          {"bottleneck", answer->bottleneck},
          {"diagnostics", packed(answer->diagnostics)}};
}

base::Result<PlanForecast> unpacked_answer(const Json& json) {
  if (json.contains("refused")) return tl::unexpected(unpacked(json["refused"]));
  PlanForecast forecast;
  forecast.plan_text = json["plan_text"];
  forecast.gpus = json["gpus"];
  forecast.step = base::Seconds::from_s(json["step"]);
  forecast.step_p10 = base::Seconds::from_s(json["p10"]);
  forecast.step_p90 = base::Seconds::from_s(json["p90"]);
  forecast.tokens = json["tokens"];
  forecast.tokens_per_s = json["tokens_per_s"];
  forecast.mfu = json["mfu"];
  forecast.memory_peak = base::Bytes::from_count(json["peak"]);
  forecast.memory_capacity = base::Bytes::from_count(json["capacity"]);
  forecast.fits = json["fits"];
  forecast.worst_rank = json["worst_rank"];
  for (std::size_t i = 0; i < sim::compare::parts.size(); ++i)
    forecast.breakdown.*sim::compare::parts[i].time = base::Seconds::from_s(json["breakdown"][i]);
  for (const Json& source : json["sources"])
    forecast.sources.push_back({source[0], source[1], source[2]});
  forecast.bottleneck = json["bottleneck"];
  forecast.diagnostics = unpacked(json["diagnostics"]);
  return forecast;
}

}  // namespace

std::string to_bytes(const base::Result<PlanForecast>& answer) {
  std::string bytes;
  Json::to_cbor(packed(answer), bytes);
  return bytes;
}

base::Result<PlanForecast> from_bytes(std::string_view bytes) {
  return unpacked_answer(Json::from_cbor(bytes));
}

}  // namespace cli
