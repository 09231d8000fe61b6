#include "topology/import/fabric_shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "topology/found_cluster_names.hpp"
#include "topology/import/remarks.hpp"
#include "topology/import/text_lines.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;

/// The switch of a cable between a node and a switch, and its end at the node.
struct Attachment {
  const CableEnd* at_node = nullptr;
  std::size_t to = 0;
};

bool is_attachment(const FoundCable& cable, Attachment& out) {
  const bool from_a = cable.a.at == CableEnd::At::node;
  const CableEnd& near = from_a ? cable.a : cable.b;
  const CableEnd& far = from_a ? cable.b : cable.a;
  if (near.at != CableEnd::At::node || far.at != CableEnd::At::fabric_switch) return false;
  out = {&near, far.index};
  return true;
}

bool is_trunk(const FoundCable& cable) {
  return cable.a.at == CableEnd::At::fabric_switch && cable.b.at == CableEnd::At::fabric_switch;
}

struct Neighbours {
  std::vector<std::vector<std::size_t>> switches;  ///< of each switch, once a cable
  std::vector<int> node_cables;
};

Neighbours neighbours_of(const FoundCluster& cluster) {
  Neighbours out;
  out.switches.resize(cluster.switches.size());
  out.node_cables.resize(cluster.switches.size(), 0);
  for (const FoundCable& cable : cluster.cables) {
    Attachment attachment;
    if (is_trunk(cable)) {
      out.switches[cable.a.index].push_back(cable.b.index);
      out.switches[cable.b.index].push_back(cable.a.index);
    } else if (is_attachment(cable, attachment)) {
      ++out.node_cables[attachment.to];
    }
  }
  return out;
}

/// Whether a switch with nodes is above the leaves all the same: each of its neighbours has several
/// times its nodes, and there are at least two of them.
bool is_above_leaves(const Neighbours& near, std::size_t index) {
  constexpr int times = 4;
  const std::vector<std::size_t>& others = near.switches[index];
  return std::set<std::size_t>(others.begin(), others.end()).size() >= 2 &&
         std::all_of(others.begin(), others.end(), [&](std::size_t other) {
           return near.node_cables[other] >= times * near.node_cables[index];
         });
}

/// Switches that reach each other, and how nodes hang on them.
struct Fabric {
  std::vector<std::size_t> switches;
  int node_cables = 0;
  BytesPerSecond rate;  ///< of the first of these
  FabricRole named = FabricRole::unknown;
};

FabricRole role_by_name(std::string_view name) {
  const std::string words = lower_case(name);
  const auto has = [&](std::string_view word) { return words.find(word) != std::string::npos; };
  if (has("stor")) return FabricRole::storage;
  if (has("mgmt") || has("oob")) return FabricRole::management;
  return FabricRole::unknown;
}

FabricRole role_by_names(const FoundCluster& cluster, const Fabric& fabric) {
  std::map<FabricRole, std::size_t> votes;
  for (const std::size_t index : fabric.switches)
    ++votes[role_by_name(name_of(cluster.switches[index]))];
  for (const FabricRole role : {FabricRole::storage, FabricRole::management})
    if (2 * votes[role] > fabric.switches.size()) return role;
  return FabricRole::unknown;
}

std::vector<Fabric> fabrics_of(const FoundCluster& cluster) {
  const Neighbours near = neighbours_of(cluster);
  std::vector<Fabric> fabrics;
  constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<std::size_t> fabric_of(cluster.switches.size(), none);
  for (std::size_t first = 0; first < cluster.switches.size(); ++first) {
    if (fabric_of[first] != none) continue;
    const std::size_t number = fabrics.size();
    std::vector<std::size_t> reached{first};
    fabric_of[first] = number;
    for (std::size_t i = 0; i < reached.size(); ++i)
      for (const std::size_t other : near.switches[reached[i]])
        if (std::exchange(fabric_of[other], number) == none) reached.push_back(other);
    Fabric& fabric = fabrics.emplace_back();
    for (const std::size_t index : reached) fabric.node_cables += near.node_cables[index];
    fabric.switches = std::move(reached);
    fabric.named = role_by_names(cluster, fabric);
  }
  for (const FoundCable& cable : cluster.cables) {
    Attachment attachment;
    if (!is_attachment(cable, attachment)) continue;
    Fabric& fabric = fabrics[fabric_of[attachment.to]];
    if (fabric.rate == BytesPerSecond()) fabric.rate = std::max(cable.rate, cable.built);
  }
  return fabrics;
}

