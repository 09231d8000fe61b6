#include "topology/found_paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "topology/switch_domains.hpp"

namespace topology {

DomainPaths domain_paths(const FoundCluster& found) {
  DomainPaths paths;
  bool any = false;
  for (const FoundNode& node : found.nodes) {
    paths.of_node.push_back(node.domains);
    any = any || !node.domains.empty();
  }
  paths.levels = found.levels;
  if (any || found.switches.empty()) return paths;
  std::vector<TieredSwitch> switches;
  std::vector<std::size_t> kept(found.switches.size(), found.switches.size());
  std::map<std::string_view, int> uses;
  for (const FoundSwitch& one : found.switches) ++uses[one.name];
  for (std::size_t i = 0; i < found.switches.size(); ++i) {
    const FoundSwitch& one = found.switches[i];
    if (one.role == FabricRole::storage || one.role == FabricRole::management || one.tier == 0)
      continue;
    kept[i] = switches.size();
    const bool named = !one.name.empty() && uses[one.name] == 1;
    switches.push_back({named ? one.name : one.id, one.tier});
  }
  SwitchJoins joins;
  for (const FoundCable& cable : found.cables) {
    const CableEnd& a = cable.a.at == CableEnd::At::fabric_switch ? cable.a : cable.b;
    const CableEnd& b = &a == &cable.a ? cable.b : cable.a;
    if (a.at != CableEnd::At::fabric_switch || kept[a.index] == found.switches.size()) continue;
    if (b.at == CableEnd::At::node)
      joins.nodes.push_back({kept[a.index], b.index});
    else if (kept[b.index] < found.switches.size())
      joins.switches.push_back({kept[a.index], kept[b.index]});
  }
  SwitchDomains domains = domains_of(found.nodes.size(), switches, joins);
  paths.of_node = std::move(domains.paths);
  paths.merged = std::move(domains.merged);
  paths.levels.clear();
  for (int tier = domains.tiers; tier > 0; --tier)
    paths.levels.push_back(fmt::format("tier {}", tier));
  return paths;
}

}  // namespace topology
