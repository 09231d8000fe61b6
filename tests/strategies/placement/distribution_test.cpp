#include "strategies/placement/distribution.hpp"

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

using Shapes = std::vector<Shape>;

Shapes local_shapes(std::string_view text, const Shape& shape, std::vector<int> mesh) {
  Shapes shapes;
  for (const Piece& piece : pieces_of(text, shape, Mesh(std::move(mesh))))
    shapes.push_back(piece.local_shape);
  return shapes;
}

const Shape none{0};  // a ragged rank without elements

TEST_CASE("local shapes of ragged tensors") {
  // (32,128), rows: 8 units, one unit is 32 / 8 = 4 rows.
  CHECK(local_shapes("Ragged(0; 0,1,5,2,0,0,0,0)", {32, 128}, {8}) ==
        Shapes{none, {4, 128}, {20, 128}, {8, 128}, none, none, none, none});
  // Elements: one unit is 4096 / 8 = 512.
  CHECK(local_shapes("Ragged(0,1; 0,1,5,2,0,0,0,0)", {32, 128}, {8}) ==
        Shapes{none, {512}, {2560}, {1024}, none, none, none, none});
  CHECK(local_shapes("Ragged(0; 0,1,0,0,0,0,0,0)", {32, 128}, {8})[1] == Shape{32, 128});
  // 455 + 1000 + 2000 + 641 = 4096: one unit is one element.
  CHECK(local_shapes("Ragged(0,1; 455,1000,2000,641,0,0,0,0)", {32, 128}, {8}) ==
        Shapes{{455}, {1000}, {2000}, {641}, none, none, none, none});
  CHECK(local_shapes("Ragged(0; 0,1,5,2,0,0,0,0)", {16, 4, 64}, {8}) ==
        Shapes{none, {2, 4, 64}, {10, 4, 64}, {4, 4, 64}, none, none, none, none});
  CHECK(local_shapes("Ragged(0,1; 0,1,5,2,0,0,0,0)", {16, 4, 64}, {8}) ==
        Shapes{none, {8, 64}, {40, 64}, {16, 64}, none, none, none, none});
  CHECK(local_shapes("Ragged(; 0,1,0,0)", {2, 64}, {4}) == Shapes{none, {2, 64}, none, none});
  CHECK(local_shapes("Ragged(0,1; 1,1,1,1)", {2, 64}, {4}) == Shapes{{32}, {32}, {32}, {32}});
  // 21 + 21 + 22 = 64 units of 2.
  CHECK(local_shapes("Ragged(0,1; 21,21,22,0)", {2, 64}, {4}) == Shapes{{42}, {42}, {44}, none});
  CHECK(local_shapes("Ragged(0; 1,1,0,0)", {2, 64}, {4}) == Shapes{{1, 64}, {1, 64}, none, none});
}

TEST_CASE("local shapes of ragged tensors of four dims") {
  const Shape shape{5, 3, 6, 7};
  const auto counts = [&](std::string_view text) {
    std::vector<std::int64_t> held;
    for (const Piece& piece : pieces_of(text, shape, Mesh({4})))
      held.push_back(piece.elements.size());
    return held;
  };
  using Counts = std::vector<std::int64_t>;
  CHECK(local_shapes("Ragged(0,1; 3,7,4,1)", shape, {4}) ==
        Shapes{{3, 6, 7}, {7, 6, 7}, {4, 6, 7}, {1, 6, 7}});
  CHECK(counts("Ragged(0,1; 3,7,4,1)") == Counts{126, 294, 168, 42});
  CHECK(local_shapes("Ragged(0,1,2; 43,23,7,17)", shape, {4}) ==
        Shapes{{43, 7}, {23, 7}, {7, 7}, {17, 7}});
  CHECK(counts("Ragged(0,1,2; 43,23,7,17)") == Counts{301, 161, 49, 119});
  // 63 units of 630 elements.
  CHECK(local_shapes("Ragged(0,1,2,3; 17,13,31,2)", shape, {4}) ==
        Shapes{{170}, {130}, {310}, {20}});
  CHECK(counts("Ragged(0,1; 5,3,7,0)") == Counts{210, 126, 294, 0});
  CHECK(local_shapes("Ragged(0; 1,2,1,1)", {100, 256}, {4}) ==
        Shapes{{20, 256}, {40, 256}, {20, 256}, {20, 256}});
}

