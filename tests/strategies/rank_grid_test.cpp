#include "strategies/rank_grid.hpp"

#include <set>

#include "tests/support/catch.hpp"

namespace strategies {
namespace {

// tp 2, dp_shard 3, pp 2, order tp-dp-pp: rank = tp + 2 dp + 6 pp.
RankGrid grid() { return {{2, 1, 3, 1, 2}, *parse_rank_order("tp-dp-pp", {})}; }

TEST_CASE("ranks and coordinates agree") {
  const RankGrid g = grid();
  CHECK(g.size() == 12);
  CHECK(g.coordinate(9, Axis::tensor) == 1);  // 9 = 1 + 2*1 + 6*1
  CHECK(g.coordinate(9, Axis::data_shard) == 1);
  CHECK(g.coordinate(9, Axis::pipeline) == 1);
  CHECK(g.moved(9, Axis::pipeline, 0) == 3);
  for (int rank = 0; rank < g.size(); ++rank) CHECK(g.rank(g.coordinates(rank)) == rank);
}

TEST_CASE("groups of a set of axes") {
  const RankGrid g = grid();
  CHECK(g.members(g.group_of(0, Axis::tensor), Axis::tensor) == std::vector{0, 1});
  CHECK(g.members(g.group_of(7, data_parallel), data_parallel) == std::vector{7, 9, 11});
  CHECK(g.members(g.group_of(5, Axis::pipeline), Axis::pipeline) == std::vector{5, 11});
  CHECK(g.members(0, Axis::tensor | Axis::pipeline) == std::vector{0, 1, 6, 7});
}

TEST_CASE("each rank is in exactly one group of each kind, at its index") {
  for (const char* order : {"tp-cp-dp-pp", "pp-dp-tp", "dp_replicate-tp-dp_shard-pp", "cp-pp"}) {
    const RankGrid g({2, 3, 2, 2, 3}, *parse_rank_order(order, {}));
    for (unsigned bits = 0; bits < 32; ++bits) {
      AxisSet axes;
      for (const Axis a : strategies::default_order)
        if ((bits >> static_cast<unsigned>(a)) & 1U) axes = axes | a;
      std::set<int> seen;
      for (int group = 0; group < g.group_count(axes); ++group) {
        const std::vector<int> members = g.members(group, axes);
        REQUIRE(static_cast<int>(members.size()) == g.extent(axes));
        REQUIRE(std::is_sorted(members.begin(), members.end()));
        for (std::size_t i = 0; i < members.size(); ++i) {
          REQUIRE(g.group_of(members[i], axes) == group);
          REQUIRE(g.index_in_group(members[i], axes) == static_cast<int>(i));
          REQUIRE(seen.insert(members[i]).second);
        }
      }
      CHECK(static_cast<int>(seen.size()) == g.size());
    }
  }
}

// ScaleTorch (README, process groups): view [DP, PP, CP, EP, TP], tp fastest, so that
// rank = (((dp PP + pp) CP + cp) EP + ep) TP + tp.
TEST_CASE("ScaleTorch's grid: experts are a factor of the world") {
  const AxisOrder order = *parse_rank_order("tp-ep-cp-pp-dp", {});
  const int tp = 2, ep = 3, cp = 2, pp = 2, dp = 2;
  const RankGrid g({tp, cp, dp, 1, pp, ep}, order, {.expert = ep});
  REQUIRE(g.size() == 48);
  for (int r = 0; r < g.size(); ++r) {
    CHECK(g.coordinate(r, Axis::tensor) == r % tp);
    CHECK(g.coordinate(r, Axis::expert) == r / tp % ep);
    CHECK(g.coordinate(r, Axis::context) == r / (tp * ep) % cp);
    CHECK(g.coordinate(r, Axis::pipeline) == r / (tp * ep * cp) % pp);
    CHECK(g.coordinate(r, Axis::data_shard) == r / (tp * ep * cp * pp));
    CHECK(g.rank(g.coordinates(r)) == r);
  }
  // cp_dp, over which gradients are summed, and pp_dp.
  CHECK(g.members(0, Axis::context | data_parallel) == std::vector{0, 6, 24, 30});
  CHECK(g.members(0, Axis::pipeline | data_parallel) == std::vector{0, 12, 24, 36});
  // Copies of an expert's parameters are the same ranks as those of the rest.
  CHECK(g.members(0, Axis::expert_shard) == g.members(0, Axis::context | data_parallel));
}

// Megatron's parallel folding (arXiv 2504.14960): 16 ranks of a stage are tp 2 x cp 2 x dp 4 for
// attention, and etp 1 x ep 8 x edp 2 for experts.
TEST_CASE("experts folded over tensor, context and data ranks") {
  const RankGrid g({2, 2, 4, 1, 2}, *parse_rank_order("tp-cp-dp-pp", {}),
                   {.expert = 8, .expert_tensor = 1});
  REQUIRE(g.size() == 32);
  CHECK(g.members(0, Axis::expert) == std::vector{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(g.members(0, Axis::expert_shard) == std::vector{0, 8});
  CHECK(g.members(g.group_of(21, Axis::expert), Axis::expert) ==
        std::vector{16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(g.extent(Axis::expert_tensor) == 1);
  CHECK(g.coordinate(13, Axis::expert) == 5);
  CHECK(g.coordinate(13, Axis::expert_shard) == 1);

  // With etp 2 the experts begin behind the tensor ranks; inside a node of 8 there are 4 of 8.
  const RankGrid node({2, 1, 16, 1, 1}, default_order,
                      {.expert = 8, .expert_tensor = 2, .expert_inner = 4});
  CHECK(node.members(0, Axis::expert_tensor) == std::vector{0, 1});
  CHECK(node.members(0, Axis::expert_inner) == std::vector{0, 2, 4, 6});
  CHECK(node.members(0, Axis::expert_outer) == std::vector{0, 8});
  CHECK(node.members(0, Axis::expert_shard) == std::vector{0, 16});
}

TEST_CASE("every view of the ranks puts each in one group of each kind") {
  const RankGrid g({2, 4, 6, 2, 2}, *parse_rank_order("tp-cp-dp-pp", {}),
                   {.ulysses = 2, .expert = 12, .expert_tensor = 2});
  for (int a = 0; a < axis_count; ++a)
    for (int b = a; b < axis_count; ++b) {
      const AxisSet axes = static_cast<Axis>(a) | static_cast<Axis>(b);
      std::set<int> seen;
      for (int group = 0; group < g.group_count(axes); ++group) {
        const std::vector<int> members = g.members(group, axes);
        REQUIRE(static_cast<int>(members.size()) == g.extent(axes));
        for (std::size_t i = 0; i < members.size(); ++i) {
          REQUIRE(g.group_of(members[i], axes) == group);
          REQUIRE(g.index_in_group(members[i], axes) == static_cast<int>(i));
          REQUIRE(seen.insert(members[i]).second);
        }
      }
      REQUIRE(static_cast<int>(seen.size()) == g.size());
    }
  CHECK(g.extent(Axis::expert_tensor | Axis::expert) * g.extent(Axis::expert_shard) *
            g.extent(Axis::expert_replicate) ==
        2 * 4 * 6 * 2);
}

TEST_CASE("views that cannot be laid over the ranks") {
  const AxisOrder order = default_order;
  CHECK(RankGrid::misfit({2, 1, 6}, order, {.expert = 4, .expert_tensor = 2}) ==
        "expert_parallel 4 x expert_tensor_parallel 2 cannot be laid over the 12 ranks of a stage");
  CHECK(RankGrid::misfit({2, 1, 4, 2}, order, {.expert = 16}) ==
        "expert_parallel 16 x expert_tensor_parallel 1 reach into the replicas of HSDP");
  CHECK(RankGrid::misfit({1, 6, 1}, order, {.ulysses = 4}) ==
        "context_parallel 6 cannot be divided by ulysses 4");
  CHECK(RankGrid::misfit({2, 1, 4, 2}, order, {.expert = 8}).empty());
  // 65,536 x 65,536 ranks are 2^32, not none.
  CHECK_FALSE(
      RankGrid::misfit({2, 1, 4}, order, {.expert = 65'536, .expert_tensor = 65'536}).empty());
}

TEST_CASE("rank order strings that cannot be") {
  const auto message = [](const char* text) {
    return parse_rank_order(text, {"s.yaml", 4, 9}).error()[0].format();
  };
  CHECK_THAT(message("tp-tp"),
             Catch::StartsWith("s.yaml:4:9: error: axis 'tp' stands twice in the rank order ("));
  CHECK_THAT(message("dp-dp_shard"), Catch::Contains("axis 'dp_shard' stands twice"));
  CHECK_THAT(message("tp-xp"), Catch::Contains("unknown axis 'xp'"));
  CHECK_THAT(message(""), Catch::Contains("unknown axis ''"));
}

}  // namespace
}  // namespace strategies
