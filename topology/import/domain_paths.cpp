#include "topology/import/domain_paths.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "topology/import/named_switches.hpp"

namespace topology {

void align_paths(FoundCluster& cluster, std::string_view level_prefix,
                 base::Diagnostics& problems) {
  for (const FoundNode& node : cluster.nodes)
    if (node.domains.size() > tiers_max)
      problems.push_back({node.where, fmt::format("'{}' is below {} switches, at most {}",
                                                  node.name, node.domains.size(), tiers_max)});
  if (base::has_errors(problems)) return;
  constexpr std::size_t none = 0;  // the root of all, which is no switch
  std::map<std::pair<std::size_t, std::string>, std::size_t> index;
  std::vector<std::size_t> parent{none};
  std::vector<std::vector<std::size_t>> switches_of;
  std::vector<std::size_t> longest{0};  // switches on the longest way down, itself included
  for (const FoundNode& node : cluster.nodes) {
    std::vector<std::size_t>& path = switches_of.emplace_back();
    std::size_t at = none;
    for (const std::string& name : node.domains) {
      const auto [found, added] = index.insert({{at, name}, parent.size()});
      if (added) {
        parent.push_back(at);
        longest.push_back(1);
      }
      at = found->second;
      path.push_back(at);
    }
  }
  std::size_t levels = 0;
  for (std::size_t i = parent.size(); i-- > 1;) {  // children come after their parents
    if (parent[i] != none) longest[parent[i]] = std::max(longest[parent[i]], longest[i] + 1);
    levels = std::max(levels, longest[i]);
  }
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    std::vector<std::string>& domains = cluster.nodes[i].domains;
    if (domains.empty()) continue;
    std::vector<std::string> aligned(levels);
    for (std::size_t place = 0; place < domains.size(); ++place)
      aligned[levels - longest[switches_of[i][place]]] = std::move(domains[place]);
    domains = std::move(aligned);
  }
  for (std::size_t level = levels; level-- > 0;)
    cluster.levels.push_back(fmt::format("{}{}", level_prefix, level));
}

}  // namespace topology
