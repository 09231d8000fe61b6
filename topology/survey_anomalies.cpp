#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "topology/found_cluster_names.hpp"
#include "topology/survey.hpp"

namespace topology {

namespace {

constexpr std::size_t names_shown = 4;

std::string name_of(const CableEnd& end, const FoundCluster& found) {
  std::string name = end.at == CableEnd::At::node ? found.nodes[end.index].name
                                                  : name_of(found.switches[end.index]);
  if (!end.nic.empty()) name += " " + end.nic;
  if (!end.port.empty()) name += ":" + end.port;
  return name;
}

/// Things that have a number each, most of them the same: names of those that have another.
class Odd {
 public:
  void add(const std::string& name, int number) {
    ++seen_[number];
    members_.emplace_back(name, number);
  }

  /// \param below  only those with less than most have
  void report(const std::string& kind, const std::string& things, const std::string& what,
              bool below, std::vector<Anomaly>& to) const {
    const auto usual =
        std::max_element(seen_.begin(), seen_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    // Without a clear majority there is nothing to be odd against.
    if (usual == seen_.end() || seen_.size() == 1 ||
        usual->second * 4 < static_cast<int>(members_.size()) * 3)
      return;
    std::vector<std::string> names;
    int count = 0;
    for (const auto& [name, number] : members_) {
      if (below ? number >= usual->first : number == usual->first) continue;
      ++count;
      if (names.size() < names_shown) names.push_back(fmt::format("{} has {}", name, number));
    }
    if (count == 0) return;
    to.push_back({kind,
                  fmt::format("{}{} where {} of {} {} have {} {}", fmt::join(names, ", "),
                              static_cast<std::size_t>(count) > names.size() ? ", ..." : "",
                              usual->second, members_.size(), things, usual->first, what),
                  count});
  }

 private:
  std::map<int, int> seen_;
  std::vector<std::pair<std::string, int>> members_;
};

void find_bad_cables(const FoundCluster& found, std::vector<Anomaly>& to) {
  struct Group {
    int count = 0;
    std::vector<std::string> names;
  };
  std::map<std::pair<CableState, std::string>, Group> groups;
  for (const FoundCable& cable : found.cables) {
    if (cable.state == CableState::up && cable.trouble.empty()) continue;
    Group& group = groups[{cable.state, cable.trouble}];
    if (++group.count <= static_cast<int>(names_shown))
      group.names.push_back(
          fmt::format("{} -> {}", name_of(cable.a, found), name_of(cable.b, found)));
  }
  for (const auto& [key, group] : groups) {
    const auto& [state, trouble] = key;
    to.push_back({state == CableState::down       ? "cable down"
                  : state == CableState::degraded ? "cable degraded"
                                                  : "cable",
                  fmt::format("{}{}{}{}", fmt::join(group.names, ", "),
                              group.count > static_cast<int>(names_shown) ? ", ..." : "",
                              trouble.empty() ? "" : ": ", trouble),
                  group.count});
  }
}

/// Live cables to switches of a higher tier.
void find_missing_uplinks(const FoundCluster& found, std::vector<Anomaly>& to) {
  std::vector<int> uplinks(found.switches.size(), 0);
  for (const FoundCable& cable : found.cables) {
    if (cable.a.at == CableEnd::At::node || cable.b.at == CableEnd::At::node) continue;
    const int a = found.switches[cable.a.index].tier;
    const int b = found.switches[cable.b.index].tier;
    if (cable.state != CableState::down && a != b) ++uplinks[a < b ? cable.a.index : cable.b.index];
  }
  std::map<int, Odd> tiers;
  int top = 0;
  for (const FoundSwitch& one : found.switches) top = std::max(top, one.tier);
  for (std::size_t i = 0; i < found.switches.size(); ++i)
    if (found.switches[i].tier > 0 && found.switches[i].tier < top)
      tiers[found.switches[i].tier].add(name_of(found.switches[i]), uplinks[i]);
  for (const auto& [tier, odd] : tiers)
    odd.report("missing uplink", fmt::format("switches of tier {}", tier), "uplinks", true, to);
}

/// Nodes below each switch next to nodes, by cables and by domains.
void find_uneven_leaves(const FoundCluster& found, std::vector<Anomaly>& to) {
  std::map<std::size_t, std::set<std::size_t>> cabled;
  std::map<std::vector<std::string>, int> placed;
  for (const FoundCable& cable : found.cables) {
    if (cable.a.at == cable.b.at) continue;
    const bool a_is_node = cable.a.at == CableEnd::At::node;
    cabled[(a_is_node ? cable.b : cable.a).index].insert((a_is_node ? cable.a : cable.b).index);
  }
  for (const FoundNode& node : found.nodes)
    if (!node.domains.empty()) ++placed[node.domains];
  Odd by_cables;
  for (const auto& [leaf, nodes] : cabled)
    by_cables.add(name_of(found.switches[leaf]), static_cast<int>(nodes.size()));
  Odd by_domains;
  for (const auto& [path, count] : placed)
    by_domains.add(fmt::format("{}", fmt::join(path, "/")), count);
  by_cables.report("uneven leaf", "switches with nodes", "nodes", false, to);
  by_domains.report("uneven leaf", "lowest domains", "nodes", false, to);
}

void find_missing_nics(const FoundCluster& found, std::vector<Anomaly>& to) {
  std::vector<std::set<std::string>> live(found.nodes.size());
  const auto note = [&](const CableEnd& end) {
    if (end.at == CableEnd::At::node) live[end.index].insert(end.nic);
  };
  for (const FoundCable& cable : found.cables) {
    if (cable.state == CableState::down) continue;
    note(cable.a);
    note(cable.b);
  }
  std::map<std::string, Odd> types;
  if (!found.cables.empty())
    for (std::size_t i = 0; i < found.nodes.size(); ++i)
      types[found.nodes[i].type].add(found.nodes[i].name, static_cast<int>(live[i].size()));
  for (const auto& [type, odd] : types)
    odd.report("missing NIC", type.empty() ? "nodes" : type + " nodes", "NICs with a live cable",
               true, to);
}

}  // namespace

std::vector<Anomaly> anomalies(const FoundCluster& found) {
  std::vector<Anomaly> all;
  find_bad_cables(found, all);
  find_missing_uplinks(found, all);
  find_missing_nics(found, all);
  find_uneven_leaves(found, all);
  return all;
}

}  // namespace topology
