#include "cli/plan_forecasts.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "base/check.hpp"
#include "cli/forecast.hpp"
#include "cli/workers.hpp"
#include "sim/compare/difference.hpp"

namespace cli {

namespace {

using sim::compare::PlanForecast;
using Json = nlohmann::json;

/// Bytes of an answer on its way between processes; pages that are not written cost nothing.
constexpr std::size_t answer_bytes = std::size_t{64} << 10;

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

void write_answer(const base::Result<PlanForecast>& answer, std::byte* out) {
  const std::vector<std::uint8_t> bytes = Json::to_cbor(packed(answer));
  const std::size_t size = bytes.size();
  if (size + sizeof size > answer_bytes)
    throw std::runtime_error(
        fmt::format("its answer takes {} bytes, at most {}", size, answer_bytes - sizeof size));
  std::memcpy(out, &size, sizeof size);
  std::memcpy(out + sizeof size, bytes.data(), size);
}

base::Result<PlanForecast> read_answer(const std::byte* in) {
  std::size_t size = 0;
  std::memcpy(&size, in, sizeof size);
  const auto* begin = reinterpret_cast<const std::uint8_t*>(in + sizeof size);
  return unpacked_answer(Json::from_cbor(begin, begin + size));
}

}  // namespace

std::vector<base::Result<PlanForecast>> forecast_plans(
    const sim::Scenario& scenario, const std::vector<sim::compare::Candidate>& plans,
    const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
    const std::function<void(double)>& progress) {
  sim::Scenario mine = scenario;  // each process changes its own
  std::vector<base::Result<PlanForecast>> answers(plans.size());
  const std::vector<std::string> failures = work_in_processes(
      static_cast<int>(plans.size()), answer_bytes,
      [&](int i, std::byte* out) {
        mine.plan = plans[static_cast<std::size_t>(i)].plan;
        const base::Result<Forecast> forecast = cli::forecast(mine, calibrations, fidelity, {});
        write_answer(forecast
                         ? base::Result<PlanForecast>(sim::compare::plan_forecast(forecast->report))
                         : tl::unexpected(forecast.error()),
                     out);
      },
      progress,
      [&](int i, const std::byte* in) { answers[static_cast<std::size_t>(i)] = read_answer(in); });
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (!failures[i].empty())
      throw base::EnvironmentError(
          fmt::format("plan '{}' has no answer: {}", plans[i].name, failures[i]));
    if (!answers[i]) continue;
    answers[i]->name = plans[i].name;
    answers[i]->plan = plans[i].plan;
    answers[i]->gpu_hour = plans[i].gpu_hour;
  }
  return answers;
}

}  // namespace cli
