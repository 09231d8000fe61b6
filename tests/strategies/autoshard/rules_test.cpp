#include "strategies/autoshard/rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/strategies/autoshard/proof.hpp"
#include "tests/strategies/placement/support.hpp"

// Every rule is proved by execution. Operands are cut as the rule says, each rank runs the operator
// on its pieces, the results are put together as the rule says, and must be those of the operator
// on whole tensors.

namespace strategies::autoshard {
namespace {

using placement::Layout;
using placement::Mesh;
using placement::Reduction;
using placement::Shape;

/// An operator of each family; sizes that do not divide wherever the rule takes them.
const std::vector<Case>& cases() {
  static const std::vector<Case> list{
      {{Family::alias}, {{{5, 4}}, {{5, 4}}}},
      {{.family = Family::einsum, .equation = "b s i, o i -> b s o"},
       {{{3, 4, 5}, {7, 5}}, {{3, 4, 7}}}},
      {{.family = Family::einsum, .equation = "b s i, b s o -> o i"},
       {{{3, 4, 5}, {3, 4, 7}}, {{7, 5}}}},
      {{.family = Family::einsum, .equation = "e c i, e o i -> e c o"},
       {{{4, 5, 3}, {4, 6, 3}}, {{4, 5, 6}}}},
      {{.family = Family::linear, .equation = "b s i, o i, o -> b s o"},
       {{{3, 4, 5}, {7, 5}, {7}}, {{3, 4, 7}}}},
      {{Family::linear_pointwise}, {{{5, 4}, {5, 4}, {4}}, {{5, 4}}}},
      {{Family::linear_pointwise}, {{{5, 4}, {5, 1}}, {{5, 4}}}},
      {{Family::pointwise}, {{{5, 4}, {4}}, {{5, 4}, {5, 4}}}},
      {{Family::compare}, {{{5, 4}, {5, 4}, {5, 4}}, {{5, 4}}}},
      {{Family::cast}, {{{5, 4}}, {{5, 4}}}},
      {{Family::view}, {{{6, 4, 5}}, {{24, 5}}}},
      {{Family::view}, {{{5, 12}}, {{5, 4, 3}}}},
      {{Family::view}, {{{1, 6, 4}}, {{6, 1, 2, 2}}}},
      {{Family::view}, {{{4, 6}}, {{6, 4}}}},
      {{Family::view}, {{{5}}, {{5, 1}}}},
      {{Family::view_dtype}, {{{5, 8}}, {{5, 4}}}},
      {{.family = Family::permute, .dims = {2, 0, 1}}, {{{5, 3, 4}}, {{4, 5, 3}}}},
      {{Family::expand}, {{{5, 1, 4}}, {{5, 3, 4}}}},
      {{.family = Family::slice, .dims = {1}}, {{{5, 6, 4}}, {{5, 3, 4}}}},
      {{.family = Family::slice, .dims = {0}}, {{{5, 6}}, {{6}}}},
      {{.family = Family::sum, .dims = {0, 2}}, {{{5, 3, 4}}, {{3}}}},
      {{.family = Family::mean, .dims = {1}}, {{{5, 8}}, {{5}}}},
      {{.family = Family::maximum, .dims = {0}}, {{{5, 4}}, {{4}}}},
      {{.family = Family::minimum, .dims = {0}}, {{{5, 4}}, {{4}}}},
      {{.family = Family::product, .dims = {0}}, {{{5, 4}}, {{4}}}},
      {{.family = Family::along, .dims = {1}}, {{{5, 6, 3}}, {{5, 2, 3}, {5, 2, 3}}}},
      {{.family = Family::along, .dims = {1}}, {{{5, 6, 3}}, {{5, 3}}}},
      {{.family = Family::softmax, .dims = {1}}, {{{5, 4}}, {{5, 4}}}},
      {{.family = Family::softmax, .dims = {1}}, {{{5, 4}, {5, 4}}, {{5, 4}}}},
      {{Family::norm}, {{{5, 3, 4}, {4}}, {{5, 3, 4}, {5, 3, 1}}}},
      {{Family::norm}, {{{5, 3, 4}, {4}, {4}}, {{5, 3, 4}, {5, 3, 1}, {5, 3, 1}}}},
      {{.family = Family::norm, .groups = 6}, {{{2, 3, 12}, {2}}, {{2, 3, 12}, {2, 3, 6}}}},
      {{Family::norm_backward},
       {{{5, 3, 4}, {5, 3, 4}, {4}, {5, 3, 1}}, {{5, 3, 4}, {4}}},
       {},
       1e-12},
      {{.family = Family::norm_backward, .groups = 6},
       {{{2, 3, 12}, {2, 3, 12}, {2}, {2, 3, 6}, {2, 3, 6}}, {{2, 3, 12}, {2}, {2}}},
       {},
       1e-12},
      {{.family = Family::rotary, .groups = 6}, {{{2, 5, 12}}, {{2, 5, 12}}}},
      {{Family::embedding}, {{{7, 4}, {3, 5}}, {{3, 5, 4}}}, {0, 7}},
      {{Family::embedding_backward}, {{{3, 5, 4}, {3, 5}}, {{7, 4}}}, {0, 7}},
      {{.family = Family::attention, .groups = 6},
       {{{2, 5, 24}, {2, 5, 12}, {2, 5, 18}}, {{2, 5, 36}, {2, 5, 12}}}},
      {{.family = Family::attention_backward, .groups = 6},
       {{{2, 5, 36}, {2, 5, 24}, {2, 5, 12}, {2, 5, 18}, {2, 5, 36}, {2, 5, 12}},
        {{2, 5, 24}, {2, 5, 12}, {2, 5, 18}}},
       {},
       1e-12},
      {{.family = Family::latent_keys, .groups = 6},
       {{{2, 5, 30}, {2, 5, 3}}, {{2, 5, 30}, {2, 5, 18}}}},
      {{.family = Family::latent_keys_backward, .groups = 6},
       {{{2, 5, 30}, {2, 5, 18}}, {{2, 5, 30}, {2, 5, 3}}}},
      {{Family::convolution}, {{{3, 5, 4, 4}, {4, 5, 2, 3}}, {{3, 4, 3, 2}}}},
      {{.family = Family::concatenate, .dims = {1}}, {{{5, 2, 3}, {5, 4, 3}}, {{5, 6, 3}}}},
      {{.family = Family::stack, .dims = {1}}, {{{5, 4}, {5, 4}}, {{5, 2, 4}}}},
      {{.family = Family::split, .dims = {1}}, {{{5, 6}}, {{5, 4}, {5, 2}}}},
      {{.family = Family::index, .dims = {1}}, {{{5, 6, 3}, {4}}, {{5, 4, 3}}}, {0, 6}},
      {{.family = Family::gather, .dims = {1}}, {{{5, 6}, {5, 4}}, {{5, 4}}}, {0, 6}},
      {{.family = Family::scatter, .dims = {1}}, {{{5, 6}, {5, 4}, {5, 4}}, {{5, 6}}}, {0, 6, 0}},
      {{Family::factory}, {{}, {{5, 4}}}},
      {{Family::arange}, {{}, {{5}}}},
      {{Family::dropout}, {{{5, 4}}, {{5, 4}}}},
      {{Family::cross_entropy}, {{{3, 4, 7}, {3, 4}}, {{3, 4, 2}}}, {0, 7}},
      {{Family::cross_entropy_backward}, {{{3, 4, 7}, {3, 4}, {3, 4, 2}}, {{3, 4, 7}}}, {0, 7, -1}},
      {{Family::nll_loss}, {{{3, 4, 7}, {3, 4}}, {{}}}, {0, 7}},
      {{.family = Family::matrix, .dims = {1, 2}}, {{{5, 4, 3}}, {{5, 4, 3}}}},
      {{.family = Family::dispatch, .groups = 6}, {{{6, 2, 5}, {6, 2, 2}}, {{5, 24, 5}}}, {0, 5}},
      {{.family = Family::dispatch, .groups = 6}, {{{1, 12, 5}, {1, 12, 2}}, {{5, 24, 5}}}, {0, 5}},
      {{.family = Family::combine, .groups = 6}, {{{5, 24, 5}, {6, 2, 2}}, {{6, 2, 5}}}, {0, 5}},
      {{.family = Family::combine, .groups = 6},
       {{{5, 24, 5}, {1, 12, 2}, {1, 12, 2}}, {{1, 12, 5}}},
       {0, 5, 0}},
      {{.family = Family::combine_backward, .groups = 6},
       {{{6, 2, 5}, {5, 24, 5}, {6, 2, 2}, {6, 2, 2}}, {{5, 24, 5}, {6, 2, 2}}},
       {0, 0, 5, 0}},
      {{Family::opaque}, {{{5, 4}, {3}}, {{2, 2}}}},
  };
  return list;
}

/// Layouts of operands and results.
struct Way {
  std::vector<Layout> operands;
  std::vector<Layout> results;
};

Way way_of(const Signature& signature, const Sharding& sharding) {
  Way way;
  for (int i = 0; i < static_cast<int>(signature.operands.size()); ++i)
    way.operands.push_back(operand_layout(signature, sharding, i));
  for (int r = 0; r < static_cast<int>(signature.results.size()); ++r)
    way.results.push_back(result_layout(signature, sharding, r));
  return way;
}

/// Over all shardings on all small meshes: what is wrong first, and how many were looked at.
struct Proved {
  std::string problem;
  int shardings = 0;
};

Proved prove(const Case& proved, const Signature& signature) {
  static const std::vector<std::vector<int>> meshes{{2}, {3}, {2, 2}, {2, 3}, {2, 2, 2}};
  Proved proof;
  for (const std::vector<int>& shape : meshes) {
    const Mesh mesh(shape);
    const Proof on_mesh(proved, signature.reduction, mesh);
    for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
      const Way way = way_of(signature, sharding);
      proof.problem = on_mesh.check(way.operands, way.results);
      if (!proof.problem.empty()) return proof;
      ++proof.shardings;
    }
  }
  return proof;
}

TEST_CASE("rules: every sharding of every family computes what the whole operator does") {
  int shardings = 0;
  for (const Case& proved : cases()) {
    const Proved proof = prove(proved, signature_of(proved.operation, proved.shapes));
    CHECK(proof.problem == "");
    shardings += proof.shardings;
  }
  CHECK(shardings > 7000);
}

TEST_CASE("rules: a wrong rule does not pass the proof") {
  const auto refuted = [](const Case& wrong, std::string_view notation,
                          const std::map<char, std::int64_t>& sizes = {},
                          std::vector<int> passes = {}) {
    Signature signature = parse_signature(notation, wrong.shapes, sizes);
    signature.passes = std::move(passes);
    return !prove(wrong, signature).problem.empty();
  };
  const Case softmax{{.family = Family::softmax, .dims = {1}}, {{{5, 4}}, {{5, 4}}}};
  CHECK_FALSE(refuted(softmax, "a _ -> a _"));
  CHECK(refuted(softmax, "a b -> a b"));
  const Case pointwise{{Family::pointwise}, {{{5, 4}}, {{5, 4}}}};
  CHECK(refuted(pointwise, "a b -> a b", {}, {0}));  // a product of sums
  const Case merge{{Family::view}, {{{4, 3}}, {{12}}}};
  CHECK_FALSE(refuted(merge, "a _ -> (a b)", {{'a', 4}}));
  CHECK(refuted(merge, "_ b -> (b a)", {{'b', 3}}));  // the inner of two dims
  const Case reduced{{.family = Family::sum, .dims = {0}}, {{{5, 4}}, {{4}}}};
  CHECK(refuted(reduced, "a b -> _"));
  const Case attention{{.family = Family::attention, .groups = 6},
                       {{{2, 5, 24}, {2, 5, 12}, {2, 5, 18}}, {{2, 5, 36}, {2, 5, 12}}}};
  CHECK(refuted(attention, "_ s (k q), _ s (k d), _ s (k v) -> _ s (k w), _ s (k g)", {{'k', 6}}));
}

std::string text_of(const Way& way) {
  std::vector<std::string> operands;
  std::vector<std::string> results;
  for (const Layout& layout : way.operands) operands.push_back(format(layout));
  for (const Layout& layout : way.results) results.push_back(format(layout));
  return fmt::format("{} -> {}", fmt::join(operands, " "), fmt::join(results, " "));
}

/// Whatever layouts of operands and results hold on two ranks, found by trying all.
std::set<std::string> all_that_hold(const Case& tried) {
  const Mesh mesh({2});
  const Proof proof(tried, Reduction::sum, mesh);
  std::vector<Way> ways{{}};
  const auto extend = [&](const Shape& shape, std::vector<Layout> Way::*side) {
    std::vector<Way> longer;
    for (const Way& way : ways)
      for (int dim = -2; dim < static_cast<int>(shape.size()); ++dim) {
        Layout layout{{placement::Replicate{}}, {}};
        if (dim == -2) layout.placements = {placement::Partial{}};
        if (dim >= 0) layout.placements = {placement::Shard{dim}};
        longer.push_back(way);
        (longer.back().*side).push_back(layout);
      }
    ways = std::move(longer);
  };
  for (const Shape& shape : tried.shapes.operands) extend(shape, &Way::operands);
  for (const Shape& shape : tried.shapes.results) extend(shape, &Way::results);
  std::set<std::string> holding;
  for (const Way& way : ways) {
    try {
      if (proof.check(way.operands, way.results).empty()) holding.insert(text_of(way));
    } catch (const std::out_of_range&) {  // pieces that do not fit each other
    }
  }
  return holding;
}

TEST_CASE("rules: what a rule does not offer does not hold") {
  // But for sums that pass through products with whole tensors, or through either side of a
  // condition, which AutoParallel leaves out as well: to reduce them first saves work.
  const std::set<std::string> left_out{
      "einsum P(sum) R -> P(sum)",       "einsum R P(sum) -> P(sum)",
      "convolution P(sum) R -> P(sum)",  "convolution R P(sum) -> P(sum)",
      "embedding P(sum) R -> P(sum)",    "compare R P(sum) P(sum) -> P(sum)",
      "attention R R P(sum) -> P(sum) R"};
  std::set<std::string> missing;
  const std::vector<Case> tried{
      {{.family = Family::einsum, .equation = "m k, k n -> m n"}, {{{4, 6}, {6, 8}}, {{4, 8}}}},
      {{Family::linear_pointwise}, {{{4, 6}, {4, 6}}, {{4, 6}}}},
      {{Family::pointwise}, {{{4, 6}, {4, 6}}, {{4, 6}}}},
      {{Family::compare}, {{{4, 6}, {4, 6}, {4, 6}}, {{4, 6}}}},
      {{Family::view}, {{{4, 6, 2}}, {{24, 2}}}},
      {{.family = Family::permute, .dims = {1, 2, 0}}, {{{4, 6, 2}}, {{6, 2, 4}}}},
      {{.family = Family::sum, .dims = {1}}, {{{4, 6, 2}}, {{4, 2}}}},
      {{.family = Family::softmax, .dims = {1}}, {{{4, 6}}, {{4, 6}}}},
      {{Family::norm}, {{{4, 6, 2}, {2}}, {{4, 6, 2}, {4, 6, 1}}}},
      {{Family::embedding}, {{{8, 6}, {4, 2}}, {{4, 2, 6}}}, {0, 8}},
      {{Family::embedding_backward}, {{{4, 2, 6}, {4, 2}}, {{8, 6}}}, {0, 8}},
      {{Family::cross_entropy}, {{{4, 6}, {4}}, {{4, 2}}}, {0, 6}},
      {{Family::convolution}, {{{4, 6, 3, 3}, {2, 6, 2, 2}}, {{4, 2, 2, 2}}}},
      {{.family = Family::concatenate, .dims = {1}}, {{{4, 2}, {4, 6}}, {{4, 8}}}},
      {{.family = Family::attention, .groups = 2},
       {{{2, 4, 4}, {2, 4, 2}, {2, 4, 2}}, {{2, 4, 4}, {2, 4, 4}}},
       {},
       1e-12},
  };
  for (const Case& c : tried) {
    const Signature signature = signature_of(c.operation, c.shapes);
    std::set<std::string> offered;
    for (const Sharding& sharding : enumerate_shardings(signature, Mesh({2})))
      offered.insert(text_of(way_of(signature, sharding)));
    const std::set<std::string> holding = all_that_hold(c);
    CHECK(std::includes(holding.begin(), holding.end(), offered.begin(), offered.end()));
    for (const std::string& way : holding)
      if (!offered.contains(way))
        missing.insert(fmt::format("{} {}", name_of(c.operation.family), way));
  }
  CHECK(missing == left_out);
}

TEST_CASE("rules: no family is without a proof") {
  std::set<Family> proved;
  for (const Case& c : cases()) proved.insert(c.operation.family);
  for (const auto& [name, family] : family_names) {
    INFO(name);
    CHECK(name_of(family) == name);
    CHECK(proved.contains(family));
  }
}

}  // namespace
}  // namespace strategies::autoshard
