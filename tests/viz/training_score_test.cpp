#include "viz/training_score.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/catch.hpp"

namespace viz {
namespace {

TEST_CASE("the parts of a scored step add up to its forecast, whatever it waits for") {
  sim::training::ForecastRow row;
  row.row.id = std::string("made-up");
  row.row.ran = true;
  row.row.step_s = 20;
  row.forecast.step_s = 10;
  row.forecast.breakdown.forward = base::Seconds::from_s(5);
  row.forecast.breakdown.context_exposed = base::Seconds::from_s(2);
  row.forecast.breakdown.expert_exposed = base::Seconds::from_s(3);
  const auto json =
      nlohmann::json::parse(training_score_json(sim::training::make_score({row}, {})));
  double sum = 0;
  for (const auto& part : json.at("results").at(0).at("breakdown")) sum += part.get<double>();
  CHECK(sum == Approx(10));
}

}  // namespace
}  // namespace viz