void set_nic_roles(FoundCluster& cluster) {
  std::map<std::pair<std::size_t, std::string_view>, FabricRole> role_of;
  for (const FoundCable& cable : cluster.cables) {
    Attachment attachment;
    if (is_attachment(cable, attachment))
      role_of[{attachment.at_node->index, attachment.at_node->nic}] =
          cluster.switches[attachment.to].role;
  }
  for (std::size_t node = 0; node < cluster.nodes.size(); ++node)
    for (FoundNic& nic : cluster.nodes[node].nics)
      if (const auto at = role_of.find({node, nic.name.empty() ? nic.id : nic.name});
          at != role_of.end() && nic.role == FabricRole::unknown)
        nic.role = at->second;
}

}  // namespace

void find_tiers(FoundCluster& cluster, const base::SourceRef& where) {
  const Neighbours near = neighbours_of(cluster);
  std::vector<std::size_t> reached;
  std::vector<int> tier(cluster.switches.size(), 0);
  Remarks remarks;
  for (std::size_t i = 0; i < tier.size(); ++i) {
    if (near.node_cables[i] == 0) continue;
    if (is_above_leaves(near, i)) {
      remarks.add("switches with few nodes beside many leaves, taken to be above these",
                  name_of(cluster.switches[i]), where);
      continue;
    }
    tier[i] = 1;
    reached.push_back(i);
  }
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const std::size_t other : near.switches[reached[i]])
      if (tier[other] == 0) {
        tier[other] = tier[reached[i]] + 1;
        reached.push_back(other);
      }
  for (std::size_t i = 0; i < tier.size(); ++i)
    if (cluster.switches[i].tier == 0) cluster.switches[i].tier = tier[i];
  remarks.report(cluster.notes);
}

void find_roles(FoundCluster& cluster, const base::SourceRef& where) {
  std::vector<Fabric> fabrics = fabrics_of(cluster);
  const Fabric* largest = nullptr;
  for (const Fabric& fabric : fabrics)
    if (fabric.named == FabricRole::unknown && fabric.node_cables > 0 &&
        (largest == nullptr || fabric.node_cables > largest->node_cables))
      largest = &fabric;
  std::map<FabricRole, int> found;
  for (const Fabric& fabric : fabrics) {
    FabricRole role = fabric.named;
    // Planes differ by what is broken, not by more.
    if (role == FabricRole::unknown && largest != nullptr &&
        10 * fabric.node_cables >= 9 * largest->node_cables && fabric.rate == largest->rate)
      role = FabricRole::compute;
    for (const std::size_t index : fabric.switches)
      if (cluster.switches[index].role == FabricRole::unknown) cluster.switches[index].role = role;
    ++found[role];
  }
  set_nic_roles(cluster);
  if (fabrics.size() < 2) return;
  std::vector<std::string> parts;
  for (const auto& [name, role] : fabric_role_names)
    if (found[role] > 0) parts.push_back(fmt::format("{} {}", found[role], name));
  cluster.notes.push_back(
      {where,
       fmt::format(
           "{} fabrics that no cable joins: {}; by the names of their switches, and the one "
           "with the most cables to nodes is compute",
           fabrics.size(), fmt::join(parts, ", ")),
       "", base::Severity::note});
}

void shape_fabric(FoundCluster& cluster, const base::SourceRef& where) {
  find_tiers(cluster, where);
  find_roles(cluster, where);
  find_rails(cluster, where);
}

}  // namespace topology
