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
      for (const Axis a :
           {Axis::tensor, Axis::context, Axis::data_shard, Axis::data_replicate, Axis::pipeline})
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
