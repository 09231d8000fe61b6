#include "strategies/autoshard/signature.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include "strategies/autoshard/rules.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::autoshard {
namespace {

using placement::Mesh;
using placement::Shape;

/// "S(0), R | R, S(1) -> P(sum), S(1)": operands, then results.
std::string text_of(const Signature& signature, const Sharding& sharding) {
  std::string text;
  for (std::size_t i = 0; i < signature.operands.size(); ++i)
    text +=
        (i == 0 ? "" : " | ") + format(operand_layout(signature, sharding, static_cast<int>(i)));
  for (std::size_t r = 0; r < signature.results.size(); ++r)
    text +=
        (r == 0 ? " -> " : " | ") + format(result_layout(signature, sharding, static_cast<int>(r)));
  return text;
}

std::set<std::string> texts_of(const Signature& signature, const Mesh& mesh) {
  std::set<std::string> texts;
  for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
    const bool added = texts.insert(text_of(signature, sharding)).second;
    CHECK(added);  // none twice
  }
  return texts;
}

Signature signature(Family family, const Shapes& shapes, std::vector<int> dims = {}) {
  return signature_of({.family = family, .dims = std::move(dims)}, shapes);
}

TEST_CASE("signature: a matrix product can be cut along rows, columns and the summed dim") {
  const Signature product = signature_of({.family = Family::einsum, .equation = "m k, k n -> m n"},
                                         {{{64, 32}, {32, 16}}, {{64, 16}}});
  CHECK(texts_of(product, Mesh({4})) == std::set<std::string>{"R | R -> R", "S(0) | R -> S(0)",
                                                              "R | S(1) -> S(1)",
                                                              "S(1) | S(0) -> P(sum)"});
  // AutoParallel's two matrix products of a feed-forward network and one weight gradient.
  const std::set<std::string> on_two = texts_of(product, Mesh({4, 2}));
  CHECK(on_two.contains("S(0), R | R, S(1) -> S(0), S(1)"));
  CHECK(on_two.contains("S(0), S(1) | R, S(0) -> S(0), P(sum)"));
  CHECK(on_two.contains("S(1), R | S(0), S(1) -> P(sum), S(1)"));
  // 4 x 4, and a second order where both mesh dims cut the same of 3 labels.
  CHECK(on_two.size() == 16 + 3);
  CHECK(on_two.contains("S(1)[1], S(1)[0] | S(0)[1], S(0)[0] -> P(sum), P(sum)"));
}

TEST_CASE("signature: sizes that are left decide what may be cut") {
  const auto cuts = [](std::int64_t size, const Mesh& mesh) {
    return enumerate_shardings(signature(Family::pointwise, {{{size}}, {{size}}}), mesh).size() - 1;
  };
  CHECK(cuts(257, Mesh({32})) == 1);   // parts of 9, the last ones empty
  CHECK(cuts(100, Mesh({256})) == 0);  // fewer than ranks
  CHECK(cuts(10, Mesh({8})) == 1);     // uneven
  CHECK(cuts(8, Mesh({4, 2})) == 4);   // one of them, both in either order
  // 6 / 4 leaves 2 for the 2 ranks, 6 / 2 leaves 3, too few for 4.
  CHECK(cuts(6, Mesh({4, 2})) == 3);
}

TEST_CASE("signature: a dim of several parts is cut evenly, by its outermost part") {
  // 6 heads of 4.
  const Signature heads =
      signature_of({.family = Family::rotary, .groups = 6}, {{{2, 5, 24}}, {{2, 5, 24}}});
  CHECK(texts_of(heads, Mesh({3})).contains("S(2) -> S(2)"));
  CHECK_FALSE(texts_of(heads, Mesh({4})).contains("S(2) -> S(2)"));
  // The second of two dims that become one cannot be cut, the first only evenly.
  const Signature flat = signature(Family::view, {{{6, 8}}, {{48}}});
  CHECK(texts_of(flat, Mesh({2})) ==
        std::set<std::string>{"R -> R", "S(0) -> S(0)", "P(sum) -> P(sum)"});
  CHECK(texts_of(flat, Mesh({4})) == std::set<std::string>{"R -> R", "P(sum) -> P(sum)"});
}

