#include "topology/cable_tiers.hpp"

#include <utility>

namespace topology {

std::vector<int> cable_tiers(const FoundCluster& cluster) {
  std::vector<std::vector<std::size_t>> next_to(cluster.switches.size());
  std::vector<int> distance(cluster.switches.size(), 0);
  std::vector<std::size_t> reached;
  for (const FoundCable& cable : cluster.cables) {
    const bool a_is_switch = cable.a.at == CableEnd::At::fabric_switch;
    const bool b_is_switch = cable.b.at == CableEnd::At::fabric_switch;
    if (a_is_switch && b_is_switch) {
      next_to[cable.a.index].push_back(cable.b.index);
      next_to[cable.b.index].push_back(cable.a.index);
    } else if (a_is_switch || b_is_switch) {
      const std::size_t leaf = a_is_switch ? cable.a.index : cable.b.index;
      if (std::exchange(distance[leaf], 1) == 0) reached.push_back(leaf);
    }
  }
  for (std::size_t i = 0; i < reached.size(); ++i)
    for (const std::size_t other : next_to[reached[i]])
      if (distance[other] == 0) {
        distance[other] = distance[reached[i]] + 1;
        reached.push_back(other);
      }
  for (std::size_t i = 0; i < distance.size(); ++i)
    if (cluster.switches[i].tier > 0) distance[i] = cluster.switches[i].tier;
  return distance;
}

}  // namespace topology
