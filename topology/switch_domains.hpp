#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// From switches joined anyhow to a tree of domains above each node.
namespace topology {

struct TieredSwitch {
  std::string name;  ///< unique
  int tier = 1;      ///< 1 next to nodes
};

/// What joins switches to nodes (by index) and to each other.
struct SwitchJoins {
  std::vector<std::pair<std::size_t, std::size_t>> nodes;     ///< switch, node
  std::vector<std::pair<std::size_t, std::size_t>> switches;  ///< switch, switch
};

struct SwitchDomains {
  int tiers = 0;
  /// Per node, from the highest tier to 1; "" where no switch of that tier is above it, and nothing
  /// at all for a node without switches.
  std::vector<std::vector<std::string>> paths;
  /// Domains of more than one switch: those that reach the same nodes, all names in natural order;
  /// the domain has the first.
  std::vector<std::vector<std::string>> merged;
};

/// The domain of a node at a tier is all that it reaches through switches up to that tier, so that
/// rails, planes and parallel spines become one domain, and a tree stays what it is. What is left
/// of the fabric is which nodes are near each other; cables and rates are not.
SwitchDomains domains_of(std::size_t nodes, std::span<const TieredSwitch> switches,
                         const SwitchJoins& joins);

}  // namespace topology
