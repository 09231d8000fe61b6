#include "strategies/autoshard/difference.hpp"

#include <map>

#include "tests/strategies/autoshard/random_problem.hpp"
#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

TEST_CASE("what nodes cost sums to the objective, and changes to the difference") {
  std::mt19937 random(21);
  std::map<Verdict, int> verdicts;
  for (int i = 0; i < 900; ++i) {
    CAPTURE(i);
    Problem problem = random_problem(random, {.nodes = 3 + i % 6});
    for (LayoutGraph& graph : problem.layout_graphs)
      for (std::size_t l = 0; l < graph.layouts.size(); ++l)
        graph.layouts[l].placements = {placement::Shard{static_cast<int>(l)}};
    const Pricing pricing(problem);
    const auto solution = solve(pricing, {});
    if (!solution) continue;
    base::Seconds sum;
    for (const NodeCost& cost : node_costs(pricing, solution->choices)) sum += cost.total();
    CHECK(sum.us() == Approx(solution->time.us()).margin(1e-9));

    Constraint target{"target",
                      problem.tensors[random() % problem.tensors.size()].name,
                      false,
                      {{{placement::Shard{static_cast<int>(random() % 4)}}, {}}},
                      {}};
    const auto answer = explain(pricing, {}, *solution, target);
    REQUIRE(answer);
    ++verdicts[answer->verdict];
    if (answer->verdict != Verdict::dearer && answer->verdict != Verdict::tie) continue;
    base::Seconds change;
    for (const NodeChange& one : answer->changes)
      change += one.cost_after.total() - one.cost_before.total();
    CHECK(change.us() == Approx((answer->best.time - solution->time).us()).margin(1e-6));
    CHECK(answer->alone.us() >= answer->best.time.us() - 1e-6);
    // The other way round it is cheaper.
    Constraint back{"back", "*", true, {}, {}};
    back.tensors = target.tensors;
    back.forbids = true;
    back.layouts = target.layouts;
    const auto reverse = explain(pricing, {}, answer->best, back);
    REQUIRE(reverse);
    CHECK(reverse->verdict == (answer->verdict == Verdict::tie ? Verdict::tie : Verdict::cheaper));
  }
  CHECK(verdicts[Verdict::chosen] > 10);
  CHECK(verdicts[Verdict::dearer] > 10);
  CHECK(verdicts[Verdict::tie] > 0);
  CHECK(verdicts[Verdict::unavailable] > 10);
  CHECK(verdicts[Verdict::conflict] > 3);
}

}  // namespace
}  // namespace strategies::autoshard
