#include "strategies/placement/op_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace strategies::placement {

namespace {

base::Result<OpSharding> fail(const base::SourceRef& where, std::string message, std::string hint) {
  return tl::unexpected(base::Diagnostics{{where, std::move(message), std::move(hint)}});
}

bool contains(const std::vector<int>& values, int value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

Layout all_replicate(const Mesh& mesh) {
  return {std::vector<Placement>(static_cast<std::size_t>(mesh.dims()), Replicate{}), {}};
}

/// The same placement of another tensor dim.
Placement with_dim(Placement placement, int dim) {
  if (auto* shard = std::get_if<Shard>(&placement)) shard->dim = dim;
  if (auto* strided = std::get_if<StridedShard>(&placement)) strided->dim = dim;
  if (auto* interleaved = std::get_if<InterleavedShard>(&placement)) interleaved->dim = dim;
  return placement;
}

// --- element-wise ----------------------------------------------------------------------------

std::optional<Shape> broadcast(const std::vector<Operand>& operands) {
  Shape shape;  // innermost dim first
  for (const Operand& operand : operands)
    for (std::size_t d = 0; d < operand.shape.size(); ++d) {
      const std::int64_t size = operand.shape[operand.shape.size() - 1 - d];
      if (shape.size() <= d) shape.push_back(1);
      if (shape[d] != 1 && size != 1 && shape[d] != size) return std::nullopt;
      if (size != 1) shape[d] = size;
    }
  std::reverse(shape.begin(), shape.end());
  return shape;
}

/// The layout of a result of `shape`, placed like the operand of that shape with most sharded mesh
/// dims; the first of equals.
Layout leading_layout(const std::vector<Operand>& operands, const Shape& shape, const Mesh& mesh) {
  const auto sharded = [](const Layout& layout) {
    return std::count_if(layout.placements.begin(), layout.placements.end(),
                         [](const auto& p) { return is_ragged(p) || sharded_dim(p).has_value(); });
  };
  const Operand* leader = nullptr;
  for (const Operand& operand : operands)
    if (operand.shape == shape &&
        (leader == nullptr || sharded(operand.layout) > sharded(leader->layout)))
      leader = &operand;
  return leader == nullptr ? all_replicate(mesh) : leader->layout;
}

/// What is pending along mesh dim `d` in any operand and may stay so.
std::optional<Reduction> linear_pending(const std::vector<Operand>& operands, std::size_t d) {
  for (const Operand& operand : operands)
    if (const auto op = pending(operand.layout.placements[d]))
      if (op == Reduction::sum || op == Reduction::avg) return op;
  return std::nullopt;
}

/// What an operand of `own` shape needs along a mesh dim where the result of `shape` has `wanted`.
Placement needed(const Placement& wanted, const Shape& own, const Shape& shape) {
  const auto missing = static_cast<int>(shape.size() - own.size());
  const auto same_size = [&](int dim) {
    return dim >= missing &&
           own[static_cast<std::size_t>(dim - missing)] == shape[static_cast<std::size_t>(dim)];
  };
  if (const std::optional<int> dim = sharded_dim(wanted))
    return same_size(*dim) ? with_dim(wanted, *dim - missing) : Placement(Replicate{});
  const auto* ragged = std::get_if<RaggedShard>(&wanted);
  if (ragged == nullptr) return wanted;
  const bool all_same = std::all_of(ragged->dims.begin(), ragged->dims.end(), same_size);
  return missing == 0 && all_same ? wanted : Placement(Replicate{});
}

base::Result<OpSharding> element_wise(const Op& op, const std::vector<Operand>& operands,
                                      const Mesh& mesh, const base::SourceRef& where) {
  const std::optional<Shape> shape = broadcast(operands);
  if (!shape) return fail(where, "the shapes of the operands do not broadcast", "as in NumPy");
  OpSharding sharding{{}, *shape, leading_layout(operands, *shape, mesh)};
  for (std::size_t d = 0; d < sharding.result.placements.size(); ++d) {
    Placement& placement = sharding.result.placements[d];
    if (is_ragged(placement) || sharded_dim(placement)) continue;
    if (op.kind == OpKind::copy) continue;
    const std::optional<Reduction> reduction =
        op.kind == OpKind::linear_pointwise ? linear_pending(operands, d) : std::nullopt;
    placement = reduction ? Placement(Partial{*reduction}) : Placement(Replicate{});
  }
  for (const Operand& operand : operands) {
    Layout layout = sharding.result;
    for (Placement& placement : layout.placements)
      placement = needed(placement, operand.shape, *shape);
    sharding.operands.push_back(std::move(layout));
  }
  return sharding;
}

// --- reductions ------------------------------------------------------------------------------

/// What is due after each rank has reduced what it holds; nothing: it must hold all of it.
std::optional<Reduction> deferred(OpKind kind) {
  switch (kind) {
    case OpKind::sum:
    case OpKind::mean: return Reduction::sum;
    case OpKind::maximum: return Reduction::max;
    case OpKind::minimum: return Reduction::min;
    case OpKind::product: return Reduction::product;
    case OpKind::norm: return Reduction::norm;
    default: return std::nullopt;
  }
}

/// A pending reduction that may come after the operator as well as before it.
bool passes(OpKind kind, Reduction reduction) {
  const bool linear = kind == OpKind::sum || kind == OpKind::mean;
  if (linear && reduction == Reduction::avg) return true;
  return deferred(kind) == reduction;
}

struct Reduced {
  Placement operand;
  Placement result;
};

Reduced reduce_along(const Op& op, const Placement& placement) {
  const std::optional<Reduction> due = deferred(op.kind);
  const Reduced gathered{Replicate{}, Replicate{}};
  const Reduced left{placement, due ? Placement(Partial{*due}) : Placement(Replicate{})};
  if (const std::optional<Reduction> reduction = pending(placement))
    return passes(op.kind, *reduction) ? Reduced{placement, placement} : gathered;
  if (const std::optional<int> dim = sharded_dim(placement)) {
    if (contains(op.reduced_dims, *dim)) return due ? left : gathered;
    const auto before = std::count_if(op.reduced_dims.begin(), op.reduced_dims.end(),
                                      [&](int reduced) { return reduced < *dim; });
    return {placement, with_dim(placement, *dim - static_cast<int>(before))};
  }
  if (const auto* ragged = std::get_if<RaggedShard>(&placement)) {
    const bool cut = std::any_of(ragged->dims.begin(), ragged->dims.end(),
                                 [&](int dim) { return contains(op.reduced_dims, dim); });
    if (cut) return due ? left : gathered;
  }
  return {placement, placement};
}

base::Result<OpSharding> reduction(const Op& op, const Operand& operand,
                                   const base::SourceRef& where) {
  const auto rank = static_cast<int>(operand.shape.size());
  for (std::size_t i = 0; i < op.reduced_dims.size(); ++i)
    if (op.reduced_dims[i] < 0 || op.reduced_dims[i] >= rank ||
        std::count(op.reduced_dims.begin(), op.reduced_dims.end(), op.reduced_dims[i]) > 1)
      return fail(where,
                  fmt::format("reduced dims {} of a tensor with {} dims",
                              fmt::join(op.reduced_dims, ","), rank),
                  "each once, from 0");
  OpSharding sharding{{operand.layout}, {}, operand.layout};
  for (int d = 0; d < rank; ++d)
    if (!contains(op.reduced_dims, d))
      sharding.result_shape.push_back(operand.shape[static_cast<std::size_t>(d)]);
  for (std::size_t d = 0; d < operand.layout.placements.size(); ++d) {
    Reduced reduced = reduce_along(op, operand.layout.placements[d]);
    sharding.operands.front().placements[d] = std::move(reduced.operand);
    sharding.result.placements[d] = std::move(reduced.result);
  }
  return sharding;
}

base::Result<OpSharding> apply_rule(const Op& op, const std::vector<Operand>& operands,
                                    const Mesh& mesh, const base::SourceRef& where) {
  switch (op.kind) {
    case OpKind::copy:
    case OpKind::linear_pointwise:
    case OpKind::pointwise: return element_wise(op, operands, mesh, where);
    case OpKind::opaque:
      return OpSharding{
          std::vector<Layout>(operands.size(), all_replicate(mesh)), {}, all_replicate(mesh)};
    default: break;
  }
  if (operands.size() != 1) return fail(where, "a reduction takes one operand", "");
  return reduction(op, operands.front(), where);
}

}  // namespace

base::Result<OpSharding> propagate(const Op& op, const std::vector<Operand>& operands,
                                   const Mesh& mesh, const base::SourceRef& where) {
  if (operands.empty()) return fail(where, "an operator without operands", "");
  base::Diagnostics problems;
  for (const Operand& operand : operands)
    for (base::Diagnostic& problem : check_layout(operand.layout, operand.shape, mesh, where))
      problems.push_back(std::move(problem));
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return apply_rule(op, operands, mesh, where);
}

}  // namespace strategies::placement
