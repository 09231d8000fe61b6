#include "topology/import/placed_hosts.hpp"

#include <fmt/format.h>

#include <utility>

#include "topology/hostlist.hpp"

namespace topology {

std::vector<base::PlacedText> PlacedHosts::expand(const base::PlacedText& list) {
  std::vector<base::PlacedText> names;
  if (count_ > hostlist_names_max) return names;  // told already
  auto expanded = expand_hostlist(list.text, list.where);
  if (!expanded) {
    problems_.insert(problems_.end(), expanded.error().begin(), expanded.error().end());
    return names;
  }
  count_ += expanded->size();
  if (count_ > hostlist_names_max) {
    problems_.push_back({list.where, fmt::format("more than {} names in all", hostlist_names_max)});
    return names;
  }
  for (std::string& name : *expanded) names.push_back({std::move(name), list.where});
  return names;
}

}  // namespace topology
