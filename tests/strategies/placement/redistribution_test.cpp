#include "strategies/placement/redistribution.hpp"

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

using Counts = std::vector<std::int64_t>;
using Messages = std::vector<Message>;

Redistribution way(std::string_view from, std::string_view to, const Shape& shape,
                   std::vector<int> mesh) {
  base::Result<Redistribution> way =
      redistribute(layout(from), layout(to), shape, Mesh(std::move(mesh)));
  if (!way) FAIL(way.error().front().format());
  return *way;
}

/// The only step of a redistribution.
RedistributionStep step(std::string_view from, std::string_view to, const Shape& shape,
                        std::vector<int> mesh) {
  const Redistribution all = way(from, to, shape, std::move(mesh));
  REQUIRE(all.steps.size() == 1);
  return all.steps.front();
}

constexpr const char* r01 = "Ragged(0; 0,1,5,2,0,0,0,0)";  // of (32,128): 0,512,2560,1024,0,...
constexpr const char* r04 = "Ragged(0,1; 455,1000,2000,641,0,0,0,0)";
constexpr const char* even = "Ragged(0; 1,1,1,1,1,1,1,1)";  // 512 each

TEST_CASE("ragged to ragged sends what the intervals have in common") {
  const RedistributionStep x01 = step(r01, even, {32, 128}, {8});
  CHECK(x01.messages == Messages{{1, 0, 512},
                                 {2, 1, 512},
                                 {2, 3, 512},
                                 {2, 4, 512},
                                 {2, 5, 512},
                                 {3, 6, 512},
                                 {3, 7, 512}});
  CHECK(x01.kept == Counts{0, 0, 512, 0, 0, 0, 0, 0});
  CHECK(x01.traffic() == 3584);
  CHECK(x01.max_sent() == 2048);
  CHECK(x01.max_received() == 512);
  CHECK(x01.describe() == "all_to_all_v over mesh dim 0");

  // Rows of the matrix sum to 455, 1000, 2000, 641; columns to 512.
  const RedistributionStep x03 = step(r04, even, {32, 128}, {8});
  CHECK(x03.messages == Messages{{1, 0, 57},
                                 {1, 2, 431},
                                 {2, 3, 512},
                                 {2, 4, 512},
                                 {2, 5, 512},
                                 {2, 6, 383},
                                 {3, 6, 129},
                                 {3, 7, 512}});
  CHECK(x03.kept == Counts{455, 512, 81, 0, 0, 0, 0, 0});
  CHECK(x03.traffic() == 57 + 431 + 3 * 512 + 383 + 129 + 512);
  CHECK(x03.max_sent() == 1919);  // 3 * 512 + 383
  CHECK(x03.max_received() == 512);
}

TEST_CASE("ragged to ragged: further layouts") {
  struct Row {
    Shape shape;
    const char* from;
    const char* to;
    Messages messages;
    std::int64_t traffic;
    std::int64_t max_sent;
    std::int64_t max_received;
    const char* name;
  };
  constexpr const char* r08 = "Ragged(0,1; 1,1,1,1)";
  constexpr const char* r09 = "Ragged(0,1; 21,21,22,0)";
  constexpr const char* r11 = "Ragged(0,1; 3,7,4,1)";
  constexpr const char* r13 = "Ragged(0,1,2,3; 17,13,31,2)";
  const std::vector<Row> rows{
      {{32, 128},
       r01,
       "Ragged(0; 0,1,0,0,0,0,0,0)",
       {{2, 1, 2560}, {3, 1, 1024}},
       3584,
       2560,
       3584,
       "gather_v"},
      {{2, 64},
       r08,
       "Ragged(; 0,0,0,1)",
       {{0, 3, 32}, {1, 3, 32}, {2, 3, 32}},
       96,
       32,
       96,
       "gather"},
      {{2, 64},
       "Ragged(0; 1,1,0,0)",
       r08,
       {{0, 1, 32}, {1, 2, 32}, {1, 3, 32}},
       96,
       64,
       32,
       "all_to_all_v"},
      {{2, 64}, "Ragged(; 0,1,0,0)", r09, {{1, 0, 42}, {1, 2, 44}}, 86, 86, 44, "scatter_v"},
      {{2, 64}, r08, r09, {{1, 0, 10}, {2, 1, 20}, {3, 2, 32}}, 62, 32, 32, "all_to_all_v"},
      {{5, 3, 6, 7},
       r11,
       "Ragged(0,1,2; 43,23,7,17)",
       {{1, 0, 175}, {2, 1, 42}, {2, 3, 77}},
       294,
       175,
       175,
       "all_to_all_v"},
      {{5, 3, 6, 7},
       "Ragged(0,1; 5,3,7,0)",
       r13,
       {{0, 1, 40}, {1, 2, 36}, {2, 3, 20}},
       96,
       40,
       40,
       "all_to_all_v"},
      {{5, 3, 6, 7},
       r11,
       r13,
       {{1, 0, 44}, {1, 2, 120}, {3, 2, 22}},
       186,
       164,
       142,
       "all_to_all_v"},
      {{100, 256},
       "Ragged(0; 1,2,1,1)",
       "Ragged(0; 1,1,1,1)",
       {{1, 0, 1280}, {1, 2, 2560}, {2, 3, 1280}},
       5120,
       3840,
       2560,
       "all_to_all_v"},
  };
  for (const Row& row : rows) {
    INFO(row.from << " to " << row.to);
    const Mesh mesh({row.shape == Shape{32, 128} ? 8 : 4});
    const RedistributionStep s = step(row.from, row.to, row.shape, {mesh.size()});
    CHECK(s.messages == row.messages);
    CHECK(s.traffic() == row.traffic);
    CHECK(s.max_sent() == row.max_sent);
    CHECK(s.max_received() == row.max_received);
    CHECK(s.describe() == std::string(row.name) + " over mesh dim 0");
  }
}

