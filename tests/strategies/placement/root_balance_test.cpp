#include "strategies/placement/root_balance.hpp"

#include <cmath>

#include "strategies/placement/gather_alignment.hpp"
#include "strategies/placement/redistribution.hpp"
#include "strategies/placement/stage_inputs.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

TEST_CASE("matrices go to the root with least to do, heaviest first") {
  // 9 | 7 | 6, 5 to the 6 (11), 5 to the 7 (12), 4 to the 9 (13), 3 to the 11 (14).
  const RootBalance balance = balance_roots({9, 7, 6, 5, 5, 4, 3}, 3);
  CHECK(balance.loads == std::vector<double>{13, 12, 14});
  CHECK(balance.roots == std::vector{0, 1, 2, 2, 1, 0, 2});
  CHECK(balance.max_load == 14);
  CHECK(balance.lower_bound == 13);  // 39 / 3; and 9 + 4, 7 + 6, 5 + 5 + 3 are that
  CHECK(balance.guarantee == Approx(4.0 / 3 - 1.0 / 9));
}

/// The least largest load over all assignments.
double optimum(const std::vector<double>& weights, int roots) {
  double best = std::accumulate(weights.begin(), weights.end(), 0.0);
  const auto assignments =
      static_cast<int>(std::pow(roots, static_cast<double>(weights.size())) + 0.5);
  for (int code = 0; code < assignments; ++code) {
    std::vector<double> loads(static_cast<std::size_t>(roots), 0);
    int rest = code;
    for (const double weight : weights) {
      loads[static_cast<std::size_t>(rest % roots)] += weight;
      rest /= roots;
    }
    best = std::min(best, *std::max_element(loads.begin(), loads.end()));
  }
  return best;
}

TEST_CASE("the largest load is within its guarantee of the optimum") {
  Dice dice(13);
  int optimal = 0;
  for (int i = 0; i < 300; ++i) {
    std::vector<double> weights(static_cast<std::size_t>(1 + dice(7)));
    for (double& weight : weights) weight = 1 + dice(20);
    const int roots = 1 + dice(4);
    const RootBalance balance = balance_roots(weights, roots);
    const double best = optimum(weights, roots);
    REQUIRE(balance.lower_bound <= best + 1e-9);
    REQUIRE(balance.max_load >= best);
    REQUIRE(balance.max_load <= balance.guarantee * best + 1e-9);
    for (int root = 0; root < roots; ++root) {
      double load = 0;
      for (std::size_t m = 0; m < weights.size(); ++m)
        if (balance.roots[m] == root) load += weights[m];
      REQUIRE(load == balance.loads[static_cast<std::size_t>(root)]);
    }
    if (balance.max_load == best) ++optimal;
  }
  CHECK(optimal > 200);
}

TEST_CASE("the guarantee is reached") {
  // Graham's worst case for 2 roots: 3,3,2,2,2 gives 7 against 6: 7/6 = 4/3 - 1/6.
  const RootBalance balance = balance_roots({3, 3, 2, 2, 2}, 2);
  CHECK(balance.max_load == 7);
  CHECK(optimum({3, 3, 2, 2, 2}, 2) == 6);
  CHECK(balance.guarantee * 6 == Approx(7));
}

TEST_CASE("the work of a Newton-Schulz orthogonalisation") {
  // One step on 2 x 3: X X^T 2*3*4 = 24, A A 2*8 = 16, B X 24.
  CHECK(newton_schulz_flop(2, 3, 1).count() == 64);
  CHECK(newton_schulz_flop(3, 2, 1).count() == 64);
  CHECK(newton_schulz_flop(2, 3).count() == 5 * 64);
}

TEST_CASE("gathering matrices to their roots and back moves all but what is there") {
  // Two matrices of 4 x 6 on 3 ranks, cut as 8 elements each; roots 0 and 1.
  const RootBalance balance = balance_roots({1, 1}, 3);
  const Layout cut = layout("Ragged(0,1; 1,1,1)");
  for (std::size_t matrix = 0; matrix < 2; ++matrix) {
    RaggedShard root{{}, {0, 0, 0}};
    root.units[static_cast<std::size_t>(balance.roots[matrix])] = 1;
    const Redistribution there = *redistribute(cut, {{root}, {}}, {4, 6}, Mesh({3}));
    const Redistribution back = *redistribute({{root}, {}}, cut, {4, 6}, Mesh({3}));
    CHECK(there.traffic() == 16);
    CHECK(there.steps.at(0).op == base::Collective::gather);
    CHECK(back.traffic() == 16);
    CHECK(back.steps.at(0).op == base::Collective::scatter);
  }
}

TEST_CASE("where gathered pieces are misaligned") {
  const auto aligned = [](std::string_view text, int bits) {
    return gather_alignment(pieces_of(text, {32, 128}, Mesh({8})), bits);
  };
  // bf16: 455 * 2 = 910, 1455 * 2, 3455 * 2.
  const GatherAlignment r04 = aligned("Ragged(0,1; 455,1000,2000,641,0,0,0,0)", 16);
  CHECK(r04.offsets == std::vector<std::int64_t>{0, 910, 2910, 6910, 8192, 8192, 8192, 8192});
  CHECK(r04.remainders == std::vector<std::int64_t>{0, 14, 14, 14, 0, 0, 0, 0});
  CHECK(r04.misaligned == 3);
  CHECK(aligned("Ragged(0; 0,1,5,2,0,0,0,0)", 16).misaligned == 0);
  CHECK(aligned("Ragged(0,1; 0,1,5,2,0,0,0,0)", 16).misaligned == 0);
  // 4-bit elements: 455 are 227.5 bytes.
  CHECK(aligned("Ragged(0,1; 455,1000,2000,641,0,0,0,0)", 4).offsets[1] == 227);
}

TEST_CASE("a pipeline stage takes its inputs by sender and output") {
  // Received in this order: output 0 of stage 0 (a), output 2 of stage 0 (c), output 0 of stage 1
  // (b); local d is the fourth.
  const std::vector<std::optional<StageOutput>> arguments{StageOutput{0, 2}, StageOutput{1, 0},
                                                          std::nullopt, StageOutput{0, 0}};
  CHECK(*route_stage_inputs(arguments, 3, 1) == std::vector{1, 2, 3, 0});  // c, b, d, a
  CHECK(*route_stage_inputs({StageOutput{0, 1}, StageOutput{0, 1}}, 1, 0) == std::vector{0, 0});
  CHECK(route_stage_inputs(arguments, 2, 1, {"s.yaml", 1, 1}).error()[0].format() ==
        "s.yaml:1:1: error: the arguments take 3 received and 1 local tensors, there are 2 and 1 "
        "(every tensor sent to a stage is an argument of it)");
}

}  // namespace
}  // namespace strategies::placement
