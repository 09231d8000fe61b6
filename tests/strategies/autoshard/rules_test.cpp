#include "strategies/autoshard/rules.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "tests/strategies/autoshard/interpreter.hpp"
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

struct Case {
  Operation operation;
  Shapes shapes;
  /// By operand: its values are indices below this; 0: values from -3 to 3; -1: from 1 to 7.
  std::vector<int> below = {};
  /// Relative; 0: exact. For contributions that are rounded before they are summed.
  double tolerance = 0;
};

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

Indices iota(std::int64_t size) {
  Indices all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

Held whole(const Shape& shape) {
  Held held{
      {shape, std::vector<double>(static_cast<std::size_t>(placement::element_count(shape)), 0)},
      {},
      shape};
  for (const std::int64_t size : shape) held.indices.push_back(iota(size));
  return held;
}

/// Where the rank's pieces of a tensor are, still without values.
Held place(const Layout& layout, const Shape& shape, const Mesh& mesh, int rank) {
  Held held;
  held.whole = shape;
  for (const std::int64_t size : shape) held.indices.push_back(iota(size));
  for (const int d : placement::shard_order(layout)) {
    const auto dim = placement::sharded_dim(layout.placements[static_cast<std::size_t>(d)]);
    if (!dim) continue;
    Indices& along = held.indices[static_cast<std::size_t>(*dim)];
    along = placement::chunk_of(along, mesh.extent(d), mesh.coordinate(rank, d));
  }
  for (const Indices& along : held.indices)
    held.piece.shape.push_back(static_cast<std::int64_t>(along.size()));
  held.piece.data.assign(static_cast<std::size_t>(placement::element_count(held.piece.shape)), 0);
  return held;
}

/// The rank's number among those that contribute to the same elements; and how many these are.
std::pair<int, int> contribution(const Layout& layout, const Mesh& mesh, int rank) {
  std::pair<int, int> at{0, 1};
  for (int d = 0; d < mesh.dims(); ++d)
    if (placement::pending(layout.placements[static_cast<std::size_t>(d)])) {
      at.first = at.first * mesh.extent(d) + mesh.coordinate(rank, d);
      at.second *= mesh.extent(d);
    }
  return at;
}

double combined(Reduction reduction, double a, double b) {
  switch (reduction) {
    case Reduction::max: return std::max(a, b);
    case Reduction::min: return std::min(a, b);
    case Reduction::product: return a * b;
    default: return a + b;
  }
}

/// Contribution number `part` of `parts` to a value at `element`.
double share(Reduction reduction, double value, std::int64_t element, int part, int parts) {
  const auto other = [&](int p) { return static_cast<double>((element * 5 + p * 3) % 7 - 3); };
  const int last = parts - 1;
  switch (reduction) {
    case Reduction::max: return part == last ? value : value - std::abs(other(part));
    case Reduction::min: return part == last ? value : value + std::abs(other(part));
    case Reduction::product: return part == last ? value : 1;
    default: break;
  }
  if (part < last) return other(part);
  for (int p = 0; p < last; ++p) value -= other(p);
  return value;
}

placement::Elements elements(const Layout& layout, const Shape& shape, const Mesh& mesh, int rank) {
  const auto pieces = placement::distribute(layout, shape, mesh);
  REQUIRE(pieces);
  return placement::elements_of((*pieces)[static_cast<std::size_t>(rank)].elements, shape);
}

class Proof {
 public:
  Proof(const Case& proved, Signature signature, const Mesh& mesh)
      : case_(proved), mesh_(mesh), signature_(std::move(signature)) {
    placement::Dice dice(1);
    for (std::size_t i = 0; i < case_.shapes.operands.size(); ++i) {
      Held held = whole(case_.shapes.operands[i]);
      const int below = i < case_.below.size() ? case_.below[i] : 0;
      for (double& value : held.piece.data)
        value = below > 0 ? dice(below) : dice(7) + (below == 0 ? -3 : 1);
      operands_.push_back(std::move(held));
    }
    for (const Shape& shape : case_.shapes.results) results_.push_back(whole(shape));
    run(case_.operation, operands_, results_);
  }

  /// What is wrong with a sharding; empty: it holds.
  std::string check(const Sharding& sharding) const {
    std::vector<std::vector<Held>> results;  // by rank
    for (int rank = 0; rank < mesh_.size(); ++rank) {
      std::vector<Held> held;
      for (std::size_t i = 0; i < operands_.size(); ++i)
        held.push_back(cut(i, operand_layout(signature_, sharding, static_cast<int>(i)), rank));
      std::vector<Held>& made = results.emplace_back();
      for (std::size_t r = 0; r < results_.size(); ++r)
        made.push_back(place(result_layout(signature_, sharding, static_cast<int>(r)),
                             case_.shapes.results[r], mesh_, rank));
      run(case_.operation, held, made);
    }
    std::string problem;
    for (std::size_t r = 0; r < results_.size() && problem.empty(); ++r)
      problem = compare(sharding, r, results);
    return problem;
  }

 private:
  Held cut(std::size_t operand, const Layout& layout, int rank) const {
    const Held& full = operands_[operand];
    Held held = place(layout, full.whole, mesh_, rank);
    const placement::Elements own = elements(layout, full.whole, mesh_, rank);
    REQUIRE(own.size() == held.piece.data.size());
    const auto [part, parts] = contribution(layout, mesh_, rank);
    for (std::size_t e = 0; e < own.size(); ++e)
      held.piece.data[e] =
          share(signature_.reduction, full.piece.data[static_cast<std::size_t>(own[e])], own[e],
                part, parts);
    return held;
  }

  std::string compare(const Sharding& sharding, std::size_t result,
                      const std::vector<std::vector<Held>>& made) const {
    const Layout layout = result_layout(signature_, sharding, static_cast<int>(result));
    const Held& full = results_[result];
    const auto problem = [&](std::string_view text, std::int64_t element) {
      return fmt::format("{}, result {} as {}: element {} {}", name_of(case_.operation.family),
                         result, format(layout), element, text);
    };
    const int parts = contribution(layout, mesh_, 0).second;
    // By element and contribution.
    std::vector<std::vector<std::optional<double>>> values(
        full.piece.data.size(),
        std::vector<std::optional<double>>(static_cast<std::size_t>(parts)));
    for (int rank = 0; rank < mesh_.size(); ++rank) {
      const placement::Elements own = elements(layout, full.whole, mesh_, rank);
      const Tensor& piece = made[static_cast<std::size_t>(rank)][result].piece;
      REQUIRE(own.size() == piece.data.size());
      const auto part = static_cast<std::size_t>(contribution(layout, mesh_, rank).first);
      for (std::size_t e = 0; e < own.size(); ++e) {
        std::optional<double>& value = values[static_cast<std::size_t>(own[e])][part];
        if (value && *value != piece.data[e]) return problem("differs between copies", own[e]);
        value = piece.data[e];
      }
    }
    for (std::size_t e = 0; e < values.size(); ++e) {
      double value = values[e].front().value();
      for (std::size_t p = 1; p < values[e].size(); ++p)
        value = combined(signature_.reduction, value, values[e][p].value());
      const double expected = full.piece.data[e];
      CHECK_INVARIANT(std::isfinite(expected));
      if (!(std::abs(value - expected) <= case_.tolerance * std::max(1.0, std::abs(expected))))
        return problem(fmt::format("is {}, not {}", value, expected), static_cast<std::int64_t>(e));
    }
    return {};
  }

  const Case& case_;
  const Mesh& mesh_;
  Signature signature_;
  std::vector<Held> operands_;
  std::vector<Held> results_;
};

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
    const Proof on_mesh(proved, signature, mesh);
    for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
      proof.problem = on_mesh.check(sharding);
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