TEST_CASE("what costs nothing") {
  CHECK(way("Ragged(0; 1,2,1,1)", "Ragged(0; 2,4,2,2)", {100, 256}, {4}).steps.empty());
  CHECK(way("R", r01, {32, 128}, {8}).steps.empty());
  CHECK(way("R", "P(sum)", {32, 128}, {8}).steps.empty());
  CHECK(way("S(0)", "P(sum)", {32, 128}, {8}).steps.empty());  // padded with zeros
  CHECK(way("S(0)", even, {32, 128}, {8}).steps.empty());
  CHECK(way("Strided(0; 4), S(0)", "S(0)[1], S(0)[0]", {64}, {2, 4}).steps.empty());
}

TEST_CASE("gathers and reductions of ragged tensors") {
  const RedistributionStep gather = step(r01, "R", {32, 128}, {8});
  // Rank r receives 4096 - n_r.
  CHECK(gather.received(8) == Counts{4096, 3584, 1536, 3072, 4096, 4096, 4096, 4096});
  CHECK(gather.traffic() == 7 * 4096);
  CHECK(gather.describe() == "all_gather_v over mesh dim 0");

  const RedistributionStep scatter = step("P(sum)", r01, {32, 128}, {8});
  // Seven contributions to each of its n_r elements; an all-reduce and a slice move 2 * 7 * 4096.
  CHECK(scatter.received(8) == Counts{0, 7 * 512, 7 * 2560, 7 * 1024, 0, 0, 0, 0});
  CHECK(scatter.traffic() == 28672);
  CHECK(scatter.describe() == "reduce_scatter_v over mesh dim 0");

  CHECK(step("P(sum)", "Ragged(; 0,0,1,0)", {6, 5}, {4}).describe() == "reduce over mesh dim 0");
  CHECK(step("Ragged(; 0,0,1,0)", "R", {6, 5}, {4}).describe() == "broadcast over mesh dim 0");

  // An all-reduce: 7 * 4096 to reduce, 7 * 4096 to gather.
  const Redistribution both = way("P(sum)", "R", {32, 128}, {8});
  REQUIRE(both.steps.size() == 2);
  CHECK(both.steps[0].describe() == "reduce_scatter over mesh dim 0");
  CHECK(both.steps[1].describe() == "all_gather over mesh dim 0");
  CHECK(both.traffic() == 2 * 7 * 4096);
}

TEST_CASE("shards of one tensor dim over two mesh dims move in one collective") {
  CHECK(step("S(0), S(0)", "R, R", {64}, {2, 4}).describe() == "all_gather over mesh dims 0, 1");
  CHECK(step("P, P", "S(0), S(0)", {64}, {2, 4}).describe() ==
        "reduce_scatter over mesh dims 0, 1");
  // With the inner mesh dim cutting first, gathering the outer one moves nothing else.
  CHECK(step("S(0)[1], S(0)[0]", "R, S(0)", {64}, {2, 4}).describe() ==
        "all_gather over mesh dim 0");
  // In the order in which they stand, pieces have to be sorted between columns too.
  CHECK(step("S(0), S(0)", "R, S(0)", {64}, {2, 4}).describe() ==
        "all_to_all_v over mesh dims 0, 1");
}

