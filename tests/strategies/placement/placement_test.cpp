#include "strategies/placement/placement.hpp"

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

TEST_CASE("a layout is written as it is read") {
  for (const char* text :
       {"R", "S(0)", "P(sum)", "P(norm)", "Strided(1; 4)", "Interleaved(0; 3)",
        "Ragged(0,1; 1,2,1,1)", "Ragged(; 0,1,0,0)", "Ragged(0; 0,1,5,2), S(0)", "R, S(0), P(avg)",
        "S(0)[1], S(0)[0]", "S(0), S(0)", "S(1)[1], R, S(1)[0]", "S(0)[2], S(0)[0], S(0)[1]",
        "Strided(0; 2)[1], S(0)[0]"})
    CHECK(format(layout(text)) == text);
}

TEST_CASE("what may be left out of a layout") {
  CHECK(layout("S(0)S(1)") == layout("S(0), S(1)"));
  CHECK(layout(" R R\t") == layout("R,R"));
  CHECK(layout("P") == layout("P(sum)"));
  CHECK(layout("Ragged( 0 , 1 ;1, 2 )") == layout("Ragged(0,1; 1,2)"));
  CHECK(layout("S(0)[0], S(0)[1]") == layout("S(0), S(0)"));  // the order in which they stand
}

TEST_CASE("turns say which mesh dim cuts first") {
  CHECK(layout("S(0), S(0)").order.empty());
  CHECK(layout("S(0)[1], S(0)[0]").order == std::vector{1, 0});
  // Dim 0 of the tensor by mesh dim 2, then 0; dim 1 by mesh dim 1 keeps its place.
  CHECK(layout("S(0)[1], S(1), S(0)[0]").order == std::vector{2, 1, 0});
}

TEST_CASE("layouts that cannot be read") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"", "no placement (character 1 of '')"},
      {"Q", "unknown placement 'Q' (character 1 of 'Q')"},
      {"R,", "a placement is missing after ',' (character 3 of 'R,')"},
      {",R", "no placement begins here (character 1 of ',R')"},
      {"S", "'(' is missing (character 2 of 'S')"},
      {"S(0", "')' is missing (character 4 of 'S(0')"},
      {"S(-1)", "the tensor dim is no whole number from 0 (character 3 of 'S(-1)')"},
      {"S(99999999999)", "the tensor dim is no whole number from 0 (character 3"},
      {"P(summ)", "unknown reduction 'summ' (character 3 of 'P(summ)') (did you mean 'sum'?)"},
      {"R, Ragged(0,1)", "';' is missing (character 14 of 'R, Ragged(0,1)')"},
      {"Ragged(0; )", "a unit is no whole number from 0 (character 11 of 'Ragged(0; )')"},
      {"Strided(0)", "';' is missing (character 10 of 'Strided(0)')"},
      {"R[0]", "R takes no turn (character 1 of 'R[0]')"},
      {"S(0)[1], S(0)[1]", "the turns of tensor dim 0 are not 0 to 1, once each"},
      {"S(0)[0], S(0)", "the turns of tensor dim 0 are not 0 to 1, once each"},
  }));
  const base::Result<Layout> parsed = parse_layout(row.text, {"s.yaml", 3, 7});
  REQUIRE_FALSE(parsed);
  REQUIRE(parsed.error().size() == 1);
  CHECK_THAT(parsed.error().front().format(),
             Catch::StartsWith(std::string("s.yaml:3:7: error: ") + row.want));
}

TEST_CASE("any text is a layout or one mistake") {
  const std::vector<std::string> parts{"R",  "S",    "P",   "Ragged",     "Strided", "Interleaved",
                                       "(",  ")",    ";",   ",",          "[",       "]",
                                       "0",  "1",    "18",  "9999999999", "-",       " ",
                                       "\t", "\xff", "(0)", "(sum)",      "(0; 1)",  "[0]"};
  Dice dice(14);
  int layouts = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (int n = dice(9); n >= 0; --n)
      text += parts[static_cast<std::size_t>(dice(static_cast<int>(parts.size())))];
    const base::Result<Layout> parsed = parse_layout(text);
    if (!parsed) {
      REQUIRE(parsed.error().size() == 1);
      continue;
    }
    ++layouts;
    REQUIRE(format(*parse_layout(format(*parsed))) == format(*parsed));
  }
  CHECK(layouts > 100);
}

TEST_CASE("random layouts survive writing and reading") {
  Dice dice(1);
  for (int i = 0; i < 500; ++i) {
    const Mesh mesh = random_mesh(dice);
    const Shape shape = random_shape(dice);
    const Layout original = random_layout(dice, shape, mesh, true);
    const Layout again = layout(format(original));
    INFO(format(original));
    CHECK(again.placements == original.placements);
    // The order may be written shorter, but cuts the same.
    for (int rank = 0; rank < mesh.size(); ++rank)
      REQUIRE(enumerate(again, shape, mesh, rank) == enumerate(original, shape, mesh, rank));
  }
}

}  // namespace
}  // namespace strategies::placement