TEST_CASE("signature: sums over cut dims are pending, other dims move up") {
  const Signature sum = signature(Family::sum, {{{64, 64, 64}}, {{64}}}, {0, 1});
  const std::set<std::string> texts = texts_of(sum, Mesh({2, 4}));
  CHECK(texts.contains("S(0), S(1) -> P(sum), P(sum)"));
  CHECK(texts.contains("S(2), S(2) -> S(0), S(0)"));
  CHECK(texts.contains("S(0), S(2) -> P(sum), S(0)"));
}

TEST_CASE("signature: keys of a causal attention stay whole when its queries are cut") {
  const Signature attention = signature_of(
      {.family = Family::attention_backward, .groups = 8},
      {{{4, 64, 256}, {4, 64, 256}, {4, 64, 64}, {4, 64, 64}, {4, 64, 256}, {4, 64, 32}},
       {{4, 64, 256}, {4, 64, 64}, {4, 64, 64}}});
  CHECK(texts_of(attention, Mesh({4})) ==
        std::set<std::string>{"R | R | R | R | R | R -> R | R | R",
                              "S(0) | S(0) | S(0) | S(0) | S(0) | S(0) -> S(0) | S(0) | S(0)",
                              "S(1) | S(1) | R | R | S(1) | S(1) -> S(1) | P(sum) | P(sum)",
                              "S(2) | S(2) | S(2) | S(2) | S(2) | S(2) -> S(2) | S(2) | S(2)"});
}

/// All ways to give a use to each mesh dim, in all orders of the mesh dims, whatever they do.
std::set<std::string> brute_force(const Signature& signature, const Mesh& mesh) {
  const int least = signature.passes.empty() ? Sharding::same : Sharding::pending;
  std::set<std::string> texts;
  std::vector<int> uses(static_cast<std::size_t>(mesh.dims()), least);
  for (;;) {
    std::vector<int> order(uses.size());
    std::iota(order.begin(), order.end(), 0);
    do {
      std::vector<std::int64_t> left;
      for (const Label& label : signature.labels) left.push_back(label.size);
      bool fits = true;
      for (const int d : order) {
        const int label = uses[static_cast<std::size_t>(d)];
        if (label < 0) continue;
        std::int64_t& size = left[static_cast<std::size_t>(label)];
        const bool even = signature.labels[static_cast<std::size_t>(label)].even;
        fits = fits && size >= mesh.extent(d) && (!even || size % mesh.extent(d) == 0);
        size = (size + mesh.extent(d) - 1) / mesh.extent(d);
      }
      if (fits) texts.insert(text_of(signature, {uses, order}));
    } while (std::next_permutation(order.begin(), order.end()));
    std::size_t d = 0;
    while (d < uses.size() && ++uses[d] == static_cast<int>(signature.labels.size()))
      uses[d++] = least;
    if (d == uses.size()) return texts;
  }
}

TEST_CASE("signature: the shardings are those that brute force finds") {
  const std::vector<Signature> signatures{
      signature_of({.family = Family::einsum, .equation = "b s i, o i -> b s o"},
                   {{{4, 6, 16}, {9, 16}}, {{4, 6, 9}}}),
      signature_of({.family = Family::norm, .groups = 6},
                   {{{2, 5, 24}, {4}}, {{2, 5, 24}, {2, 5, 6}}}),
      signature(Family::linear_pointwise, {{{8, 5}, {8, 5}}, {{8, 5}}}),
      signature(Family::view, {{{4, 6, 5}}, {{24, 5}}}),
  };
  for (const std::vector<int>& shape : {std::vector<int>{4}, {2, 4}, {2, 2, 2}, {2, 3, 2}})
    for (const Signature& s : signatures)
      CHECK(texts_of(s, Mesh(shape)) == brute_force(s, Mesh(shape)));
}

}  // namespace
}  // namespace strategies::autoshard
