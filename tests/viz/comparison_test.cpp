// Comparisons made by hand, as JSON, CSV and picture. Texts of whole ones are golden files in
// tests/cli.

#include "viz/comparison.hpp"

#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "base/csv.hpp"
#include "sim/compare/difference.hpp"
#include "tests/sim/compare_support.hpp"
#include "tests/support/catch.hpp"

namespace viz {
namespace {

using base::Seconds;
using sim::compare::Comparison;

/// Names that need care, one plan that does not fit.
Comparison sample() {
  auto quick = plan_of("a \"b\", <c> & d", 1.0, 60, 16, {{"gemm", 1, 0.1}});
  quick.breakdown.forward = Seconds::from_ms(400);
  quick.breakdown.backward = Seconds::from_ms(600);
  quick.gpu_hour = 3.6;
  auto slow = quick;
  slow.name = "slow";
  slow.step = Seconds::from_ms(1100);
  slow.breakdown.bubble = Seconds::from_ms(100);
  auto large = plan_of("large", 0.9, 120, 16);
  large.breakdown.forward = Seconds::from_ms(900);
  Comparison comparison = sim::compare::rank({slow, large, quick});
  comparison.scenario = "sample";
  comparison.currency = "USD";
  comparison.refused = {{"tp 5", {{{"p.yaml", 1, 2}, "16 GPUs cannot be divided", "use fewer"}}}};
  return comparison;
}

TEST_CASE("a comparison as JSON has every figure with its unit") {
  const auto json = nlohmann::json::parse(comparison_json(sample()));
  CHECK(json["schema"] == "foreshard.comparison.v1");
  CHECK(json["currency"] == "USD");
  REQUIRE(json["plans"].size() == 3);
  const auto& first = json["plans"][0];
  CHECK(first["name"] == "a \"b\", <c> & d");
  CHECK(first["step_time_s"] == 1.0);
  CHECK(first["memory"]["fits"] == true);
  // 3.6 x 16 GPUs x 1 s / 3600 / 1e6 tokens x 1e12.
  CHECK(first["cost_per_1e12_tokens"].get<double>() == Approx(16'000));
  CHECK(first["pareto"] == true);
  const auto& slow = json["plans"][1];
  CHECK(slow["more_than_first"]["total_s"].get<double>() == Approx(0.1));
  CHECK(slow["more_than_first"]["sentence"] == "+100 ms: +100 pipeline bubble");
  CHECK(slow["pareto"] == false);
  CHECK(json["plans"][2]["memory"]["fits"] == false);
  CHECK(json["plans"][2]["cost_per_1e12_tokens"] == nullptr);
  CHECK(json["refused"][0]["reasons"][0]["hint"] == "use fewer");
  for (const auto& plan : json["plans"]) {
    double sum = 0;
    for (const auto& part : plan["breakdown"]) sum += part.get<double>();
    CHECK(sum == Approx(plan["step_time_s"].get<double>()));
  }
}

TEST_CASE("a comparison as CSV is a table that our own reader takes") {
  const auto table = base::parse_csv(comparison_csv(sample()), "c.csv");
  REQUIRE(table);
  REQUIRE(table->rows.size() == 3);
  CHECK(table->rows[0].fields[*table->column("name")] == "a \"b\", <c> & d");
  CHECK(table->rows[1].fields[*table->column("pipeline_bubble_s")] == "0.1");
  CHECK(table->rows[2].fields[*table->column("fits")] == "0");
  CHECK(table->rows[2].fields[*table->column("cost_per_1e12_tokens")].empty());
}

TEST_CASE("the first plans are shown, and the others counted") {
  const std::string text = comparison_text(sample(), 2, {});
  CHECK_THAT(text, Catch::Contains("... and 1 more (--top): 0 fit, 0 of them on the Pareto front"));
  CHECK_THAT(text, Catch::Contains("    2  +100 ms: +100 pipeline bubble\n"));
  CHECK_THAT(text, Catch::Contains("at the price of each plan's GPUs"));
  CHECK_THAT(text, Catch::Contains("16 GPUs cannot be divided (tp 5)"));
}

struct Words {
  double left, top, right, bottom;
  std::string text;
};

/// Boxes of all words of a picture, letters taken as 0.55 of their size wide.
std::vector<Words> words_of(const std::string& svg) {
  static const std::regex pattern(
      "<text x=\"([0-9.-]+)\" y=\"([0-9.-]+)\" text-anchor=\"(\\w+)\" font-size=\"(\\d+)\" "
      "fill=\"[^\"]*\">([^<]*)</text>");
  std::vector<Words> all;
  for (auto match = std::sregex_iterator(svg.begin(), svg.end(), pattern);
       match != std::sregex_iterator(); ++match) {
    const double x = std::stod((*match)[1]);
    const double y = std::stod((*match)[2]);
    const double size = std::stod((*match)[4]);
    const double width = 0.55 * size * static_cast<double>((*match)[5].length());
    const double left = (*match)[3] == "start" ? x
                        : (*match)[3] == "end" ? x - width
                                               : x - width / 2;
    all.push_back({left, y - 0.75 * size, left + width, y, (*match)[5]});
  }
  return all;
}

TEST_CASE("words of a picture stand apart, in a crowd of plans too") {
  std::vector<sim::compare::PlanForecast> plans;
  for (int i = 0; i < 24; ++i) {
    auto plan = plan_of("plan " + std::to_string(i), 1 + 0.01 * (i % 5), 40 + 0.3 * (i / 5), 16,
                        {{"gemm", 1, 0.08}});
    plan.step_p10 = plan.step * 0.9;
    plan.step_p90 = plan.step * 1.1;
    plan.breakdown.forward = plan.step;
    plans.push_back(plan);
  }
  Comparison comparison = sim::compare::rank(plans);
  comparison.scenario = "a crowd";
  const std::string svg = comparison_svg(comparison, 24);
  const std::vector<Words> words = words_of(svg);
  CHECK(words.size() > 60);
  std::smatch size;
  REQUIRE(std::regex_search(svg, size, std::regex("width=\"(\\d+)\" height=\"(\\d+)\"")));
  for (std::size_t i = 0; i < words.size(); ++i) {
    INFO(words[i].text);
    CHECK(words[i].left >= 0);
    CHECK(words[i].right <= std::stod(size[1]));
    CHECK(words[i].bottom <= std::stod(size[2]));
    for (std::size_t j = i + 1; j < words.size(); ++j) {
      INFO(words[j].text);
      CHECK_FALSE((words[i].left < words[j].right && words[j].left < words[i].right &&
                   words[i].top < words[j].bottom && words[j].top < words[i].bottom));
    }
  }
}

TEST_CASE("names in a picture are no markup") {
  const std::string svg = comparison_svg(sample(), 3);
  CHECK(svg.starts_with("<svg "));
  CHECK_THAT(svg, Catch::Contains("a \"b\", &lt;c&gt; &amp; d</text>"));
  CHECK(svg.find("<c>") == std::string::npos);
}

}  // namespace
}  // namespace viz
