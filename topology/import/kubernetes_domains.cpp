#include "topology/import/kubernetes_domains.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "topology/domain_notes.hpp"
#include "topology/import/kubernetes_hypernodes.hpp"
#include "topology/import/kubernetes_levels.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Severity;

constexpr std::string_view hypernodes = "Volcano HyperNodes";

/// A tree that an object of the cluster declares.
struct Candidate {
  std::string by;
  base::SourceRef where;
  DomainTree tree;
};

/// The tree of the HyperNodes as one of labels would be.
DomainTree tree_of(HyperNodeTree from, DomainTree labels) {
  DomainTree tree = std::move(labels);
  tree.flat = false;
  tree.kind = "level";
  tree.coverage = {};
  std::vector<std::set<std::vector<std::string>>> domains(from.levels.size());
  for (std::string& level : from.levels) tree.coverage.levels.push_back({std::move(level), 0, 0});
  for (const std::vector<std::string>& path : from.paths) {
    std::size_t told = 0;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i].empty()) continue;
      ++told;
      ++tree.coverage.levels[i].nodes;
      domains[i].insert({path.begin(), path.begin() + static_cast<std::ptrdiff_t>(i) + 1});
    }
    ++(told == 0                ? tree.coverage.absent
       : told == domains.size() ? tree.coverage.complete
                                : tree.coverage.partial);
  }
  for (std::size_t i = 0; i < domains.size(); ++i)
    tree.coverage.levels[i].domains = static_cast<int>(domains[i].size());
  tree.paths = std::move(from.paths);
  return tree;
}

std::string count_words(const SchemeCoverage& coverage) {
  return fmt::format("{} complete, {} partial, {} without", coverage.complete, coverage.partial,
                     coverage.absent);
}

class Finder {
 public:
  Finder(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes,
         const ImportOptions& options, const base::SourceRef& file, base::Diagnostics& notes)
      : objects_(objects),
        nodes_(nodes),
        options_(options),
        file_(file),
        notes_(notes),
        labels_(labels_of(nodes)) {}

  base::Result<FoundDomains> find() {
    FoundDomains found;
    auto declared = read_declarations(objects_, labels_, notes_);
    auto hyper = read_hypernodes(objects_, nodes_, notes_);
    base::Diagnostics problems;
    if (!declared) problems = declared.error();
    if (!hyper) problems.insert(problems.end(), hyper.error().begin(), hyper.error().end());
    if (!problems.empty()) return tl::unexpected(std::move(problems));
    found.declared = std::move(*declared);
    found.tree = read_domains(labels_, {options_.scheme, options_.levels});
    std::vector<Candidate> candidates = candidates_of(found, std::move(*hyper));
    const bool asked = !options_.scheme.empty() || !options_.levels.empty();
    if (asked && !candidates.empty()) {
      note(candidates.front().where,
           fmt::format("{} of levels not used, since others were asked for",
                       count_of(static_cast<int>(candidates.size()), "declaration")));
    } else if (!candidates.empty()) {
      found.tree = choose(std::move(candidates));
    }
    explain_domains(found.tree, nodes_, options_, file_, notes_);
    return found;
  }

 private:
  /// Those that any node has part in.
  std::vector<Candidate> candidates_of(const FoundDomains& found, HyperNodeTree hyper) {
    std::vector<Candidate> candidates;
    for (const LevelDeclaration& declaration : found.declared) {
      DomainTree tree;
      if (!declaration.keys.empty()) tree = read_domains(labels_, {"", declaration.keys});
      if (!tree.coverage.levels.empty())
        candidates.push_back({declaration.by, declaration.where, std::move(tree)});
      else if (!declaration.keys.empty())
        note(declaration.where,
             fmt::format("{} declares levels that no GPU node has a label of", declaration.by),
             Severity::warning);
    }
    const bool member = std::any_of(hyper.paths.begin(), hyper.paths.end(),
                                    [](const auto& path) { return !path.empty(); });
    if (member)
      candidates.push_back({std::string(hypernodes),
                            objects_.of("topology.volcano.sh", "HyperNode").front()->where(),
                            tree_of(std::move(hyper), found.tree)});
    else if (!hyper.levels.empty())
      note(objects_.of("topology.volcano.sh", "HyperNode").front()->where(),
           "no GPU node is a member of a HyperNode", Severity::warning);
    return candidates;
  }

  DomainTree choose(std::vector<Candidate> candidates) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.tree.coverage.complete != b.tree.coverage.complete
                                  ? a.tree.coverage.complete > b.tree.coverage.complete
                                  : a.by < b.by;
                     });
    Candidate& best = candidates.front();
    note(best.where,
         fmt::format("levels as {} declares them ({})", best.by, count_words(best.tree.coverage)));
    for (std::size_t i = 1; i < candidates.size(); ++i)
      note(candidates[i].where,
           fmt::format("{} is not used ({}): {}", candidates[i].by,
                       count_words(candidates[i].tree.coverage),
                       candidates[i].tree.coverage.complete == best.tree.coverage.complete
                           ? "equally complete, and later by name"
                           : "the other knows more nodes completely"));
    best.tree.coverage.name = best.by;
    best.tree.reason = "it is declared in the cluster";
    return std::move(best.tree);
  }

  void note(base::SourceRef where, std::string message, Severity severity = Severity::note) {
    notes_.push_back({std::move(where), std::move(message), "", severity});
  }

  const KubernetesObjects& objects_;
  const std::vector<GpuNode>& nodes_;
  const ImportOptions& options_;
  const base::SourceRef& file_;
  base::Diagnostics& notes_;
  std::vector<const base::Node*> labels_;
};

}  // namespace

base::Result<FoundDomains> find_domains(const KubernetesObjects& objects,
                                        const std::vector<GpuNode>& nodes,
                                        const ImportOptions& options, const base::SourceRef& file,
                                        base::Diagnostics& notes) {
  return Finder(objects, nodes, options, file, notes).find();
}

}  // namespace topology
