#include "strategies/placement/redistribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.hpp"
#include "strategies/placement/messages.hpp"

namespace strategies::placement {

namespace {

std::int64_t largest(const std::vector<std::int64_t>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

/// Both ends of a redistribution, valid and exact.
struct Ends {
  const Layout& from;
  const Layout& to;
  std::vector<Piece> source;
  std::vector<Piece> target;
};

std::vector<const ElementSet*> sets_of(const std::vector<Piece>& pieces) {
  std::vector<const ElementSet*> sets;
  for (const Piece& piece : pieces) sets.push_back(&piece.elements);
  return sets;
}

std::vector<const ElementSet*> sets_of(const std::vector<ElementSet>& elements) {
  std::vector<const ElementSet*> sets;
  for (const ElementSet& set : elements) sets.push_back(&set);
  return sets;
}

/// The reduction along mesh dim `d` is due: the target does not wait for it any longer.
bool reduces_along(const Ends& ends, int d) {
  const auto at = static_cast<std::size_t>(d);
  return pending(ends.from.placements[at]).has_value() &&
         ends.from.placements[at] != ends.to.placements[at];
}

int changed_dims(const Ends& ends) {
  int changed = 0;
  for (std::size_t d = 0; d < ends.from.placements.size(); ++d)
    if (ends.from.placements[d] != ends.to.placements[d]) ++changed;
  return changed;
}

std::vector<int> reduced_dims(const Ends& ends, const Mesh& mesh) {
  std::vector<int> dims;
  for (int d = 0; d < mesh.dims(); ++d)
    if (reduces_along(ends, d)) dims.push_back(d);
  return dims;
}

/// Becomes Partial along mesh dim `d`.
bool defers_along(const Ends& ends, int d) {
  const auto at = static_cast<std::size_t>(d);
  return pending(ends.to.placements[at]).has_value() &&
         ends.from.placements[at] != ends.to.placements[at];
}

std::vector<Relation> relations_of(const Ends& ends, const Mesh& mesh) {
  std::vector<Relation> relations;
  for (int d = 0; d < mesh.dims(); ++d) {
    const Placement& from = ends.from.placements[static_cast<std::size_t>(d)];
    if (reduces_along(ends, d))
      relations.push_back(Relation::reduce);
    else if (is_replicate(from) || pending(from) || defers_along(ends, d))
      relations.push_back(Relation::same);
    else
      relations.push_back(Relation::any);
  }
  return relations;
}

/// Ranks whose contribution along a mesh dim that becomes Partial is the neutral element want
/// nothing: those beyond coordinate 0, unless each brings its own shard.
std::vector<const ElementSet*> wanted_of(const Ends& ends, const Mesh& mesh) {
  std::vector<const ElementSet*> wanted = sets_of(ends.target);
  for (int rank = 0; rank < mesh.size(); ++rank)
    for (int d = 0; d < mesh.dims(); ++d) {
      const Placement& from = ends.from.placements[static_cast<std::size_t>(d)];
      const bool own_shard = !is_replicate(from) && !pending(from);
      if (defers_along(ends, d) && !own_shard && mesh.coordinate(rank, d) > 0)
        wanted[static_cast<std::size_t>(rank)] = nullptr;
    }
  return wanted;
}

/// Conservation: every element that is wanted arrives once, or once from each contributor.
void check_conservation(const Ends& ends, const RedistributionStep& step, const Mesh& mesh) {
  std::int64_t arrived = std::accumulate(step.kept.begin(), step.kept.end(), step.traffic());
  std::int64_t contributors = 1;
  for (int d = 0; d < mesh.dims(); ++d) {
    const Placement& from = ends.from.placements[static_cast<std::size_t>(d)];
    if (reduces_along(ends, d)) contributors *= mesh.extent(d);
    // Shards that become contributions: together the ranks along `d` bring each element once.
    if (defers_along(ends, d) && !is_replicate(from) && !pending(from)) arrived *= mesh.extent(d);
  }
  std::int64_t wanted = 0;
  for (const ElementSet* set : wanted_of(ends, mesh)) wanted += set == nullptr ? 0 : set->size();
  CHECK_INVARIANT(arrived == wanted * contributors);
}

void add_step(Redistribution& way, RedistributionStep step) {
  if (!step.messages.empty()) way.steps.push_back(std::move(step));
}

/// Everything at once.
Redistribution directly(const Ends& ends, const Mesh& mesh) {
  Redistribution way;
  add_step(way, run_exchange(
                    {relations_of(ends, mesh), sets_of(ends.source), wanted_of(ends, mesh)}, mesh));
  if (!way.steps.empty()) check_conservation(ends, way.steps.front(), mesh);
  return way;
}

/// Each rank's share of its own elements, evenly among the ranks along `mesh_dims`.
std::vector<ElementSet> shares_of(const std::vector<Piece>& pieces,
                                  const std::vector<int>& mesh_dims, const Mesh& mesh) {
  std::vector<ElementSet> shares;
  for (int rank = 0; rank < mesh.size(); ++rank) {
    const ElementSet& whole = pieces[static_cast<std::size_t>(rank)].elements;
    const std::vector<int> group = mesh.group_of(rank, mesh_dims);
    const auto index = std::find(group.begin(), group.end(), rank) - group.begin();
    shares.push_back(
        whole.slice(even_part(whole.size(), static_cast<std::int64_t>(group.size()), index)));
  }
  return shares;
}

/// Reduces what the source holds, each rank a share of it; then moves the shares.
Redistribution reduce_first(const Ends& ends, const Mesh& mesh) {
  const std::vector<int> reduced = reduced_dims(ends, mesh);
  const std::vector<ElementSet> shares = shares_of(ends.source, reduced, mesh);
  std::vector<Relation> reducing(static_cast<std::size_t>(mesh.dims()), Relation::same);
  std::vector<Relation> moving = relations_of(ends, mesh);
  for (const int d : reduced) {
    reducing[static_cast<std::size_t>(d)] = Relation::reduce;
    const bool waits = defers_along(ends, d);  // for another reduction: shares are contributions
    moving[static_cast<std::size_t>(d)] = waits ? Relation::same : Relation::any;
  }
  std::vector<const ElementSet*> wanted = sets_of(ends.target);
  for (int rank = 0; rank < mesh.size(); ++rank)
    for (int d = 0; d < mesh.dims(); ++d)
      if (defers_along(ends, d) &&
          is_replicate(ends.from.placements[static_cast<std::size_t>(d)]) &&
          mesh.coordinate(rank, d) > 0)
        wanted[static_cast<std::size_t>(rank)] = nullptr;
  Redistribution way;
  add_step(way, run_exchange({reducing, sets_of(ends.source), sets_of(shares)}, mesh));
  add_step(way, run_exchange({moving, sets_of(shares), wanted}, mesh));
  return way;
}

/// Mesh dims along which a reduction ends in copies.
std::vector<int> copied_dims(const Ends& ends, const Mesh& mesh) {
  std::vector<int> copied;
  for (const int d : reduced_dims(ends, mesh))
    if (is_replicate(ends.to.placements[static_cast<std::size_t>(d)])) copied.push_back(d);
  return copied;
}

/// Reduces what the target wants, each rank a share of it; then gathers the copies.
Redistribution gather_last(const Ends& ends, const Mesh& mesh) {
  const std::vector<int> copied = copied_dims(ends, mesh);
  const std::vector<ElementSet> shares = shares_of(ends.target, copied, mesh);
  std::vector<const ElementSet*> shares_wanted = sets_of(shares);
  const std::vector<const ElementSet*> wanted = wanted_of(ends, mesh);
  for (std::size_t rank = 0; rank < wanted.size(); ++rank)
    if (wanted[rank] == nullptr) shares_wanted[rank] = nullptr;
  std::vector<Relation> gathering(static_cast<std::size_t>(mesh.dims()), Relation::same);
  for (const int d : copied) gathering[static_cast<std::size_t>(d)] = Relation::any;
  Redistribution way;
  add_step(way,
           run_exchange({relations_of(ends, mesh), sets_of(ends.source), shares_wanted}, mesh));
  add_step(way, run_exchange({gathering, sets_of(shares), wanted}, mesh));
  return way;
}

void keep_better(Redistribution& best, Redistribution other) {
  const auto cost = [](const Redistribution& way) {
    return std::pair(way.traffic(), way.steps.size());
  };
  if (cost(other) < cost(best)) best = std::move(other);
}

Redistribution best_of_ends(const Ends& ends, const Mesh& mesh) {
  Redistribution best = directly(ends, mesh);
  if (reduced_dims(ends, mesh).empty()) return best;
  keep_better(best, reduce_first(ends, mesh));
  if (!copied_dims(ends, mesh).empty()) keep_better(best, gather_last(ends, mesh));
  return best;
}

/// One mesh dim after the other, in `sequence`, as DTensor does; an error where a layout on the way
/// cannot be.
base::Result<Redistribution> dim_by_dim(const Ends& ends, const std::vector<int>& sequence,
                                        const Shape& shape, const Mesh& mesh) {
  Redistribution way;
  Layout now = ends.from;
  std::vector<Piece> held = ends.source;
  for (const int d : sequence) {
    Layout next = now;
    next.placements[static_cast<std::size_t>(d)] = ends.to.placements[static_cast<std::size_t>(d)];
    if (next == now) continue;
    base::Result<std::vector<Piece>> pieces = distribute(next, shape, mesh);
    if (!pieces) return tl::unexpected(std::move(pieces).error());
    for (RedistributionStep& step : best_of_ends({now, next, held, *pieces}, mesh).steps)
      way.steps.push_back(std::move(step));
    now = std::move(next);
    held = std::move(*pieces);
  }
  return way;
}

}  // namespace

std::int64_t RedistributionStep::traffic() const {
  return std::accumulate(messages.begin(), messages.end(), std::int64_t{0},
                         [](std::int64_t sum, const Message& m) { return sum + m.elements; });
}

std::vector<std::int64_t> RedistributionStep::sent(int ranks) const {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(ranks), 0);
  for (const Message& m : messages) sums[static_cast<std::size_t>(m.from)] += m.elements;
  return sums;
}

std::vector<std::int64_t> RedistributionStep::received(int ranks) const {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(ranks), 0);
  for (const Message& m : messages) sums[static_cast<std::size_t>(m.to)] += m.elements;
  return sums;
}

