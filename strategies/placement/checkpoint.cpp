#include "strategies/placement/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace strategies::placement {

namespace {

/// The pieces of a layout whose ranks hold values, not contributions.
base::Result<std::vector<Piece>> distribute_values(const Layout& layout, const Shape& shape,
                                                   const Mesh& mesh, const char* what,
                                                   const base::SourceRef& where) {
  for (const Placement& placement : layout.placements)
    if (pending(placement))
      return tl::unexpected(
          base::Diagnostics{{where,
                             fmt::format("'{}' cannot be {}: {} holds contributions",
                                         format(layout), what, format(placement)),
                             "redistribute to R or a shard"}});
  return distribute(layout, shape, mesh, where);
}

bool writes(const Layout& layout, const Mesh& mesh, int rank) {
  for (int d = 0; d < mesh.dims(); ++d)
    if (is_replicate(layout.placements[static_cast<std::size_t>(d)]) &&
        mesh.coordinate(rank, d) > 0)
      return false;
  return true;
}

std::vector<SavedBox> boxes_of_writers(const std::vector<Piece>& pieces, const Layout& layout,
                                       const Mesh& mesh) {
  std::vector<SavedBox> saved;
  for (int rank = 0; rank < mesh.size(); ++rank) {
    if (!writes(layout, mesh, rank)) continue;
    for (Box& box : pieces[static_cast<std::size_t>(rank)].elements.boxes())
      saved.push_back({rank, std::move(box)});
  }
  return saved;
}

base::Bytes bytes_of(std::int64_t elements, int bits) {
  // In two steps: elements * bits may not fit in 64 bits.
  return elements / 8 * base::Bytes::from_count(bits) +
         ceil_div(base::Bytes::from_count(elements % 8 * bits), 8);
}

}  // namespace

base::Result<std::vector<SavedBox>> plan_save(const Layout& layout, const Shape& shape,
                                              const Mesh& mesh, const base::SourceRef& where) {
  const base::Result<std::vector<Piece>> pieces =
      distribute_values(layout, shape, mesh, "saved", where);
  if (!pieces) return tl::unexpected(pieces.error());
  return boxes_of_writers(*pieces, layout, mesh);
}

base::Result<LoadPlan> plan_load(const Layout& saved, const Mesh& saved_mesh, const Layout& loaded,
                                 const Mesh& loaded_mesh, const Shape& shape,
                                 const base::SourceRef& where) {
  base::Result<std::vector<SavedBox>> boxes = plan_save(saved, shape, saved_mesh, where);
  const base::Result<std::vector<Piece>> pieces =
      distribute_values(loaded, shape, loaded_mesh, "loaded", where);
  base::Diagnostics problems = boxes ? base::Diagnostics{} : boxes.error();
  if (!pieces) problems.insert(problems.end(), pieces.error().begin(), pieces.error().end());
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  LoadPlan plan{std::move(*boxes), {}, loaded_mesh.size(), 1};
  for (int d = 0; d < loaded_mesh.dims(); ++d)
    if (is_replicate(loaded.placements[static_cast<std::size_t>(d)]))
      plan.copies *= loaded_mesh.extent(d);
  for (int loader = 0; loader < plan.loaders; ++loader)
    for (std::size_t box = 0; box < plan.saved.size(); ++box) {
      const std::int64_t elements =
          overlap((*pieces)[static_cast<std::size_t>(loader)].elements, plan.saved[box].box);
      if (elements > 0) plan.reads.push_back({loader, box, elements});
    }
  return plan;
}

LoadCost load_cost(const LoadPlan& plan, int bits_per_element, ReadUnit unit,
                   const StorageRates& rates) {
  std::vector<base::Bytes> needed(static_cast<std::size_t>(plan.loaders));
  std::vector<base::Bytes> fetched(needed.size());
  for (const Read& read : plan.reads) {
    const auto loader = static_cast<std::size_t>(read.loader);
    const base::Bytes part = bytes_of(read.elements, bits_per_element);
    needed[loader] += part;
    fetched[loader] +=
        unit == ReadUnit::range
            ? part
            : bytes_of(element_count(plan.saved[read.box].box.size), bits_per_element);
  }
  LoadCost cost;
  base::Bytes shared;  // when loaders of the same elements read a share each
  base::Bytes largest_share;
  base::Bytes largest_exchange;
  for (std::size_t loader = 0; loader < needed.size(); ++loader) {
    cost.read += fetched[loader];
    cost.largest_read = std::max(cost.largest_read, fetched[loader]);
    const base::Bytes share = ceil_div(fetched[loader], plan.copies);
    shared += share;
    largest_share = std::max(largest_share, share);
    largest_exchange =
        std::max(largest_exchange, needed[loader] - ceil_div(needed[loader], plan.copies));
  }
  cost.each_reads = std::max(cost.read / rates.storage, cost.largest_read / rates.per_rank);
  cost.copies_share = std::max(shared / rates.storage, largest_share / rates.per_rank) +
                      largest_exchange / rates.network;
  return cost;
}

}  // namespace strategies::placement
