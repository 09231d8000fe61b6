#include "strategies/placement/checkpoint.hpp"

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

std::vector<SavedBox> saved(std::string_view text, const Shape& shape, std::vector<int> mesh) {
  const base::Result<std::vector<SavedBox>> boxes =
      plan_save(layout(text), shape, Mesh(std::move(mesh)));
  if (!boxes) FAIL(boxes.error().front().format());
  return *boxes;
}

/// Row-major numbers of a box.
Elements elements_of(const Box& box, const Shape& shape) {
  std::vector<Elements> dims;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    dims.emplace_back(static_cast<std::size_t>(box.size[d]));
    std::iota(dims.back().begin(), dims.back().end(), box.offset[d]);
  }
  return combine(dims, shape);
}

TEST_CASE("boxes of ragged tensors") {
  CHECK(saved("Ragged(0,1; 21,21,22,0)", {2, 64}, {4}) ==
        std::vector<SavedBox>{{0, {{0, 0}, {1, 42}}},
                              {1, {{0, 42}, {1, 22}}},
                              {1, {{1, 0}, {1, 20}}},
                              {2, {{1, 20}, {1, 44}}}});
  // (5,3,6,7), cut over the first three dims: boxes are whole (7) along the last.
  CHECK(saved("Ragged(0,1,2; 43,23,7,17)", {5, 3, 6, 7}, {4}) ==
        std::vector<SavedBox>{{0, {{0, 0, 0, 0}, {2, 3, 6, 7}}},
                              {0, {{2, 0, 0, 0}, {1, 1, 6, 7}}},
                              {0, {{2, 1, 0, 0}, {1, 1, 1, 7}}},
                              {1, {{2, 1, 1, 0}, {1, 1, 5, 7}}},
                              {1, {{2, 2, 0, 0}, {1, 1, 6, 7}}},
                              {1, {{3, 0, 0, 0}, {1, 2, 6, 7}}},
                              {2, {{3, 2, 0, 0}, {1, 1, 6, 7}}},
                              {2, {{4, 0, 0, 0}, {1, 1, 1, 7}}},
                              {3, {{4, 0, 1, 0}, {1, 1, 5, 7}}},
                              {3, {{4, 1, 0, 0}, {1, 2, 6, 7}}}});
  std::vector<int> counts(4, 0);
  for (const SavedBox& box : saved("Ragged(0,1,2,3; 17,13,31,2)", {5, 3, 6, 7}, {4}))
    ++counts[static_cast<std::size_t>(box.writer)];
  CHECK(counts == std::vector{3, 5, 7, 2});
}

TEST_CASE("boxes of an interval") {
  CHECK(boxes_of({1, 26}, {3, 3, 3}) == std::vector<Box>{{{0, 0, 1}, {1, 1, 2}},
                                                         {{0, 1, 0}, {1, 2, 3}},
                                                         {{1, 0, 0}, {1, 3, 3}},
                                                         {{2, 0, 0}, {1, 2, 3}},
                                                         {{2, 2, 0}, {1, 1, 2}}});
  CHECK(boxes_of({0, 1}, {}) == std::vector<Box>{{{}, {}}});  // a scalar
  CHECK(boxes_of({4, 4}, {3, 3}).empty());
}

TEST_CASE("boxes cover an interval once, in order, and are at most 2p - 1") {
  const std::vector<std::pair<Shape, std::size_t>> rows{
      {{7}, 1}, {{3, 5}, 3}, {{3, 3, 3}, 5}, {{3, 4, 3, 3}, 7}, {{3, 1, 3, 1}, 3}};
  for (const auto& [shape, want] : rows) {
    std::size_t most = 0;
    const std::int64_t count = element_count(shape);
    for (std::int64_t begin = 0; begin < count; ++begin)
      for (std::int64_t end = begin + 1; end <= count; ++end) {
        const std::vector<Box> boxes = boxes_of({begin, end}, shape);
        most = std::max(most, boxes.size());
        std::int64_t next = begin;
        for (const Box& box : boxes)
          for (const std::int64_t element : elements_of(box, shape)) REQUIRE(element == next++);
        REQUIRE(next == end);
      }
    CHECK(most == want);
  }
}

TEST_CASE("of copies one is saved, and contributions are not") {
  CHECK(saved("R, S(0)", {4}, {2, 2}) == std::vector<SavedBox>{{0, {{0}, {2}}}, {1, {{2}, {2}}}});
  CHECK(saved("S(0)", {2}, {4}).size() == 2);  // empty shards write nothing
  const base::Result<std::vector<SavedBox>> partial =
      plan_save(layout("P(sum)"), {4}, Mesh({2}), {"s.yaml", 1, 1});
  REQUIRE_FALSE(partial);
  CHECK(partial.error()[0].format() ==
        "s.yaml:1:1: error: 'P(sum)' cannot be saved: P(sum) holds contributions (redistribute to "
        "R or a shard)");
  CHECK_FALSE(plan_load(layout("R"), Mesh({2}), layout("P"), Mesh({2}), {4}));
}

TEST_CASE("what a loader reads of each saved box") {
  // 128 elements, saved by three ranks as 42, 42, 44 (boxes of 42; 22 + 20; 44), loaded by two
  // rows.
  const LoadPlan plan =
      *plan_load(layout("Ragged(0,1; 21,21,22,0)"), Mesh({4}), layout("S(0)"), Mesh({2}), {2, 64});
  CHECK(plan.reads == std::vector<Read>{{0, 0, 42}, {0, 1, 22}, {1, 2, 20}, {1, 3, 44}});
  CHECK(plan.copies == 1);
}