std::int64_t RedistributionStep::max_sent() const {
  return largest(sent(static_cast<int>(kept.size())));
}

std::int64_t RedistributionStep::max_received() const {
  return largest(received(static_cast<int>(kept.size())));
}

std::string RedistributionStep::describe() const {
  return fmt::format("{}{} over mesh dim{} {}", base::name_of(op), uneven ? "_v" : "",
                     mesh_dims.size() == 1 ? "" : "s", fmt::join(mesh_dims, ", "));
}

std::int64_t Redistribution::traffic() const {
  return std::accumulate(
      steps.begin(), steps.end(), std::int64_t{0},
      [](std::int64_t sum, const RedistributionStep& step) { return sum + step.traffic(); });
}

base::Result<Redistribution> redistribute(const Layout& from, const Layout& to, const Shape& shape,
                                          const Mesh& mesh, const base::SourceRef& where) {
  base::Result<std::vector<Piece>> source = distribute(from, shape, mesh, where);
  base::Result<std::vector<Piece>> target = distribute(to, shape, mesh, where);
  base::Diagnostics problems = source ? base::Diagnostics{} : source.error();
  if (!target) problems.insert(problems.end(), target.error().begin(), target.error().end());
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  const Ends ends{from, to, std::move(*source), std::move(*target)};
  Redistribution best = best_of_ends(ends, mesh);
  // Where a reduction meets changes along other mesh dims, cutting first can make it smaller.
  if (shard_order(from) == shard_order(to) && !reduced_dims(ends, mesh).empty() &&
      changed_dims(ends) > 1) {
    std::vector<int> sequence(static_cast<std::size_t>(mesh.dims()));
    std::iota(sequence.begin(), sequence.end(), 0);
    for (int direction = 0; direction < 2; ++direction) {
      if (base::Result<Redistribution> way = dim_by_dim(ends, sequence, shape, mesh))
        keep_better(best, std::move(*way));
      std::reverse(sequence.begin(), sequence.end());
    }
  }
  return best;
}

}  // namespace strategies::placement
