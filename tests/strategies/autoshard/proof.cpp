#include "tests/strategies/autoshard/proof.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;
using placement::Mesh;
using placement::Reduction;
using placement::Shape;

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

}  // namespace

Proof::Proof(const Case& proved, Reduction reduction, Mesh mesh)
    : case_(proved), reduction_(reduction), mesh_(std::move(mesh)) {
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

std::string Proof::check(const std::vector<Layout>& operands,
                         const std::vector<Layout>& results) const {
  std::vector<std::vector<Held>> all;  // by rank
  for (int rank = 0; rank < mesh_.size(); ++rank) {
    std::vector<Held> held;
    for (std::size_t i = 0; i < operands_.size(); ++i) held.push_back(cut(i, operands[i], rank));
    std::vector<Held>& made = all.emplace_back();
    for (std::size_t r = 0; r < results_.size(); ++r)
      made.push_back(place(results[r], case_.shapes.results[r], mesh_, rank));
    run(case_.operation, held, made);
  }
  std::string problem;
  for (std::size_t r = 0; r < results_.size() && problem.empty(); ++r)
    problem = compare(results[r], r, all);
  return problem;
}

Held Proof::cut(std::size_t operand, const Layout& layout, int rank) const {
  const Held& full = operands_[operand];
  Held held = place(layout, full.whole, mesh_, rank);
  const placement::Elements own = elements(layout, full.whole, mesh_, rank);
  REQUIRE(own.size() == held.piece.data.size());
  const auto [part, parts] = contribution(layout, mesh_, rank);
  for (std::size_t e = 0; e < own.size(); ++e)
    held.piece.data[e] =
        share(reduction_, full.piece.data[static_cast<std::size_t>(own[e])], own[e], part, parts);
  return held;
}

std::string Proof::compare(const Layout& layout, std::size_t result,
                           const std::vector<std::vector<Held>>& made) const {
  const Held& full = results_[result];
  const auto problem = [&](std::string_view text, std::int64_t element) {
    return fmt::format("{}, result {} as {}: element {} {}", name_of(case_.operation.family),
                       result, format(layout), element, text);
  };
  const int parts = contribution(layout, mesh_, 0).second;
  // By element and contribution.
  std::vector<std::vector<std::optional<double>>> values(
      full.piece.data.size(), std::vector<std::optional<double>>(static_cast<std::size_t>(parts)));
  for (int rank = 0; rank < mesh_.size(); ++rank) {
    const placement::Elements own = elements(layout, full.whole, mesh_, rank);
    const Tensor& piece = made[static_cast<std::size_t>(rank)][result].piece;
    if (own.size() != piece.data.size()) return problem("is in a piece of another size", 0);
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
      value = combined(reduction_, value, values[e][p].value());
    const double expected = full.piece.data[e];
    CHECK_INVARIANT(std::isfinite(expected));
    if (!(std::abs(value - expected) <= case_.tolerance * std::max(1.0, std::abs(expected))))
      return problem(fmt::format("is {}, not {}", value, expected), static_cast<std::int64_t>(e));
  }
  return {};
}

}  // namespace strategies::autoshard
