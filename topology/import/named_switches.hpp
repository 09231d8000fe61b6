#pragma once

#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/map_reader.hpp"
#include "topology/found_cluster.hpp"

/// What the formats share that tell a tree as "this switch has these children".
namespace topology {

/// More tiers of switches than any network has; each node keeps a name for each.
inline constexpr std::size_t tiers_max = 64;

struct NamedSwitch {
  base::PlacedText name;
  std::vector<base::PlacedText> switches;
  std::vector<base::PlacedText> nodes;
};

struct NamedSwitchRules {
  std::string_view level_prefix;     ///< levels are this and 0, 1, ... from the nodes up
  bool undeclared_switches = false;  ///< a child that is nowhere declared is a switch without nodes
};

/// Gives `to` the nodes, in natural order, with the domains above them. Twice the same switch,
/// switches that nobody declares, circles and switches without children are mistakes. A switch with
/// several parents and a node under several switches are no tree: what reaches the same nodes
/// becomes one domain, with a note.
void hang_nodes(const std::vector<NamedSwitch>& switches, const NamedSwitchRules& rules,
                FoundCluster& to, base::Diagnostics& problems);

/// Puts the nodes in natural order of their names. \pre no cable points at one.
void sort_nodes(FoundCluster& cluster);

}  // namespace topology
