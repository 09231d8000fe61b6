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
  for (const GroupShape& shape : shapes(mesh_dims))
    if (shape.ranks > 1)
      known->second = std::max(known->second, profile_.collective(op, bytes, shape).total.time);
  return known->second;
}

}  // namespace sim::autoshard