TEST_CASE("the time of a load") {
  // 1024 fp32 elements in 4 boxes of 256, loaded by 2 x 2 ranks that need 512 each, two of them the
  // same: 4 loaders x 2048 B.
  const LoadPlan plan =
      *plan_load(layout("S(0)"), Mesh({4}), layout("S(0), R"), Mesh({2, 2}), {1024});
  CHECK(plan.copies == 2);
  const StorageRates rates{base::BytesPerSecond::from_byte(1000),
                           base::BytesPerSecond::from_byte(500),
                           base::BytesPerSecond::from_byte(4096)};
  const LoadCost cost = load_cost(plan, 32, ReadUnit::range, rates);
  CHECK(cost.read.count() == 8192);
  CHECK(cost.largest_read.count() == 2048);
  CHECK(cost.each_reads.s() == Approx(8.192));  // all of 8192 B at 1000 B/s; a rank alone 4.096 s
  // Half each: 4096 B at 1000 B/s (a rank's 1024 B at 500 B/s are faster), then the other 1024 B.
  CHECK(cost.copies_share.s() == Approx(4.096 + 0.25));

  // Rank 0 of three needs 342 of the elements: two boxes of 256, of which it uses 86 of the second.
  const LoadPlan third = *plan_load(layout("S(0)"), Mesh({4}), layout("S(0)"), Mesh({3}), {1024});
  CHECK(load_cost(third, 32, ReadUnit::range, rates).read.count() == 4096);
  // Boxes 0, 1 | 1, 2 | 2, 3: six boxes of 1024 B.
  CHECK(load_cost(third, 32, ReadUnit::whole_box, rates).read.count() == 6144);
  CHECK(load_cost(third, 4, ReadUnit::range, rates).read.count() == 512);
}

/// Boxes cover the tensor once; each loader reads each of its elements once, from boxes that have
/// them.
void check_load(const Layout& from, const Mesh& from_mesh, const Layout& to, const Mesh& to_mesh,
                const Shape& shape) {
  INFO(format(from) << " to " << format(to) << " of " << Catch::Detail::stringify(shape));
  const base::Result<LoadPlan> plan = plan_load(from, from_mesh, to, to_mesh, shape);
  REQUIRE(plan);
  std::map<std::int64_t, std::size_t> box_of;
  for (std::size_t box = 0; box < plan->saved.size(); ++box)
    for (const std::int64_t element : elements_of(plan->saved[box].box, shape))
      REQUIRE(box_of.emplace(element, box).second);
  REQUIRE(static_cast<std::int64_t>(box_of.size()) == element_count(shape));
  for (const SavedBox& box : plan->saved) {
    const Elements own = enumerate(from, shape, from_mesh, box.writer);
    for (const std::int64_t element : elements_of(box.box, shape))
      REQUIRE(std::find(own.begin(), own.end(), element) != own.end());
  }
  std::map<std::pair<int, std::size_t>, std::int64_t> want;
  for (int loader = 0; loader < to_mesh.size(); ++loader)
    for (const std::int64_t element : enumerate(to, shape, to_mesh, loader))
      ++want[{loader, box_of.at(element)}];
  std::map<std::pair<int, std::size_t>, std::int64_t> got;
  for (const Read& read : plan->reads) got[{read.loader, read.box}] = read.elements;
  REQUIRE(got == want);
}

TEST_CASE("any layout is loaded from any other: random small tensors") {
  Dice dice(12);
  for (int i = 0; i < 1500; ++i) {
    const Mesh from_mesh = random_mesh(dice);
    const Mesh to_mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    check_load(random_layout(dice, shape, from_mesh, false), from_mesh,
               random_layout(dice, shape, to_mesh, false), to_mesh, shape);
  }
}

TEST_CASE("any layout is loaded from any other: sizes around whole rows") {
  const Mesh four({4});
  const std::vector<const char*> layouts{"R", "S(0)", "Ragged(0; 1,0,0,0)", "Ragged(; 0,0,1,0)"};
  for (const std::int64_t rows : {3, 16, 32, 53})
    for (const std::int64_t columns : {3, 16, 32, 53}) {
      const Shape shape{rows, columns};
      std::vector<Layout> all;
      for (const char* text : layouts) all.push_back(layout(text));
      const std::int64_t count = rows * columns;  // uneven runs of elements
      all.push_back({{RaggedShard{{0, 1}, {count / 7, count / 3, 1, 0}}}, {}});
      std::get<RaggedShard>(all.back().placements[0]).units[3] = count - count / 7 - count / 3 - 1;
      for (const Layout& from : all)
        for (const Layout& to : all) check_load(from, four, to, four, shape);
    }
}

TEST_CASE("ragged tensors are loaded beside a shard on another mesh dim") {
  const Mesh mesh({4, 2});
  for (const char* second : {"R", "S(0)", "S(1)"})
    for (const char* from : {"Ragged(0,1; 3,7,4,1)", "Ragged(0; 0,1,3,1)", "R"}) {
      // (10,6,4): over e 5 rows, or 3 of 6 indices of dim 1, so 15 items where one is sharded.
      const Shape shape = std::string(second) == "S(1)"   ? Shape{5, 6, 4}
                          : std::string(second) == "S(0)" ? Shape{10, 3, 4}
                                                          : Shape{5, 3, 4};
      const Layout saved_as = layout(std::string(from) + ", " + second);
      for (const char* to : {"Ragged(0,1; 1,1,1,0), S(2)", "S(0), S(0)", "R, S(1)"})
        check_load(saved_as, mesh, layout(to), mesh, shape);
    }
}

}  // namespace
}  // namespace strategies::placement