TEST_CASE("the offset of a ragged piece is what lower ranks hold") {
  std::vector<std::int64_t> offsets;
  for (const Piece& piece :
       pieces_of("Ragged(0,1; 455,1000,2000,641,0,0,0,0)", {32, 128}, Mesh({8})))
    offsets.push_back(piece.ragged_offset);
  CHECK(offsets == std::vector<std::int64_t>{0, 455, 1455, 3455, 4096, 4096, 4096, 4096});
}

TEST_CASE("ragged layouts that cannot be") {
  struct Row {
    Shape shape;
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {{6, 4},
       "Ragged(0; 1,1,1,1)",
       "Ragged(0; 1,1,1,1) cuts 6 rows (dims 0 of 6x4) into 4 units: 6 % 4 = 2 (choose"},
      {{32, 128},
       "Ragged(1; 1,1,1,1)",
       "the dims of Ragged(1; 1,1,1,1) are not the first ones, in order (dims are 0 or 0,1"},
      {{32, 128}, "Ragged(1,0; 1,1,1,1)", "the dims of Ragged(1,0; 1,1,1,1) are not the first"},
      {{4, 4},
       "Ragged(; 1,1,0,0)",
       "Ragged(; 1,1,0,0) leaves the tensor whole, but 2 ranks have units (name dims"},
      {{2, 64},
       "Ragged(0,1; 0,0,0,0)",
       "the units of Ragged(0,1; 0,0,0,0) are all 0: no rank would hold the tensor"},
      {{2, 64}, "Ragged(0; 1,1)", "Ragged(0; 1,1) has 2 units, its mesh dim 4 ranks"},
      {{8}, "Ragged(0,1; 1,1,1,1)", "Ragged(0,1; 1,1,1,1) of a tensor with 1 dims"},
      {{8}, "Ragged(0; 9000000000000000000,9000000000000000000,0,0)", "Ragged(0; 9000000000000000"},
      {{8}, "S(1)", "S(1) of a tensor with 1 dims (dims count from 0)"},
      {{8}, "S(0), S(0)", "'S(0), S(0)' has 2 placements, the mesh 1 dims"},
      {{8}, "Strided(0; 0)", "Strided(0; 0) cuts into 0 parts"},
      {{9}, "Interleaved(0; 2)", "Interleaved(0; 2) of 9 indices: they are not 2 equal groups"},
  }));
  const base::Diagnostics problems =
      check_layout(layout(row.text), row.shape, Mesh({4}), {"s.yaml", 1, 1});
  REQUIRE(problems.size() == 1);
  CHECK_THAT(problems.front().format(),
             Catch::StartsWith(std::string("s.yaml:1:1: error: ") + row.want));
  CHECK_FALSE(distribute(layout(row.text), row.shape, Mesh({4})));
}

TEST_CASE("two ragged dims, or reductions that do not commute, cannot be") {
  const Mesh mesh({2, 2});
  const auto message = [&](std::string_view text) {
    return check_layout(layout(text), {8, 8}, mesh).at(0).message;
  };
  CHECK(message("Ragged(0; 1,1), Ragged(0; 1,1)") ==
        "'Ragged(0; 1,1), Ragged(0; 1,1)' has more than one RaggedShard");
  CHECK(message("P(sum), P(max)") ==
        "'P(sum), P(max)' waits for two reductions whose order matters");
  CHECK(check_layout(layout("P(sum), P(avg)"), {8, 8}, mesh).empty());
  Layout twice = layout("S(0), S(0)");
  twice.order = {1, 1};
  CHECK(check_layout(twice, {8, 8}, mesh).at(0).message ==
        "the shard order does not name each mesh dim once");
}

