#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "tests/viz/sample_report.hpp"
#include "viz/viz.hpp"

namespace viz {
namespace {

using nlohmann::json;

TEST_CASE("the JSON report has every key of its contract") {
  const std::string text = report_json(sample_report());
  check_golden("report.json", text);
  const json report = json::parse(text);
  CHECK(report.at("schema") == "foreshard.report.v1");
  for (const char* key :
       {"scenario", "fidelity", "ranks", "step_time_s", "step_time_p10_s", "step_time_p90_s",
        "tokens_per_s", "tokens_per_s_per_gpu", "model_tflops_per_gpu", "mfu", "hfu", "memory",
        "breakdown", "sources", "diagnostics"})
    CHECK(report.contains(key));
  CHECK(report.at("memory").at("peak_bytes") == 66035122176);  // 61.5 x 2^30
  CHECK(report.at("memory").at("fits") == true);
  CHECK(report.at("memory").at("parts").size() == sim::memory_part_count);
}

TEST_CASE("the parts of the breakdown add up to the step, those of memory to the peak") {
  const json report = json::parse(report_json(sample_report()));
  double step = 0;
  for (const auto& part : report.at("breakdown")) step += part.get<double>();
  CHECK(step == Approx(report.at("step_time_s").get<double>()));
  double compute = 0;
  for (const auto& part : report.at("compute")) compute += part.get<double>();
  CHECK(compute == Approx(report.at("breakdown").at("compute_s").get<double>()));
  std::int64_t peak = 0;
  for (const auto& part : report.at("memory").at("parts")) peak += part.get<std::int64_t>();
  CHECK(peak == report.at("memory").at("peak_bytes").get<std::int64_t>());
}

TEST_CASE("any name and any number give JSON that parses") {
  sim::Report report = sample_report();
  report.scenario = "\xff\x01\"quoted\"\n\xe2\x82";
  report.mfu = std::numeric_limits<double>::quiet_NaN();
  report.lower_bound = base::Seconds::infinity();
  const json parsed = json::parse(report_json(report));
  CHECK(parsed.at("mfu").is_null());
  CHECK(parsed.at("lower_bound_s").is_null());
}

}  // namespace
}  // namespace viz
