#include "sim/autoshard/profile_prices.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/check.hpp"
#include "sim/groups.hpp"

namespace sim::autoshard {

namespace {

using calibrate::GroupShape;
using topology::GpuId;

using Nic = std::pair<int, int>;  // node, number

/// The NICs over which a group leaves each of its scale-up domains; none if it has one domain.
std::map<int, std::set<Nic>> nics_of(const std::vector<GpuId>& group,
                                     const topology::Cluster& cluster) {
  std::map<int, std::set<Nic>> nics;
  for (const GpuId gpu : group) {
    const int node = cluster.node_of(gpu);
    const topology::NodeInfo& info = cluster.nodes()[static_cast<std::size_t>(node)];
    std::set<Nic>& own = nics[info.accelerator_domain];
    if (info.type->nics > 0) own.insert({node, cluster.rail_of(gpu)});
  }
  if (nics.size() == 1) nics.clear();
  return nics;
}

/// Of groups that talk at once.
std::vector<GroupShape> shapes_of(const std::vector<std::vector<GpuId>>& groups,
                                  const topology::Cluster& cluster) {
  std::map<Nic, int> users;  // groups
  for (const std::vector<GpuId>& group : groups)
    for (const auto& [domain, nics] : nics_of(group, cluster))
      for (const Nic& nic : nics) ++users[nic];
  std::vector<GroupShape> shapes;
  for (const std::vector<GpuId>& group : groups) {
    GroupShape shape = shape_of(group, cluster);
    std::optional<base::BytesPerSecond> slowest;
    for (const auto& [domain, nics] : nics_of(group, cluster)) {
      base::BytesPerSecond rate;
      for (const Nic& nic : nics) {
        const topology::NodeType& type = *cluster.nodes()[static_cast<std::size_t>(nic.first)].type;
        rate += type.nic_rate * type.nic_efficiency / users[nic];
      }
      slowest = slowest ? std::min(*slowest, rate) : rate;
    }
    if (slowest) shape.network_rate = *slowest;
    if (std::find(shapes.begin(), shapes.end(), shape) == shapes.end()) shapes.push_back(shape);
  }
  return shapes;
}

}  // namespace

std::vector<GroupShape> sibling_shapes(const PlacedMesh& placed, const std::vector<int>& mesh_dims,
                                       const topology::Cluster& cluster) {
  std::vector<std::vector<GpuId>> groups;
  for (int rank = 0; rank < placed.mesh.size(); ++rank) {
    if (placed.mesh.first_of_group(rank, mesh_dims) != rank) continue;
    groups.emplace_back();
    for (const int member : placed.mesh.group_of(rank, mesh_dims))
      groups.back().push_back(placed.gpu_of_rank[static_cast<std::size_t>(member)]);
  }
  return shapes_of(groups, cluster);
}

std::vector<GroupShape> pair_shapes(const PlacedMesh& one, const PlacedMesh& other,
                                    const topology::Cluster& cluster) {
  CHECK_INVARIANT(one.gpu_of_rank.size() == other.gpu_of_rank.size());
  std::vector<std::vector<GpuId>> pairs;
  for (std::size_t rank = 0; rank < one.gpu_of_rank.size(); ++rank)
    pairs.push_back({one.gpu_of_rank[rank], other.gpu_of_rank[rank]});
  return shapes_of(pairs, cluster);
}

base::Seconds slowest(base::Collective op, base::Bytes bytes, const std::vector<GroupShape>& shapes,
                      const calibrate::Profile& profile) {
  base::Seconds time;
  for (const GroupShape& shape : shapes)
    if (shape.ranks > 1) time = std::max(time, profile.collective(op, bytes, shape).total.time);
  return time;
}

const std::vector<GroupShape>& ProfilePrices::shapes(const std::vector<int>& mesh_dims) const {
  const auto [known, fresh] = shapes_.try_emplace(mesh_dims);
  if (fresh) known->second = sibling_shapes(placed_, mesh_dims, cluster_);
  return known->second;
}

base::Seconds ProfilePrices::kernel(const base::Kernel& kernel) const {
  return profile_.kernel(kernel).time;
}

base::Seconds ProfilePrices::collective(base::Collective op, base::Bytes bytes,
                                        const std::vector<int>& mesh_dims) const {
  const auto [known, fresh] = collectives_.try_emplace({op, bytes, mesh_dims});
  if (!fresh) return known->second;
  return known->second = slowest(op, bytes, shapes(mesh_dims), profile_);
}

}  // namespace sim::autoshard
