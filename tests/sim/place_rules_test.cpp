// Rules of other systems on their own examples.

#include <numeric>

#include "sim/place/rules.hpp"
#include "tests/support/catch.hpp"

namespace sim::place {
namespace {

using Algorithm = KueueRequest::Algorithm;

RoomTree row(const std::vector<int>& rooms) {
  return room_tree({{static_cast<int>(rooms.size())}}, rooms);
}

/// "[[15, 13], [10]]": racks of nodes.
RoomTree racks(const std::vector<std::vector<int>>& rooms) {
  std::vector<std::vector<int>> sizes{{static_cast<int>(rooms.size())}, {}};
  std::vector<int> all;
  for (const std::vector<int>& rack : rooms) {
    sizes[1].push_back(static_cast<int>(rack.size()));
    all.insert(all.end(), rack.begin(), rack.end());
  }
  return room_tree(sizes, all);
}

TEST_CASE("Kueue's rules on the examples of KEP-2724") {
  using Places = std::vector<int>;
  CHECK(*kueue(row({3, 3, 2, 1}), {.count = 7}) == Places{3, 3, 0, 1});
  CHECK(*kueue(row({3, 3, 2, 1}), {.count = 7, .algorithm = Algorithm::least_free}) ==
        Places{3, 1, 2, 1});  // the last of the ascending 1, 2, 3, 3
  CHECK(*kueue(row({6, 5, 4, 3, 2}), {.count = 12, .slice = 2, .slice_level = 1}) ==
        Places{6, 0, 4, 0, 2});
  CHECK(*kueue(row({6, 5, 4, 3, 2}),
               {.count = 10, .slice = 2, .slice_level = 1, .algorithm = Algorithm::least_free}) ==
        Places{0, 2, 4, 2, 2});
  const auto balanced = [](const std::vector<std::vector<int>>& rooms, int count) {
    return *kueue(racks(rooms), {.count = count, .algorithm = Algorithm::balanced});
  };
  CHECK(balanced({{15}, {15}}, 25) == Places{13, 12});
  CHECK(balanced({{15, 13, 10}}, 23) == Places{12, 11, 0});
  CHECK(balanced({{20, 10}, {15, 15}}, 22) == Places{0, 0, 11, 11});
  CHECK(balanced({{20, 10}, {15, 15}}, 20) == Places{20, 0, 0, 0});
  CHECK(balanced({{10, 5}, {5, 5, 5}}, 15) == Places{0, 0, 5, 5, 5});
}

TEST_CASE("a required level is not left, a preferred one is climbed from") {
  const RoomTree tree = racks({{2, 2}, {3, 3}});
  CHECK(*kueue(tree, {.count = 5, .level = 1, .required = true}) == std::vector<int>{0, 0, 3, 2});
  CHECK_FALSE(kueue(tree, {.count = 7, .level = 1, .required = true}));
  CHECK(*kueue(tree, {.count = 7, .level = 2}) == std::vector<int>{1, 0, 3, 3});
  CHECK_FALSE(kueue(tree, {.count = 11, .level = 1}));
}

TEST_CASE("KAI takes the fullest zone that suffices, and most of its racks' room first") {
  const RoomTree tree = room_tree({{2}, {4, 3}}, {2, 1, 1, 1, 2, 2, 2});
  CHECK(*kai(tree, 3, 1) == std::vector<int>{2, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("Slurm takes the lowest switch that holds the job, then the nearest leaves") {
  // Two spines of leaves 2, 4, 1 and 3, 3; nodes of one place.
  const RoomTree tree = room_tree({{2}, {3, 2}, {2, 4, 1, 3, 3}}, std::vector<int>(13, 1));
  const auto leaves = [&](int count) {
    const auto taken = slurm_tree(tree, count);
    std::vector<int> sums;
    int first = 0;
    for (const int size : {2, 4, 1, 3, 3}) {
      sums.push_back(std::accumulate(taken->begin() + first, taken->begin() + first + size, 0));
      first += size;
    }
    return sums;
  };
  CHECK(leaves(4) == std::vector<int>{0, 4, 0, 0, 0});
  CHECK(leaves(3) == std::vector<int>{0, 0, 0, 3, 0});
  CHECK(leaves(5) == std::vector<int>{0, 0, 0, 3, 2});
  CHECK(leaves(7) == std::vector<int>{2, 4, 1, 0, 0});
  CHECK_FALSE(slurm_tree(tree, 14));
}

TEST_CASE("dlcalc cuts a ring over three leaves where one leaf has room") {
  // Spines of four leaves with 3 free nodes each and of one leaf with 8: a ring of 8.
  const RoomTree tree = room_tree({{2}, {4, 1}, {3, 3, 3, 3, 8}}, std::vector<int>(20, 1));
  const auto by_dlcalc = dlcalc(tree, 8);
  REQUIRE(by_dlcalc);
  // 8 hops: 5 inside leaves of 2, 3 between leaves of 4.
  CHECK(ring_hops(tree, leaves_of(tree, *by_dlcalc)) == 22);
  KueueRequest request;
  request.count = 8;
  request.level = 2;
  const auto tight = kueue(tree, request);
  REQUIRE(tight);
  CHECK(ring_hops(tree, leaves_of(tree, *tight)) == 16);  // 8 hops of 2
  // It counts switches as nodes and so would take 8 of 7; here nobody does.
  const RoomTree seven = room_tree({{2}, {2, 2}, {2, 2, 2, 1}}, std::vector<int>(7, 1));
  CHECK_FALSE(dlcalc(seven, 8));
  for (const Rule& rule : rules()) CHECK_FALSE(rule.choose(seven, 8));
}

}  // namespace
}  // namespace sim::place
