#include "topology/node_tally.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace topology {

std::string count_of(int count, std::string_view singular) {
  return fmt::format("{} {}{}", count, singular, count == 1 ? "" : "s");
}

void NodeTally::add(const KubernetesNode& node, base::Severity severity, std::string what,
                    std::string hint) {
  add(node.name, node.where, severity, std::move(what), std::move(hint));
}

void NodeTally::add(const FoundNode& node, base::Severity severity, std::string what,
                    std::string hint) {
  add(node.name, node.where, severity, std::move(what), std::move(hint));
}

void NodeTally::add(std::string_view name, const base::SourceRef& where, base::Severity severity,
                    std::string what, std::string hint) {
  auto group =
      std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.what == what; });
  if (group == groups_.end())
    group =
        groups_.insert(groups_.end(), {severity, std::move(what), std::move(hint), where, {}, 0});
  ++group->count;
  if (group->names.size() < names_shown) group->names.push_back(name);
}

void NodeTally::report(base::Diagnostics& to) const {
  for (const Group& group : groups_)
    to.push_back(
        {group.where,
         fmt::format("{} {}: {}{}", count_of(group.count, "node"), group.what,
                     fmt::join(group.names, ", "),
                     static_cast<std::size_t>(group.count) > group.names.size() ? ", ..." : ""),
         group.hint, group.severity});
}

}  // namespace topology