TEST_CASE("copies are fetched from the nearest holder") {
  // Mesh (2,2): columns have copies of the rows' halves; each gathers in its own column.
  const RedistributionStep s = step("S(0), R", "R, R", {4}, {2, 2});
  CHECK(s.messages == Messages{{0, 2, 2}, {1, 3, 2}, {2, 0, 2}, {3, 1, 2}});
  CHECK(s.describe() == "all_gather over mesh dim 0");
}

TEST_CASE("a mistake at either end is reported") {
  const base::Result<Redistribution> bad =
      redistribute(layout("S(3)"), layout("Ragged(0; 1)"), {4, 4}, Mesh({2}), {"s.yaml", 1, 1});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().size() == 2);
}

TEST_CASE("large tensors need no more work than small ones") {
  // 2^40 elements, columns of 64 ranks to rows of them: each pair exchanges 2^40 / 64^2.
  const RedistributionStep s = step("S(1)", "S(0)", {1 << 20, 1 << 20}, {64});
  CHECK(s.messages.size() == 64 * 63);
  CHECK(s.messages.front().elements == std::int64_t{1} << 28);
  CHECK(s.describe() == "all_to_all over mesh dim 0");
}

// --- against enumeration, and against DTensor's way --------------------------------------------

std::int64_t common(const Elements& a, const Elements& b) {
  const std::set<std::int64_t> held(a.begin(), a.end());
  return std::count_if(b.begin(), b.end(), [&](std::int64_t e) { return held.contains(e); });
}

/// Messages without any reduction, by the rule of the header: each element that a rank lacks, from
/// the holder with the same coordinate wherever the source is replicated.
Messages naive_messages(const Layout& from, const Layout& to, const Shape& shape,
                        const Mesh& mesh) {
  Messages messages;
  for (int i = 0; i < mesh.size(); ++i)
    for (int j = 0; j < mesh.size(); ++j) {
      bool nearest = i != j;
      for (int d = 0; d < mesh.dims(); ++d)
        if (is_replicate(from.placements[static_cast<std::size_t>(d)]))
          nearest = nearest && mesh.coordinate(i, d) == mesh.coordinate(j, d);
      if (!nearest) continue;
      const std::int64_t elements =
          common(enumerate(from, shape, mesh, i), enumerate(to, shape, mesh, j));
      if (elements > 0) messages.push_back({i, j, elements});
    }
  return messages;
}

TEST_CASE("messages are those of element by element enumeration") {
  Dice dice(3);
  int moved = 0;
  for (int i = 0; i < 1500; ++i) {
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    const Layout from = random_layout(dice, shape, mesh, false);
    const Layout to = random_layout(dice, shape, mesh, false);
    INFO(format(from) << " to " << format(to) << " of " << Catch::Detail::stringify(shape));
    const base::Result<Redistribution> got = redistribute(from, to, shape, mesh);
    REQUIRE(got);
    const Messages want = naive_messages(from, to, shape, mesh);
    REQUIRE(got->steps.size() == (want.empty() ? 0 : 1));
    if (want.empty()) continue;
    ++moved;
    const RedistributionStep& s = got->steps.front();
    REQUIRE(s.messages == want);
    // What a rank has afterwards is what it kept and what came; all that it lacked and no more.
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const Elements own = enumerate(to, shape, mesh, rank);
      const auto r = static_cast<std::size_t>(rank);
      REQUIRE(s.kept[r] == common(enumerate(from, shape, mesh, rank), own));
      REQUIRE(s.kept[r] + s.received(mesh.size())[r] == static_cast<std::int64_t>(own.size()));
    }
  }
  CHECK(moved > 1000);
}

