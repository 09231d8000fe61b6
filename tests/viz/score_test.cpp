#include "viz/score.hpp"

#include "tests/support/golden.hpp"

namespace viz {
namespace {

base::Score sample() {
  // One row 10 % above the measurement, one 20 % below, one that cannot be priced.
  std::vector<base::ScoredRow> rows{{"a", 1e-3, 1.1e-3, 0, 0, {{"gpu", "H100-SXM5-80GB"}}},
                                    {"b", 1e-3, 0.8e-3, 0, 0, {{"gpu", "V100"}}}};
  for (base::ScoredRow& row : rows) {
    row.p10 = row.predicted * 0.875;
    row.p90 = row.predicted * 1.125;
  }
  base::Score score = base::make_score(rows, {{"c", "no time"}});
  score.table = "kernels.csv";
  return score;
}

TEST_CASE("a score as JSON has the keys of the contract") {
  check_golden("score.json", score_json(sample()));
}

TEST_CASE("a score as text") { check_golden("score.txt", score_text(sample())); }

TEST_CASE("a score of no rows has no figures, not zeros") {
  base::Score empty = base::make_score({}, {});
  CHECK(score_json(empty).find("\"mape\": null") != std::string::npos);
}

}  // namespace
}  // namespace viz
