// Plans beside each other: probabilities, differences and the front, worked by hand or by brute
// force.

#include <cmath>
#include <random>
#include <set>
#include <string>

#include "sim/compare/comparison.hpp"
#include "sim/compare/difference.hpp"
#include "tests/sim/compare_support.hpp"
#include "tests/support/catch.hpp"

namespace sim::compare {
namespace {

using base::Seconds;

/// Of a standard normal variable.
double below(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

TEST_CASE("which of two plans is quicker is a matter of their distance over their errors") {
  // u = 0.8 x 10 % = 0.08 and 0.2 x 5 % = 0.01; v = 0.6 x 10 % = 0.06 and 0.4 x 5 % = 0.02.
  const auto a = plan_of("a", 10, 1, 8, {{"gemm", 0.8, 0.10}, {"nccl", 0.2, 0.05}});
  const auto b = plan_of("b", 11, 1, 8, {{"gemm", 0.6, 0.10}, {"nccl", 0.4, 0.05}});
  // 0.08^2 + 0.06^2 - 2 x 0.4 x 0.08 x 0.06 = 0.00616;
  // 0.01^2 + 0.02^2 - 2 x 0.4 x 0.01 x 0.02 = 0.00034.
  const double expected = below(std::log(1.1) / std::sqrt(0.0065));
  CHECK(probability_quicker(a, b) == Approx(expected).epsilon(1e-12));
  CHECK(expected == Approx(0.8814).epsilon(1e-3));
  CHECK(probability_quicker(b, a) == Approx(1 - expected).epsilon(1e-12));
}

TEST_CASE("the same plan wins every second time, and plans without a common source err apart") {
  const auto a = plan_of("a", 10, 1, 8, {{"gemm", 1, 0.08}});
  CHECK(probability_quicker(a, a) == 0.5);
  const auto b = plan_of("b", 10.5, 1, 8, {{"other gemm", 1, 0.06}});
  // Independent: variances 0.0064 + 0.0036 = 0.1^2.
  CHECK(probability_quicker(a, b) == Approx(below(std::log(1.05) / 0.1)).epsilon(1e-12));
  // One source for both: 0.0064 + 0.0036 - 2 x 0.4 x 0.08 x 0.06 = 0.00616, surer.
  const auto c = plan_of("c", 10.5, 1, 8, {{"gemm", 1, 0.06}});
  CHECK(probability_quicker(a, c) ==
        Approx(below(std::log(1.05) / std::sqrt(0.00616))).epsilon(1e-12));
  CHECK(probability_quicker(a, c) > probability_quicker(a, b));
}

TEST_CASE("plans without errors are in a sure order") {
  const auto a = plan_of("a", 10, 1);
  const auto b = plan_of("b", 11, 1);
  CHECK(probability_quicker(a, b) == 1);
  CHECK(probability_quicker(b, a) == 0);
  CHECK(probability_quicker(a, a) == 0.5);
}

TEST_CASE("plans that train more tokens a step are compared by the time of a token") {
  const auto a = plan_of("a", 10, 1, 8, {{"gemm", 1, 0.1}});
  auto twice = plan_of("b", 20, 1, 8, {{"gemm", 1, 0.1}});
  twice.tokens *= 2;
  CHECK(probability_quicker(a, twice) == 0.5);
  twice.breakdown.forward = Seconds::from_s(20);
  auto first = a;
  first.breakdown.forward = Seconds::from_s(10);
  CHECK(difference(twice, first).more.s() == Approx(0).margin(1e-12));
}

TEST_CASE("the price of tokens is that of the GPU hours that they take") {
  auto plan = plan_of("a", 9, 1, 16);
  CHECK_FALSE(plan.cost());
  plan.gpu_hour = 2.5;
  // 1e12 tokens are 1e6 steps of 9 s, 2,500 h; times 16 GPUs and 2.5.
  CHECK(*plan.cost() == Approx(100'000));
}

TEST_CASE("differences name the largest first and add up as they are written") {
  auto slower = plan_of("b", 1.412, 1);
  auto quicker = plan_of("a", 1, 1);
  quicker.breakdown.forward = Seconds::from_ms(400);
  quicker.breakdown.backward = Seconds::from_ms(600);
  slower.breakdown.forward = Seconds::from_ms(402.4);
  slower.breakdown.backward = Seconds::from_ms(588);
  slower.breakdown.bubble = Seconds::from_ms(310.45);
  slower.breakdown.tensor_exposed = Seconds::from_ms(111.4);
  const Difference more = difference(slower, quicker);
  CHECK(more.more.ms() == Approx(412.25));
  REQUIRE(more.parts.size() == parts.size());
  CHECK(more.parts[0].name == "pipeline bubble");
  CHECK(more.parts[3].more.ms() == Approx(2.4));
  // 310.45 + 111.4 - 12 + 2.4 = 412.25: each rounded down gives 411, so the one that loses most,
  // 0.45, is rounded up.
  CHECK(sentence(more) ==
        "+412 ms: +311 pipeline bubble, +111 tensor-parallel communication, -12 backward, "
        "+2 forward");
}

TEST_CASE("small parts of a difference are one") {
  auto slower = plan_of("b", 1, 1);
  slower.breakdown.bubble = Seconds::from_ms(500);
  slower.breakdown.optimizer = Seconds::from_ms(3);
  slower.breakdown.host = Seconds::from_ms(2);
  CHECK(sentence(difference(slower, plan_of("a", 1, 1))) ==
        "+505 ms: +500 pipeline bubble, +5 the rest");
  CHECK(sentence(difference(slower, slower)) == "+0 us");
}

TEST_CASE("what a sentence says of parts adds up whatever they are") {
  std::mt19937 random(1);
  std::normal_distribution<double> amount(0, 0.1);
  const auto number = [](std::string_view text) { return std::stod(std::string(text)); };
  for (int trial = 0; trial < 500; ++trial) {
    auto slower = plan_of("b", 1, 1);
    const double scale = std::pow(10.0, trial % 7 - 4);
    for (const Part& part : parts)
      slower.breakdown.*part.time = Seconds::from_s(scale * amount(random));
    const std::string text = sentence(difference(slower, plan_of("a", 1, 1)));
    INFO(text);
    double sum = 0;
    for (std::size_t at = text.find(": "); at != std::string::npos; at = text.find(", ", at + 1))
      sum += number(std::string_view(text).substr(at + 2));
    CHECK(sum == Approx(number(text)).margin(1e-9));
  }
}

TEST_CASE("the front is what no other plan beats in time, memory and GPUs") {
  std::mt19937 random(2);
  std::uniform_int_distribution<int> few(1, 5);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<PlanForecast> plans;
    for (int i = 0; i < 12; ++i)
      plans.push_back(plan_of(std::to_string(i), few(random), 20.0 * few(random), few(random)));
    const Comparison comparison = rank(plans);
    for (const Ranked& one : comparison.plans) {
      const auto key = [](const PlanForecast& p) {
        return std::tuple(p.step.s(), p.memory_peak.count(), p.gpus);
      };
      bool beaten = !one.forecast.fits;
      for (const PlanForecast& other : plans)
        beaten |= other.fits && key(other) != key(one.forecast) &&
                  other.step <= one.forecast.step &&
                  other.memory_peak <= one.forecast.memory_peak && other.gpus <= one.forecast.gpus;
      CHECK(one.pareto == !beaten);
    }
  }
}

TEST_CASE("plans stand by their time, those that do not fit behind them by what they lack") {
  const Comparison comparison = rank({plan_of("far", 1, 200), plan_of("slow", 3, 10),
                                      plan_of("near", 2, 90), plan_of("quick", 2, 80)});
  std::string order;
  for (const Ranked& one : comparison.plans) order += one.forecast.name + " ";
  CHECK(order == "quick slow near far ");
}

TEST_CASE("what several plans are told is told once") {
  auto a = plan_of("a", 1, 1);
  a.diagnostics = {{{"s.yaml", 1, 1}, "assumed"}, {{"s.yaml", 2, 1}, "only here"}};
  auto b = plan_of("b", 2, 1);
  b.diagnostics = {{{"s.yaml", 1, 1}, "assumed"}};
  CHECK(rank({a, b}).diagnostics.size() == 2);
}

}  // namespace
}  // namespace sim::compare
