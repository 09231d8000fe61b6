#include "base/score.hpp"

#include "tests/support/catch.hpp"

namespace base {
namespace {

ScoredRow row(const std::string& id, double measured, double predicted, const std::string& gpu) {
  ScoredRow scored{id, measured, predicted, 0, 0, {{"gpu", gpu}}};
  set_interval(scored, 0.1);
  return scored;
}

TEST_CASE("figures of five rows by hand") {
  // Errors +10 %, -10 %, +50 %, 0, -30 %: mean 4 %; absolute 0, 10, 10, 30, 50: mean 20 %, median
  // 10 %, p90 at position 3.6: 30 + 0.6 * 20 = 42 %. The interval of spread 0.1 is a factor
  // exp(0.128) = 1.137 either way: it holds the first, second and fourth.
  const Score score =
      make_score({row("a", 10, 11, "A"), row("b", 10, 9, "A"), row("c", 10, 15, "B"),
                  row("d", 10, 10, "B"), row("e", 10, 7, "B")},
                 {{"f", "no time"}});
  CHECK(score.rows == 6);
  CHECK(score.all.rows == 5);
  CHECK(score.all.bias == Approx(0.04));
  CHECK(score.all.mape == Approx(0.20));
  CHECK(score.all.median_ape == Approx(0.10));
  CHECK(score.all.p90_ape == Approx(0.42));
  CHECK(score.all.interval_coverage == Approx(0.6));
  CHECK(score.by.at("gpu").at("A").mape == Approx(0.10));
  CHECK(score.by.at("gpu").at("B").rows == 3);
}

TEST_CASE("a score of nothing has no figures") {
  const Score score = make_score({}, {});
  CHECK(score.all.rows == 0);
  CHECK(score.all.mape == 0);
}

}  // namespace
}  // namespace base
