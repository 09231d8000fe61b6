#include "sim/training/score.hpp"
#include "tests/support/catch.hpp"

namespace sim::training {
namespace {

TEST_CASE("regret is what the plan forecast as best costs more than the best") {
  // The forecast likes the second, which took 12 s; the best took 10.
  CHECK(regret_of({{10, 9}, {12, 8}, {30, 20}}) == Approx(0.2));
  CHECK(regret_of({{10, 7}, {12, 8}}) == 0);
  CHECK(regret_of({{10, 7}}) == 0);
}

TEST_CASE("pairs whose times differ by 2 % or less are not asked for an order") {
  // 10 and 10.1 are alike; 10-12 and 10.1-12 are told apart: once right, once wrong.
  const auto [pairs, right] = concordant_pairs({{10, 5}, {10.1, 7}, {12, 6}});
  CHECK(pairs == 2);
  CHECK(right == 1);
  const auto [tied, half] = concordant_pairs({{10, 5}, {12, 5}});
  CHECK(tied == 1);
  CHECK(half == 0.5);
}

ForecastRow row(const std::string& id, double measured, double predicted) {
  ForecastRow one;
  one.row.id = id;
  one.row.group = "g";
  one.row.framework = "F";
  one.row.gpu = "H100";
  one.row.gpus = 16;
  one.row.gpus_per_node = 8;
  one.row.tensor = 16;
  one.row.trust = "high";
  one.row.step_s = measured;
  one.forecast.step_s = predicted;
  one.forecast.p10_s = predicted * 0.9;
  one.forecast.p90_s = predicted * 1.1;
  return one;
}

TEST_CASE("a score of six rows by hand") {
  constexpr double gib = 1073741824.0;
  // Steps: +10 % (in the interval), -20 % (not). One of low trust, two out of memory.
  ForecastRow a = row("a", 10, 11);
  a.row.peak_memory_gib = 20;
  a.row.memory_kind = "allocated";
  a.forecast.memory_bytes = 15 * gib;  // -25 %
  a.row.noted_reserved_gib = 40;
  a.forecast.reserved_bytes = 44 * gib;  // +10 %
  ForecastRow b = row("b", 10, 8);
  b.row.peak_memory_gib = 10;
  b.row.memory_kind = "nvidia-smi";
  b.forecast.memory_bytes = 11 * gib;  // +10 %
  b.inferred = {"micro batch 1"};
  b.forecast.fits = false;  // but it ran
  ForecastRow doubtful = row("c", 10, 100);
  doubtful.row.trust = "low";
  ForecastRow caught = row("d", 0, 1);
  caught.row.ran = false;
  caught.row.step_s.reset();
  ForecastRow missed = caught;
  missed.row.id = "e";
  caught.forecast.fits = false;
  const Score score = make_score({a, b, doubtful, caught, missed}, {{"f", "context parallelism"}});
  CHECK(score.steps.rows == 6);
  CHECK(score.steps.all.rows == 2);
  CHECK(score.steps.all.mape == Approx(0.15));
  CHECK(score.steps.all.bias == Approx(-0.05));
  CHECK(score.steps.all.interval_coverage == Approx(0.5));
  CHECK(score.low_trust.rows == 1);
  CHECK(score.low_trust.bias == Approx(9));
  CHECK(score.inferred.rows == 1);
  CHECK(score.steps.by.at("nodes").at("2").rows == 2);
  CHECK(score.steps.by.at("tensor parallel").at("across nodes").rows == 2);
  CHECK(score.steps.by.at("setting").at("partly inferred").bias == Approx(-0.2));
  CHECK(*score.steps.memory_mape == Approx(0.175));
  CHECK(score.memory.bias == Approx(-0.075));
  CHECK(score.noted_reserved.rows == 1);
  CHECK(score.noted_reserved.bias == Approx(0.1));
  CHECK(score.memory_by.at("memory kind").at("allocated").mape == Approx(0.25));
  // Right: a ran and fits, d did not fit and was said not to. Wrong: b and e.
  CHECK(score.verdicts.ran_fits == 1);
  CHECK(score.verdicts.ran_unfit == 1);
  CHECK(score.verdicts.oom_fits == 1);
  CHECK(score.verdicts.oom_unfit == 1);
  CHECK(*score.steps.oom_accuracy == Approx(0.5));
  // Equal times: nothing to choose and no pair to order.
  CHECK(*score.steps.plan_regret == 0);
  CHECK(score.choice.at("H100, several nodes").pairs == 0);
  CHECK(score.worst == std::vector<std::string>{"b", "a"});
}

TEST_CASE("a score without rows has no figures") {
  const Score score = make_score({}, {{"f", "context parallelism"}});
  CHECK(score.steps.rows == 1);
  CHECK_FALSE(score.steps.memory_mape);
  CHECK_FALSE(score.steps.oom_accuracy);
  CHECK_FALSE(score.steps.plan_regret);
}

}  // namespace
}  // namespace sim::training
