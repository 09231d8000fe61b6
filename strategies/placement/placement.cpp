#include "strategies/placement/placement.hpp"

#include <fmt/format.h>

#include <numeric>

#include "base/name_table.hpp"

namespace strategies::placement {

std::string_view name_of(Reduction reduction) { return base::name_in(reduction_names, reduction); }

std::optional<int> sharded_dim(const Placement& placement) {
  if (const auto* shard = std::get_if<Shard>(&placement)) return shard->dim;
  if (const auto* strided = std::get_if<StridedShard>(&placement)) return strided->dim;
  if (const auto* interleaved = std::get_if<InterleavedShard>(&placement)) return interleaved->dim;
  return std::nullopt;
}

bool is_ragged(const Placement& placement) {
  return std::holds_alternative<RaggedShard>(placement);
}

bool is_replicate(const Placement& placement) {
  return std::holds_alternative<Replicate>(placement);
}

std::optional<Reduction> pending(const Placement& placement) {
  const auto* partial = std::get_if<Partial>(&placement);
  return partial == nullptr ? std::nullopt : std::optional(partial->op);
}

std::vector<int> shard_order(const Layout& layout) {
  if (!layout.order.empty()) return layout.order;
  std::vector<int> order(layout.placements.size());
  std::iota(order.begin(), order.end(), 0);
  return order;
}

std::string format(const Placement& placement) {
  struct Writer {
    std::string operator()(const Replicate&) const { return "R"; }
    std::string operator()(const Shard& s) const { return fmt::format("S({})", s.dim); }
    std::string operator()(const StridedShard& s) const {
      return fmt::format("Strided({}; {})", s.dim, s.split_factor);
    }
    std::string operator()(const InterleavedShard& s) const {
      return fmt::format("Interleaved({}; {})", s.dim, s.groups);
    }
    std::string operator()(const Partial& p) const { return fmt::format("P({})", name_of(p.op)); }
    std::string operator()(const RaggedShard& r) const {
      return fmt::format("Ragged({}; {})", fmt::join(r.dims, ","), fmt::join(r.units, ","));
    }
  };
  return std::visit(Writer{}, placement);
}

std::string format(const Layout& layout) {
  const std::vector<int> order = shard_order(layout);
  // Turn of each mesh dim among those that shard the same tensor dim; and whether one of these is
  // out of turn.
  const auto turn_of = [&](int mesh_dim, bool& out_of_turn) {
    const std::optional<int> dim =
        sharded_dim(layout.placements[static_cast<std::size_t>(mesh_dim)]);
    int turn = 0;
    int seen = 0;
    int last = -1;
    for (const int other : order) {
      if (sharded_dim(layout.placements[static_cast<std::size_t>(other)]) != dim) continue;
      if (other == mesh_dim) turn = seen;
      out_of_turn = out_of_turn || other < last;
      last = other;
      ++seen;
    }
    return turn;
  };
  std::string text;
  for (std::size_t d = 0; d < layout.placements.size(); ++d) {
    text += d == 0 ? "" : ", ";
    text += format(layout.placements[d]);
    bool out_of_turn = false;
    if (!sharded_dim(layout.placements[d])) continue;
    const int turn = turn_of(static_cast<int>(d), out_of_turn);
    if (out_of_turn) text += fmt::format("[{}]", turn);
  }
  return text;
}

}  // namespace strategies::placement