// Mesh (4,2): ragged over the first dim, of what the second leaves. Rank = 2 f + e.
TEST_CASE("a ragged shard cuts what the other mesh dims leave") {
  const Mesh mesh({4, 2});
  const auto rows = [](const Piece& piece) {
    return piece.elements.products().empty() ? std::vector<Interval>{}
                                             : piece.elements.products()[0].dims[0].intervals();
  };
  // 64 rows / 2 = 32; 8 units of 4 rows.
  const std::vector<Piece> r20 = pieces_of("Ragged(0; 0,1,5,2), S(0)", {64, 128}, mesh);
  for (std::int64_t e = 0; e < 2; ++e) {
    const auto at = [&](int f) { return r20[static_cast<std::size_t>(2 * f + e)]; };
    CHECK(at(0).elements.size() == 0);
    CHECK(rows(at(1)) == std::vector<Interval>{{32 * e, 32 * e + 4}});
    CHECK(rows(at(2)) == std::vector<Interval>{{32 * e + 4, 32 * e + 24}});
    CHECK(rows(at(3)) == std::vector<Interval>{{32 * e + 24, 32 * e + 32}});
  }
  const std::vector<Piece> r21 = pieces_of("Ragged(0,1; 455,1000,2000,641), S(0)", {64, 128}, mesh);
  CHECK(r21[2].elements.flat({64, 128}) == IntervalSet(Interval{455, 1455}));  // (1,0)
  CHECK(r21[3].elements.flat({64, 128}) == IntervalSet(Interval{4096 + 455, 4096 + 1455}));
  CHECK(local_shapes("Ragged(0; 0,1,5,2), S(0)", {16, 8, 64}, {4, 2}) ==
        Shapes{none, none, {1, 8, 64}, {1, 8, 64}, {5, 8, 64}, {5, 8, 64}, {2, 8, 64}, {2, 8, 64}});
  CHECK(local_shapes("Ragged(0,1; 0,1,5,2), S(0)", {16, 8, 64}, {4, 2}) ==
        Shapes{none, none, {8, 64}, {8, 64}, {40, 64}, {40, 64}, {16, 64}, {16, 64}});
  // (10,3,6,7) over e: (5,3,6,7) each, the second from row 5 on.
  const std::vector<Piece> r24 = pieces_of("Ragged(0,1; 3,7,4,1), S(0)", {10, 3, 6, 7}, mesh);
  CHECK(r24[0].elements.size() == 126);
  CHECK(rows(r24[0]) == std::vector<Interval>{{0, 1}});
  CHECK(rows(r24[1]) == std::vector<Interval>{{5, 6}});
  // (5,6,6,7) over e along dim 1: 3 of its 6 indices, so two interleaved families of runs.
  const Shape shape{5, 6, 6, 7};
  const std::vector<Piece> r25 = pieces_of("Ragged(0,1; 3,7,4,1), S(1)", shape, mesh);
  CHECK(r25[2].elements.size() == 294);
  CHECK(r25[3].elements.size() == 294);
  // Items 3..9 of (5,3): rows 1 and 2 whole, the first index of row 3; items are 42 elements.
  using Runs = std::vector<Interval>;
  CHECK(r25[2].elements.flat(shape).intervals() ==
        Runs{{6 * 42, 9 * 42}, {12 * 42, 15 * 42}, {18 * 42, 19 * 42}});
  CHECK(r25[3].elements.flat(shape).intervals() ==
        Runs{{9 * 42, 12 * 42}, {15 * 42, 18 * 42}, {21 * 42, 22 * 42}});
}

std::vector<std::int64_t> sizes(std::string_view text, std::int64_t size, std::vector<int> mesh) {
  std::vector<std::int64_t> sizes;
  for (const Shape& shape : local_shapes(text, {size}, std::move(mesh))) sizes.push_back(shape[0]);
  return sizes;
}

std::vector<std::int64_t> begins(std::string_view text, std::int64_t size, std::vector<int> mesh) {
  std::vector<std::int64_t> begins;
  for (const Piece& piece : pieces_of(text, {size}, Mesh(std::move(mesh))))
    begins.push_back(piece.elements.flat({size}).intervals().front().begin);
  return begins;
}

