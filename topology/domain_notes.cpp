#include "topology/domain_notes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Severity;
using base::SourceRef;

class Explainer {
 public:
  Explainer(const DomainTree& tree, const std::vector<GpuNode>& nodes, const ImportOptions& options,
            const SourceRef& file, base::Diagnostics& notes)
      : tree_(tree), nodes_(nodes), options_(options), file_(file), notes_(notes) {}

  void explain_scheme() {
    if (tree_.flat && nodes_.size() == 1) return;  // no switch is needed
    if (tree_.flat) return explain_flat();
    std::vector<std::string> levels;
    for (const LevelCoverage& level : tree_.coverage.levels)
      levels.push_back(fmt::format("{} ({})", level.key, level.domains));
    note(file_, fmt::format("switches from the {}s {}", tree_.kind, fmt::join(levels, ", ")));
    if (tree_.seen.size() > 1) {
      std::vector<std::string> seen;
      for (const SchemeCoverage& scheme : tree_.seen)
        seen.push_back(
            fmt::format("{} ({} complete)", scheme.name, count_of(scheme.complete, "node")));
      note(file_,
           fmt::format("{} label schemes found: {}; '{}' is used: {}", tree_.seen.size(),
                       fmt::join(seen, ", "), tree_.coverage.name, tree_.reason),
           "choose another with the option scheme");
    }
    for (const LabelScheme& scheme : label_schemes())
      if (scheme.name == tree_.coverage.name && scheme.weak_levels > 0 &&
          static_cast<int>(tree_.coverage.levels.size()) <= scheme.weak_levels)
        note(file_,
             fmt::format("{} spread over {} zones, and no label says how those are joined",
                         count_of(static_cast<int>(nodes_.size()), "node"),
                         tree_.coverage.levels.back().domains),
             "choose one zone with the option selector", Severity::warning);
  }

  void explain_flat() {
    const bool asked = !options_.scheme.empty() || !options_.levels.empty();
    std::string hint = "Topograph writes such labels; or describe the fabric in the cluster file";
    if (const auto keys = unknown_topology_keys(labels_of(nodes_)); !keys.empty() && !asked) {
      std::vector<std::string> names;
      for (const auto& [key, count] : keys)
        if (names.size() < 4) names.push_back(fmt::format("{} ({})", key, count_of(count, "node")));
      hint = fmt::format("name them in the option levels if they tell switches: {}",
                         fmt::join(names, ", "));
    }
    note(file_,
         fmt::format("{}; one switch that joins all {} is assumed",
                     asked                ? "no node has the labels that were asked for"
                     : tree_.seen.empty() ? "no node has topology labels"
                                          : "the labels say nothing about switches",
                     count_of(static_cast<int>(nodes_.size()), "node")),
         std::move(hint), Severity::warning);
  }

  void explain_gaps() {
    NodeTally gaps;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::vector<std::string>& path = tree_.paths[i];
      const KubernetesNode& node = *nodes_[i].node;
      if (path.empty())
        gaps.add(node, Severity::warning, fmt::format("without any of these {}s", tree_.kind),
                 "hung from the top switch; label them and import again");
      for (std::size_t level = 0; level < path.size(); ++level)
        if (path[level].empty())
          gaps.add(node, Severity::warning,
                   fmt::format("without the {} {}", tree_.kind, tree_.coverage.levels[level].key),
                   "hung from the levels they tell; label them and import again");
    }
    gaps.report(notes_);
    explain_reused_names();
  }

  /// Names are unique only below their parent. Where one occurs under several, that is either a
  /// reused name or a switch with several parents; the path decides, and the user is told.
  void explain_reused_names() {
    for (std::size_t level = 1; level < tree_.coverage.levels.size(); ++level) {
      std::map<std::string, std::set<std::vector<std::string>>> parents;
      for (const std::vector<std::string>& path : tree_.paths)
        if (level < path.size() && !path[level].empty())
          parents[path[level]].insert({path.begin(), path.begin() + static_cast<long>(level)});
      const auto reused = std::count_if(parents.begin(), parents.end(),
                                        [](const auto& entry) { return entry.second.size() > 1; });
      if (reused == 0) continue;
      note(file_,
           fmt::format("{} of {} names of {} occur under several parents; each place is taken as a "
                       "switch of its own",
                       reused, parents.size(), tree_.coverage.levels[level].key));
    }
  }

 private:
  void note(SourceRef where, std::string message, std::string hint = {},
            Severity severity = Severity::note) {
    notes_.push_back({std::move(where), std::move(message), std::move(hint), severity});
  }

  const DomainTree& tree_;
  const std::vector<GpuNode>& nodes_;
  const ImportOptions& options_;
  const SourceRef& file_;
  base::Diagnostics& notes_;
};

}  // namespace

std::vector<const base::Node*> labels_of(const std::vector<GpuNode>& nodes) {
  std::vector<const base::Node*> labels;
  for (const GpuNode& node : nodes) labels.push_back(node.node->labels);
  return labels;
}

void explain_domains(const DomainTree& tree, const std::vector<GpuNode>& nodes,
                     const ImportOptions& options, const SourceRef& file,
                     base::Diagnostics& notes) {
  Explainer explainer(tree, nodes, options, file, notes);
  explainer.explain_scheme();
  if (!tree.flat) explainer.explain_gaps();
}

std::vector<std::string> accelerator_domains(const DomainTree& tree,
                                             const std::vector<GpuNode>& nodes,
                                             const SourceRef& file, base::Diagnostics& notes) {
  std::vector<std::string> domains(nodes.size());
  std::map<std::string, int> sizes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].type != nullptr && nodes[i].type->scale_up_domain_nodes <= 1) continue;
    domains[i] = tree.accelerator_domains[i];
    if (!domains[i].empty()) ++sizes[domains[i]];
  }
  NodeTally odd;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].type == nullptr) continue;
    const NodeType& type = *nodes[i].type;
    const KubernetesNode& node = *nodes[i].node;
    const int most = type.scale_up_domain_nodes;
    if (most == 1 && !tree.accelerator_domains[i].empty())
      odd.add(node, Severity::note,
              fmt::format("with the label {}, but NVLink of {} ends at the node; it is not used",
                          tree.accelerator_key, type.name));
    if (most > 1 && domains[i].empty())
      odd.add(node, Severity::warning,
              fmt::format("of type {} without a label of their NVLink domain", type.name),
              "GPU feature discovery writes nvidia.com/gpu.clique");
    if (most > 1 && !domains[i].empty() && sizes[domains[i]] > most)
      odd.add(node, Severity::warning,
              fmt::format("in the NVLink domain '{}' of {}, where {} has {}", domains[i],
                          count_of(sizes[domains[i]], "node"), type.name, most));
  }
  if (!sizes.empty())
    notes.push_back({file,
                     fmt::format("{} from the label {}",
                                 count_of(static_cast<int>(sizes.size()), "NVLink domain"),
                                 tree.accelerator_key),
                     "", Severity::note});
  odd.report(notes);
  return domains;
}

}  // namespace topology