/// Elements received in DTensor's way: one mesh dim after the other; a shard or RaggedShard that
/// changes is gathered along its mesh dim and cut again (ragged to ragged, and shard to shard, are
/// exchanged), a pending reduction is all-reduced unless it ends in a Shard. Nothing where a layout
/// on the way cannot be, or does not follow by one collective along the mesh dim.
std::optional<std::int64_t> dtensor_traffic(const Layout& from, const Layout& to,
                                            const Shape& shape, const Mesh& mesh) {
  std::int64_t traffic = 0;
  Layout now = from;
  const auto count = [&](const Layout& l, int rank) {
    return static_cast<std::int64_t>(enumerate(l, shape, mesh, rank).size());
  };
  for (int d = 0; d < mesh.dims(); ++d) {
    const auto at = static_cast<std::size_t>(d);
    const Placement target = to.placements[at];
    if (now.placements[at] == target) continue;
    Layout next = now;
    next.placements[at] = target;
    Layout gathered = now;
    gathered.placements[at] = Replicate{};
    if (!check_layout(next, shape, mesh).empty() || !check_layout(gathered, shape, mesh).empty())
      return std::nullopt;
    const bool reduces = pending(now.placements[at]).has_value();
    const bool cut = !reduces && !is_replicate(now.placements[at]);
    const bool exchanges =
        cut && !is_replicate(target) && is_ragged(now.placements[at]) == is_ragged(target);
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const Elements mine = enumerate(next, shape, mesh, rank);
      const std::int64_t ranks = mesh.extent(d);
      // Shards of one dim over several mesh dims: not every change is one collective of its group.
      const Elements whole = enumerate(gathered, shape, mesh, rank);
      if (!exchanges && (common(whole, mine) != count(next, rank) ||
                         common(whole, enumerate(now, shape, mesh, rank)) != count(now, rank)))
        return std::nullopt;
      if (reduces)  // (n - 1) / n of the tensor twice for an all-reduce, per rank
        traffic += sharded_dim(target) ? count(next, rank) * (ranks - 1) : 0;
      else if (is_replicate(now.placements[at]) || exchanges)
        traffic += static_cast<std::int64_t>(mine.size()) -
                   common(enumerate(now, shape, mesh, rank), mine);
      else
        traffic += count(gathered, rank) - count(now, rank);
    }
    if (reduces && !sharded_dim(target))
      for (int rank = 0; rank < mesh.size(); ++rank)
        if (mesh.coordinate(rank, d) == 0) traffic += 2 * (mesh.extent(d) - 1) * count(now, rank);
    now = next;
  }
  return traffic;
}

TEST_CASE("no redistribution moves more than DTensor's way") {
  Dice dice(4);
  int compared = 0;
  int better = 0;
  int reductions = 0;
  for (int i = 0; i < 4000; ++i) {
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    const Layout from = random_layout(dice, shape, mesh, true);
    Layout to = random_layout(dice, shape, mesh, false);
    to.order = from.order;
    if (!check_layout(to, shape, mesh).empty()) continue;
    INFO(format(from) << " to " << format(to) << " of " << Catch::Detail::stringify(shape));
    const base::Result<Redistribution> got = redistribute(from, to, shape, mesh);
    REQUIRE(got);
    const std::optional<std::int64_t> theirs = dtensor_traffic(from, to, shape, mesh);
    if (!theirs) continue;
    ++compared;
    REQUIRE(got->traffic() <= *theirs);
    if (got->traffic() < *theirs) ++better;
    for (const RedistributionStep& s : got->steps)
      if (s.reduces) ++reductions;
  }
  CHECK(compared > 1000);
  CHECK(better > 100);
  CHECK(reductions > 100);
}

TEST_CASE("after a reduction every rank has all it wants") {
  Dice dice(5);
  for (int i = 0; i < 1500; ++i) {
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    const Layout from = random_layout(dice, shape, mesh, true);
    const Layout to = random_layout(dice, shape, mesh, false);
    INFO(format(from) << " to " << format(to) << " of " << Catch::Detail::stringify(shape));
    const base::Result<Redistribution> got = redistribute(from, to, shape, mesh);
    REQUIRE(got);
    if (got->steps.empty()) continue;
    const RedistributionStep& last = got->steps.back();
    std::int64_t contributors = 1;
    if (last.reduces)
      for (int d = 0; d < mesh.dims(); ++d)
        if (pending(from.placements[static_cast<std::size_t>(d)])) contributors *= mesh.extent(d);
    if (last.reduces && got->steps.size() > 1) continue;  // reduces mesh dims one at a time
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const auto r = static_cast<std::size_t>(rank);
      REQUIRE(last.kept[r] + last.received(mesh.size())[r] ==
              contributors * static_cast<std::int64_t>(enumerate(to, shape, mesh, rank).size()));
    }
  }
}

}  // namespace
}  // namespace strategies::placement