TEST_CASE("ordinary shards are chunks, and their order matters") {
  using Sizes = std::vector<std::int64_t>;
  CHECK(sizes("S(0)", 10, {8}) == Sizes{2, 2, 2, 2, 2, 0, 0, 0});
  CHECK(sizes("S(0)", 10, {3}) == Sizes{4, 4, 2});
  const Sizes many = sizes("S(0)", 257, {32});  // ceil(257 / 32) = 9; 257 = 28 * 9 + 5
  for (std::size_t rank = 0; rank < 32; ++rank)
    CHECK(many[rank] == (rank < 28 ? 9 : rank == 28 ? 5 : 0));
  for (const Shape& shape : local_shapes("S(0), S(0)", {1024, 64}, {4, 64}))
    CHECK(shape == Shape{4, 64});
  // 64 on (2,4): offset 8 (4 c0 + c1), reversed 8 (2 c1 + c0).
  CHECK(begins("S(0), S(0)", 64, {2, 4}) == Sizes{0, 8, 16, 24, 32, 40, 48, 56});
  CHECK(begins("S(0)[1], S(0)[0]", 64, {2, 4}) == Sizes{0, 16, 32, 48, 8, 24, 40, 56});
  // A strided shard says the same without an order.
  CHECK(begins("Strided(0; 4), S(0)", 64, {2, 4}) == Sizes{0, 16, 32, 48, 8, 24, 40, 56});
  // 17 = 9 + 8, by four: 3,3,3,0 and 2,2,2,2. By four first: 5,5,5,2, each by two.
  CHECK(sizes("S(0), S(0)", 17, {2, 4}) == Sizes{3, 3, 3, 0, 2, 2, 2, 2});
  CHECK(sizes("S(0)[1], S(0)[0]", 17, {2, 4}) == Sizes{3, 3, 3, 1, 2, 2, 2, 1});
}

TEST_CASE("an interleaved shard has a piece of every group") {
  const std::vector<Piece> pieces = pieces_of("Interleaved(0; 2)", {16}, Mesh({4}));
  for (int rank = 0; rank < 4; ++rank)
    CHECK(elements_of(pieces[static_cast<std::size_t>(rank)].elements, {16}) ==
          Elements{2 * rank, 2 * rank + 1, 8 + 2 * rank, 8 + 2 * rank + 1});
}

TEST_CASE("layouts that are considered for a tensor") {
  // Kept while the size left is at least the mesh dim.
  const auto considered = [](const Shape& shape, std::vector<int> mesh) {
    std::vector<std::string> texts;
    for (const Layout& l : enumerate_layouts(shape, Mesh(std::move(mesh))))
      texts.push_back(format(l));
    return texts;
  };
  using Texts = std::vector<std::string>;
  CHECK(considered({257}, {32}) == Texts{"R", "S(0)"});
  CHECK(considered({10}, {8}) == Texts{"R", "S(0)"});
  CHECK(considered({100}, {256}) == Texts{"R"});
  CHECK(considered({4, 8}, {2, 4}) == Texts{"R, R", "R, S(0)", "R, S(1)", "S(0), R", "S(0), S(1)",
                                            "S(1), R", "S(1), S(0)", "S(1), S(1)"});
}

TEST_CASE("pieces are those of element by element enumeration") {
  Dice dice(2);
  for (int i = 0; i < 3000; ++i) {
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    const Layout l = random_layout(dice, shape, mesh, true);
    INFO(format(l) << " of " << Catch::Detail::stringify(shape));
    const base::Result<std::vector<Piece>> pieces = distribute(l, shape, mesh);
    REQUIRE(pieces);
    std::map<std::int64_t, int> holders;
    int copies = 1;
    for (int d = 0; d < mesh.dims(); ++d) {
      const Placement& p = l.placements[static_cast<std::size_t>(d)];
      if (is_replicate(p) || pending(p)) copies *= mesh.extent(d);
    }
    for (int rank = 0; rank < mesh.size(); ++rank) {
      const Piece& piece = (*pieces)[static_cast<std::size_t>(rank)];
      const Elements want = enumerate(l, shape, mesh, rank);
      REQUIRE(elements_of(piece.elements, shape) == want);
      REQUIRE(piece.elements.size() == static_cast<std::int64_t>(want.size()));
      REQUIRE(element_count(piece.local_shape) == piece.elements.size());
      Elements sorted = want;
      std::sort(sorted.begin(), sorted.end());
      Elements flat;
      const IntervalSet runs = piece.elements.flat(shape);
      for (const Interval& interval : runs.intervals())
        for (std::int64_t e = interval.begin; e < interval.end; ++e) flat.push_back(e);
      REQUIRE(flat == sorted);
      for (const std::int64_t e : want) ++holders[e];
    }
    // Every element has a holder, and no other but its copies.
    REQUIRE(static_cast<std::int64_t>(holders.size()) == element_count(shape));
    for (const auto& [element, count] : holders) REQUIRE(count == copies);
  }
}

}  // namespace
}  // namespace strategies::placement
