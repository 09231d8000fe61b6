#include "sim/groups.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.hpp"

namespace sim {

calibrate::GroupShape shape_of(const std::vector<topology::GpuId>& members,
                               const topology::Cluster& cluster) {
  struct Site {
    int ranks = 0;
    std::set<std::pair<int, int>> nics;  // (node, NIC)
    const topology::NodeType* type = nullptr;
    topology::GpuId gpu = 0;
  };
  std::map<int, Site> sites;  // by scale-up domain
  for (const topology::GpuId gpu : members) {
    const int node = cluster.node_of(gpu);
    const topology::NodeInfo& info = cluster.nodes()[static_cast<std::size_t>(node)];
    Site& site = sites[info.accelerator_domain];
    site.ranks += 1;
    site.type = info.type;
    site.gpu = gpu;
    if (info.type->nics > 0) site.nics.insert({node, cluster.rail_of(gpu)});
  }
  calibrate::GroupShape shape;
  shape.ranks = static_cast<int>(members.size());
  shape.nodes = static_cast<int>(sites.size());
  shape.ranks_per_node = 0;
  shape.in_switch_reduction = true;
  bool first = true;
  for (const auto& [domain, site] : sites) {
    const topology::NodeType& type = *site.type;
    const base::BytesPerSecond inside = site.ranks > 1
                                            ? topology::scale_up_rate_among(type, site.ranks)
                                            : type.scale_up_rate * type.scale_up_efficiency;
    const base::BytesPerSecond outside =
        type.nic_rate * type.nic_efficiency * static_cast<double>(site.nics.size());
    shape.ranks_per_node = std::max(shape.ranks_per_node, site.ranks);
    shape.in_switch_reduction = shape.in_switch_reduction && type.in_switch_reduction;
    shape.scale_up_rate = first ? inside : std::min(shape.scale_up_rate, inside);
    shape.network_rate = first ? outside : std::min(shape.network_rate, outside);
    shape.scale_up_latency = std::max(shape.scale_up_latency, type.scale_up_latency);
    shape.network_latency = std::max(shape.network_latency, type.nic_latency);
    const int nics = static_cast<int>(site.nics.size());
    shape.nics = first ? nics : std::min(shape.nics, nics);
    // The node with the slowest links stands for all.
    if (first || type.scale_up_rate < shape.node->scale_up_rate) {
      shape.node = &type;
      shape.gpu = &cluster.gpu_spec(site.gpu);
    }
    first = false;
  }
  return shape;
}

calibrate::GroupShape pair_shape(const topology::Cluster& cluster, topology::GpuId gpu,
                                 bool across) {
  calibrate::GroupShape pair = shape_of({gpu}, cluster);
  pair.ranks = 2;
  pair.ranks_per_node = across ? 1 : 2;
  pair.nodes = across ? 2 : 1;
  return pair;
}

StepGraph::Groups group_shapes(const strategies::RankGrid& grid, strategies::AxisSet axes,
                               const topology::Cluster& cluster,
                               const std::vector<topology::GpuId>& gpu_of_rank) {
  StepGraph::Groups groups;
  groups.axes = axes;
  const int count = grid.group_count(axes);
  for (int group = 0; group < count; ++group) {
    std::vector<topology::GpuId> members;
    for (const int rank : grid.members(group, axes))
      members.push_back(gpu_of_rank[static_cast<std::size_t>(rank)]);
    const calibrate::GroupShape shape = shape_of(members, cluster);
    auto known = std::find(groups.shapes.begin(), groups.shapes.end(), shape);
    if (known == groups.shapes.end()) known = groups.shapes.insert(known, shape);
    groups.shape_of_group.push_back(static_cast<std::uint16_t>(known - groups.shapes.begin()));
  }
  CHECK_INVARIANT(!groups.shapes.empty());
  return groups;
}

}  // namespace sim
