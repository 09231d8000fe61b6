#include "strategies/autoshard/solve.hpp"

#include "strategies/autoshard/integer_programme.hpp"
#include "strategies/autoshard/minimise.hpp"
#include "strategies/autoshard/relinking.hpp"
#include "tests/strategies/autoshard/random_problem.hpp"
#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

TEST_CASE("the solver finds what trying everything finds") {
  std::mt19937 random(7);
  int feasible = 0;
  for (int i = 0; i < 600; ++i) {
    CAPTURE(i);
    const Problem problem = random_problem(random, {.nodes = 3 + i % 6});
    const auto want = solve_by_trying_all(problem, {});
    const auto got = solve(problem, {});
    REQUIRE(got.has_value() == want.has_value());
    if (!want) {
      CHECK(got.error().reason == NoSolution::Reason::choices);
      continue;
    }
    ++feasible;
    CHECK(got->time.us() == Approx(want->time.us()).margin(1e-6));
    CHECK(got->bound == got->time);
  }
  CHECK(feasible > 200);
}

TEST_CASE("within a memory range too") {
  std::mt19937 random(8);
  int feasible = 0;
  int proven = 0;
  for (int i = 0; i < 600; ++i) {
    CAPTURE(i);
    const Problem problem = random_problem(random, {.nodes = 3 + i % 6});
    const auto quickest = solve_by_trying_all(problem, {});
    if (!quickest) continue;
    SolveOptions options;
    const double span = 1 + static_cast<double>(random() % 8);
    if (i % 3 == 0)
      options.memory.low = quickest->memory_bytes + span;
    else
      options.memory.high = quickest->memory_bytes - span;
    if (i % 5 == 0) options.memory.low = std::max(0.0, options.memory.high - 2);
    const auto want = solve_by_trying_all(problem, options);
    const auto got = solve(problem, options);
    REQUIRE(got.has_value() == want.has_value());
    if (!want) continue;
    ++feasible;
    CHECK(got->time.us() == Approx(want->time.us()).margin(1e-6));
    CHECK(options.memory.contains(got->memory_bytes));
    CHECK(got->bound <= got->time);
    proven += got->bound == got->time;
  }
  CHECK(feasible > 60);
  CHECK(proven == feasible);
}

TEST_CASE("what is not quicker than asked is not looked for") {
  std::mt19937 random(10);
  int feasible = 0;
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const Problem problem = random_problem(random, {.nodes = 3 + i % 6});
    const auto quickest = solve_by_trying_all(problem, {});
    if (!quickest) continue;
    SolveOptions options;
    if (i % 2 == 0) options.memory.high = quickest->memory_bytes - 1;
    const auto want = solve_by_trying_all(problem, options);
    if (!want || want->time.us() <= 0) continue;
    ++feasible;
    options.quicker_than = want->time * 1.001;
    const auto found = solve(problem, options);
    REQUIRE(found);
    CHECK(found->time.us() == Approx(want->time.us()).margin(1e-6));
    CHECK(found->bound == found->time);
    options.quicker_than = want->time;
    const auto none = solve(problem, options);
    REQUIRE_FALSE(none);
    CHECK(none.error().reason == NoSolution::Reason::slower);
  }
  CHECK(feasible > 60);
}

TEST_CASE("dynamic programming, message passing and the integer programme agree") {
  std::mt19937 random(9);
  for (int i = 0; i < 100; ++i) {
    CAPTURE(i);
    const Problem problem = random_problem(random, {.nodes = 8, .layouts = 5, .choices = 5});
    const FactorGraph graph = Pricing(problem).times();
    const Minimum exact = minimise(graph);
    const Minimum bounded = minimise(graph, {.passes = 400, .work = 30});
    LinearRange anything;
    for (const std::vector<double>& costs : graph.costs)
      anything.weights.emplace_back(costs.size(), 0.0);
    const IntegerMinimum integer =
        minimise_integer(graph, anything, std::numeric_limits<double>::infinity(), 1000);
    REQUIRE(exact.choices.empty() == integer.choices.empty());
    if (exact.choices.empty()) continue;
    CHECK(exact.cost == Approx(exact.bound));
    CHECK(total_cost(graph, exact.choices) == Approx(exact.cost));
    CHECK(total_cost(graph, integer.choices) == Approx(exact.cost).margin(1e-4));
    CHECK(bounded.bound <= exact.cost + 1e-6);
    CHECK(bounded.cost >= exact.cost - 1e-6);
    // No choice costs less than its raise says.
    for (const Minimum& minimum : {exact, bounded})
      for (int v = 0; v < graph.variables(); ++v)
        for (std::size_t c = 0; c < graph.costs[static_cast<std::size_t>(v)].size(); ++c) {
          Domains domains = all_choices(graph);
          domains[static_cast<std::size_t>(v)] = {static_cast<int>(c)};
          const double with = minimise(restricted(graph, domains)).cost;
          CHECK(minimum.bound + minimum.raises[static_cast<std::size_t>(v)][c] <= with + 1e-6);
        }
  }
}

TEST_CASE("the integer programme within a range is what trying everything finds") {
  std::mt19937 random(10);
  int feasible = 0;
  int below = 0;
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    const Problem problem = random_problem(random, {.nodes = 3 + i % 5});
    const Pricing pricing(problem);
    const FactorGraph graph = pricing.times();
    LinearRange range{pricing.bytes(), 0, 0};
    SolveOptions options;
    range.high = static_cast<double>(4 + random() % 30);
    options.memory.high = range.high + problem.fixed_bytes;
    const auto want = solve_by_trying_all(problem, options);
    const double none = std::numeric_limits<double>::infinity();
    const IntegerMinimum got = minimise_integer(graph, range, none, 1000);
    REQUIRE(got.choices.empty() != want.has_value());
    if (!want) continue;
    ++feasible;
    CHECK(pricing.price(got.choices).time.us() == Approx(want->time.us()).margin(1e-4));
    CHECK(got.bound <= total_cost(graph, got.choices) + 1e-4);
    // What costs less than the least is not there.
    const double least = total_cost(graph, got.choices);
    if (least < 1) continue;
    ++below;
    const IntegerMinimum nothing = minimise_integer(graph, range, 0.9 * least, 1000);
    CHECK(nothing.choices.empty());
    CHECK(nothing.bound == Approx(0.9 * least));
  }
  CHECK(feasible > 40);
  CHECK(below > 30);
}

TEST_CASE("between two solutions, groups that are joined change together") {
  // Variables 0 and 1 are joined, 2 is alone. From choice 0 to 1 they save 5 + 5 - 2 = 8 for a
  // weight of 4, and 3 for a weight of 1: 3 for 1 comes first, then 8 for 4 where there is room.
  FactorGraph graph{{{5, 0}, {5, 0}, {3, 0}}, {{{0, 1}, {{0, 1}, {0, 1}}, {2, 2}, {0, 9, 9, 2}}}};
  const std::vector<std::vector<double>> weights{{0, 2}, {0, 2}, {0, 1}};
  const std::vector<int> within{0, 0, 0};
  const std::vector<int> beyond{1, 1, 1};
  CHECK(relinked(graph, weights, within, beyond, 0.5) == within);
  CHECK(relinked(graph, weights, within, beyond, 4) == std::vector{0, 0, 1});
  CHECK(relinked(graph, weights, within, beyond, 5) == beyond);
}

}  // namespace
}  // namespace strategies::autoshard
