#include "strategies/autoshard/stage_cuts.hpp"

#include <random>
#include <vector>

#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

using base::Seconds;

/// Every way to cut.
std::optional<Seconds> cut_by_trying_all(const CutProblem& problem) {
  std::optional<Seconds> best;
  for (unsigned cuts = 0; cuts < (1U << (problem.layers - 1)); ++cuts) {
    std::vector<int> firsts{0};
    for (int layer = 1; layer < problem.layers; ++layer)
      if ((cuts >> (layer - 1)) & 1U) firsts.push_back(layer);
    if (static_cast<int>(firsts.size()) != problem.stages) continue;
    std::vector<StageTime> times;
    for (int s = 0; s < problem.stages; ++s) {
      const int last =
          s + 1 < problem.stages ? firsts[static_cast<std::size_t>(s) + 1] : problem.layers;
      const auto time = problem.stage_time({s, firsts[static_cast<std::size_t>(s)], last,
                                            std::min(problem.stages - s, problem.micro_batches)});
      if (time) times.push_back(*time);
    }
    if (static_cast<int>(times.size()) != problem.stages) continue;
    const Seconds step = step_time(times, problem.micro_batches);
    if (!best || step < *best) best = step;
  }
  return best;
}

TEST_CASE("cuts are as good as the best of all") {
  std::mt19937 random(3);
  int none = 0;
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    CutProblem problem{.layers = 2 + i % 7, .stages = 1 + i % 4, .micro_batches = 1 + i % 5};
    // A stage takes the sum of its layers, and fits if that is not too much.
    std::vector<double> layers;
    for (int layer = 0; layer < problem.layers; ++layer)
      layers.push_back(static_cast<double>(random() % 15));
    std::vector<double> once;
    for (int stage = 0; stage < problem.stages; ++stage)
      once.push_back(static_cast<double>(random() % 40));
    const double room = 10 + static_cast<double>(random() % 80);
    problem.stage_time = [&](const StageRange& range) -> std::optional<StageTime> {
      double time = 5;
      for (int layer = range.first; layer < range.last; ++layer)
        time += layers[static_cast<std::size_t>(layer)];
      if (time * range.in_flight > room) return std::nullopt;
      return StageTime{Seconds::from_ms(time),
                       Seconds::from_ms(once[static_cast<std::size_t>(range.stage)])};
    };
    const std::optional<StageCuts> got = cut_stages(problem);
    const std::optional<Seconds> want = cut_by_trying_all(problem);
    REQUIRE(got.has_value() == want.has_value());
    none += !want;
    if (!want) continue;
    CHECK(got->step.ms() == Approx(want->ms()));
    CHECK(static_cast<int>(got->first_layers.size()) == problem.stages);
  }
  CHECK(none > 20);
  CHECK(none < 200);
}

TEST_CASE("equal stages have the bubble of 1F1B") {
  // 8 layers of 3 ms in 4 stages of 6 ms; 16 micro-batches: (16 + 3) * 6 ms = 114 ms.
  const auto cuts =
      cut_stages({8, 4, 16, [](const StageRange& range) {
                    return StageTime{Seconds::from_ms(3 * (range.last - range.first)), {}};
                  }});
  REQUIRE(cuts);
  CHECK(cuts->step.ms() == Approx(114));
  CHECK(cuts->first_layers == std::vector{0, 2, 4, 6});
}

TEST_CASE("what a stage does once counts where it is slowest") {
  // A layer takes 1 ms a micro-batch; the first stage has 5 ms more to do at the end. With three
  // micro-batches, 4 + 4 layers take 8 + max(2 * 4 + 5, 2 * 4) = 21 ms, 3 + 5 take 8 + max(11, 10)
  // = 19 ms, and 2 + 6 take 8 + max(9, 12) = 20 ms.
  const auto cuts = cut_stages({8, 2, 3, [](const StageRange& range) {
                                  return StageTime{Seconds::from_ms(range.last - range.first),
                                                   Seconds::from_ms(range.stage == 0 ? 5 : 0)};
                                }});
  REQUIRE(cuts);
  CHECK(cuts->step.ms() == Approx(19));
  CHECK(cuts->first_layers == std::vector{0, 3});
}

TEST_CASE("a stage with more micro-batches in flight gets fewer layers") {
  // A layer keeps 1 a micro-batch; a stage has room for 6. The first of two stages has 2 in flight,
  // so at most 3 of 8 layers; the last at most 6: 2 + 6 and 3 + 5 fit, and the latter is better.
  const auto cuts = cut_stages({8, 2, 4, [](const StageRange& range) -> std::optional<StageTime> {
                                  const int layers = range.last - range.first;
                                  if (layers * range.in_flight > 6) return std::nullopt;
                                  return StageTime{Seconds::from_ms(layers), {}};
                                }});
  REQUIRE(cuts);
  CHECK(cuts->first_layers == std::vector{0, 3});
}

}  // namespace
}  // namespace strategies::autoshard
