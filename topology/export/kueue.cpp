#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/quoted.hpp"
#include "topology/export/writers.hpp"

namespace topology {

namespace {

using base::Severity;
constexpr std::string_view host_key = "kubernetes.io/hostname";
constexpr std::size_t levels_max = 16;  // of the Topology object, v1beta2

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// "example.com/rack": the prefix is a DNS name of at most 253 characters, the rest at most 63.
bool is_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash > 253) return false;
  const std::string_view name = key.substr(slash + 1);
  const auto is_fine = [](std::string_view text, std::string_view others) {
    return !text.empty() && is_letter_or_digit(text.front()) && is_letter_or_digit(text.back()) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
             return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
           });
  };
  return name.size() <= 63 && is_fine(key.substr(0, slash), "-.") && is_fine(name, "-_.");
}

}  // namespace

base::Result<Exported> write_kueue(const FoundCluster& cluster) {
  const base::SourceRef where{cluster.sources.empty() ? "cluster" : cluster.sources.front().file};
  Exported out;
  std::vector<std::string_view> keys;
  for (const std::string& level : cluster.levels)
    if (level != host_key) keys.push_back(level);
  base::Diagnostics problems;
  if (keys.empty())
    problems.push_back({where, "no level of the network has a node label",
                        "a Topology object lists label keys; import a dump of labelled nodes"});
  for (const std::string_view key : keys)
    if (!is_label_key(key))
      problems.push_back({where, fmt::format("the level '{}' is no label key of nodes", key),
                          "a Topology object lists label keys; label the nodes first, for example "
                          "with Topograph"});
  if (keys.size() + 1 > levels_max)
    problems.push_back({where, fmt::format("{} levels, a Topology object has at most {}",
                                           keys.size() + 1, levels_max)});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  out.text =
      "apiVersion: kueue.x-k8s.io/v1beta2\nkind: Topology\nmetadata:\n  name: default\n"
      "spec:\n  levels:\n";
  for (const std::string_view key : keys)
    out.text += fmt::format("    - nodeLabel: {}\n", base::quoted(key));
  out.text += fmt::format("    - nodeLabel: {}\n", base::quoted(host_key));
  const auto lacking =
      std::count_if(cluster.nodes.begin(), cluster.nodes.end(), [](const FoundNode& node) {
        return node.domains.empty() || std::count(node.domains.begin(), node.domains.end(), "") > 0;
      });
  if (lacking > 0)
    out.notes.push_back(
        {where, fmt::format("{} nodes lack a label of some level: Kueue leaves them out", lacking),
         "", Severity::warning});
  out.notes.push_back({where, "only the levels are written: the domains are the nodes' labels", "",
                       Severity::note});
  return out;
}

}  // namespace topology
