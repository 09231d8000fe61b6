#include "topology/k8s_import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>

#include "topology/k8s_inventory.hpp"
#include "topology/k8s_nodes.hpp"
#include "topology/natural_order.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostic;
using base::Diagnostics;
using base::Severity;
using base::SourceRef;

/// One requirement of a label selector.
struct Requirement {
  std::string_view key;
  std::optional<std::string_view> value;  ///< nothing: the key must be there
  bool negated = false;

  bool holds(const base::Node* labels) const {
    const base::Node* found = labels == nullptr ? nullptr : labels->find(key);
    const bool match = found != nullptr && (!value || found->text == *value);
    return match != negated;
  }
};

std::optional<Requirement> parse_requirement(std::string_view text) {
  Requirement wanted;
  std::size_t end = text.find_first_of("!=");
  if (end == 0 && text[0] == '!') {
    wanted = {text.substr(1), std::nullopt, true};
    end = wanted.key.find_first_of("!=");
    if (end != std::string_view::npos) return std::nullopt;
  } else if (end == std::string_view::npos) {
    wanted.key = text;
  } else {
    wanted.key = text.substr(0, end);
    wanted.negated = text[end] == '!';
    std::string_view rest = text.substr(end + (wanted.negated ? 1 : 0));
    if (!rest.starts_with('=')) return std::nullopt;
    rest.remove_prefix(rest.starts_with("==") ? 2 : 1);
    if (rest.find_first_of("!=") != std::string_view::npos) return std::nullopt;
    wanted.value = rest;
  }
  if (wanted.key.empty() || wanted.key.find_first_of(" ()") != std::string_view::npos)
    return std::nullopt;
  return wanted;
}

base::Result<std::vector<Requirement>> parse_selector(std::string_view selector,
                                                      const SourceRef& where) {
  std::vector<Requirement> all;
  while (!selector.empty()) {
    const std::size_t end = std::min(selector.find(','), selector.size());
    const std::string_view part = selector.substr(0, end);
    const std::optional<Requirement> wanted = parse_requirement(part);
    if (!wanted)
      return tl::unexpected(
          Diagnostics{{where, fmt::format("'{}' is no requirement on a label", part),
                       "write key=value, key!=value, key or !key, joined by commas"}});
    all.push_back(*wanted);
    selector.remove_prefix(std::min(end + 1, selector.size()));
  }
  return all;
}

class Importer {
 public:
  Importer(const std::string& file, const HardwareRegistry& registry, const ImportOptions& options)
      : file_(file), registry_(registry), options_(options) {
    options_where_ = options.where.file.empty() ? SourceRef{file} : options.where;
  }

  base::Result<KubernetesImport> import(std::string_view json) {
    if (Diagnostics problems = check_options(); !problems.empty())
      return tl::unexpected(std::move(problems));
    const auto document = read_kubernetes_json(json, file_);
    if (!document) return tl::unexpected(document.error());
    auto nodes = collect_nodes(*document, result_.notes);
    if (!nodes) return tl::unexpected(std::move(nodes.error()));
    result_.nodes_in_dump = static_cast<int>(nodes->size());
    if (Diagnostics problems = select(*nodes); !problems.empty())
      return tl::unexpected(std::move(problems));
    std::sort(nodes->begin(), nodes->end(), [](const KubernetesNode& a, const KubernetesNode& b) {
      return natural_less(a.name, b.name);
    });
    const InventoryOptions wanted{options_.gpu.empty() ? nullptr : registry_.find_gpu(options_.gpu),
                                  options_.unavailable};
    const auto inventory = take_inventory(*nodes, registry_, wanted, result_.notes);
    if (!inventory) return tl::unexpected(inventory.error());
    result_.cpu_nodes = inventory->cpu_nodes;
    if (result_.cpu_nodes > 0)
      note(SourceRef{file_},
           fmt::format("{} without GPUs left out", count_of(result_.cpu_nodes, "node")));
    if (Diagnostics problems = check_gpus(*inventory); !problems.empty())
      return tl::unexpected(std::move(problems));
    add_nodes(*inventory);
    result_.spec.notes = result_.notes;
    return std::move(result_);
  }

 private:
  Diagnostics check_options() const {
    Diagnostics problems;
    if (!options_.gpu.empty() && registry_.find_gpu(options_.gpu) == nullptr)
      problems.push_back({options_where_, fmt::format("unknown GPU '{}'", options_.gpu),
                          base::suggest(options_.gpu, registry_.gpu_names())});
    const std::vector<std::string_view> names = label_scheme_names();
    if (!options_.scheme.empty() &&
        std::find(names.begin(), names.end(), options_.scheme) == names.end())
      problems.push_back({options_where_, fmt::format("unknown label scheme '{}'", options_.scheme),
                          fmt::format("known: {}", fmt::join(names, ", "))});
    return problems;
  }

  Diagnostics select(std::vector<KubernetesNode>& nodes) {
    const auto selector = parse_selector(options_.selector, options_where_);
    if (!selector) return selector.error();
    const std::size_t removed = std::erase_if(nodes, [&](const KubernetesNode& node) {
      return !std::all_of(selector->begin(), selector->end(),
                          [&](const Requirement& r) { return r.holds(node.labels); });
    });
    if (removed > 0)
      note(options_where_,
           fmt::format("{} left out by the selector '{}'",
                       count_of(static_cast<int>(removed), "node"), options_.selector));
    return {};
  }

  /// At least one GPU node, and one GPU model: a step forecast over two kinds would be the slower
  /// one's with the other's memory.
  Diagnostics check_gpus(const Inventory& inventory) const {
    if (inventory.nodes.empty()) return nothing_usable();
    std::map<std::string, int> models;
    for (const GpuNode& node : inventory.nodes) ++models[node.gpu->name];
    if (models.size() == 1) return {};
    const auto other =
        std::find_if(inventory.nodes.begin(), inventory.nodes.end(),
                     [&](const GpuNode& node) { return node.gpu != inventory.nodes.front().gpu; });
    std::vector<std::string> parts;
    for (const auto& [name, count] : models)
      parts.push_back(fmt::format("{} with {}", count_of(count, "node"), name));
    return {{other->node->where,
             fmt::format("the cluster mixes GPU models: {}", fmt::join(parts, ", ")),
             fmt::format("choose one, for example gpu: {}", inventory.nodes.front().gpu->name)}};
  }

  /// The reasons stand in the notes; they become part of the answer.
  Diagnostics nothing_usable() const {
    Diagnostics problems{
        {SourceRef{file_},
         fmt::format("no usable GPU node among {}", count_of(result_.nodes_in_dump, "node")),
         result_.notes.empty() ? "the list is empty" : ""}};
    problems.insert(problems.end(), result_.notes.begin(), result_.notes.end());
    return problems;
  }

  void add_nodes(const Inventory& inventory) {
    std::vector<const base::Node*> labels;
    for (const GpuNode& node : inventory.nodes) labels.push_back(node.node->labels);
    const DomainTree tree = read_domains(labels, {options_.scheme, options_.levels});
    for (std::size_t i = 0; i < inventory.nodes.size(); ++i) {
      const GpuNode& from = inventory.nodes[i];
      NodeSpec node;
      node.name = from.node->name;
      node.type = from.type;
      node.usable_gpus = from.usable_gpus;
      if (!tree.flat) node.domains = tree.paths[i];
      if (from.type->scale_up_domain_nodes > 1)
        node.accelerator_domain = tree.accelerator_domains[i];
      result_.spec.nodes.push_back(std::move(node));
    }
    result_.spec.fabric_from_domains = !tree.flat;
    result_.spec.where = SourceRef{file_};
    result_.seen = tree.seen;
    result_.coverage = tree.coverage;
    result_.scheme = tree.flat ? std::string() : tree.coverage.name;
    result_.scheme_reason = tree.reason;
    explain_scheme(tree, labels);
    if (!tree.flat) explain_gaps(tree, inventory);
    explain_accelerators(tree, inventory);
  }

  void explain_scheme(const DomainTree& tree, const std::vector<const base::Node*>& labels) {
    if (tree.flat && labels.size() == 1) return;  // no switch is needed
    if (tree.flat) return explain_flat(tree, labels);
    std::vector<std::string> levels;
    for (const LevelCoverage& level : tree.coverage.levels)
      levels.push_back(fmt::format("{} ({})", level.key, level.domains));
    note(SourceRef{file_}, fmt::format("switches from the labels {}", fmt::join(levels, ", ")));
    if (tree.seen.size() > 1) {
      std::vector<std::string> seen;
      for (const SchemeCoverage& scheme : tree.seen)
        seen.push_back(
            fmt::format("{} ({} complete)", scheme.name, count_of(scheme.complete, "node")));
      note(SourceRef{file_},
           fmt::format("{} label schemes found: {}; '{}' is used: {}", tree.seen.size(),
                       fmt::join(seen, ", "), tree.coverage.name, tree.reason),
           "choose another with the option scheme");
    }
    for (const LabelScheme& scheme : label_schemes())
      if (scheme.name == tree.coverage.name && scheme.weak_levels > 0 &&
          static_cast<int>(tree.coverage.levels.size()) <= scheme.weak_levels)
        note(SourceRef{file_},
             fmt::format("{} spread over {} zones, and no label says how those are joined",
                         count_of(static_cast<int>(labels.size()), "node"),
                         tree.coverage.levels.back().domains),
             "choose one zone with the option selector", Severity::warning);
  }

  void explain_flat(const DomainTree& tree, const std::vector<const base::Node*>& labels) {
    const bool asked = !options_.scheme.empty() || !options_.levels.empty();
    std::string hint = "Topograph writes such labels; or describe the fabric in the cluster file";
    if (const auto keys = unknown_topology_keys(labels); !keys.empty() && !asked) {
      std::vector<std::string> names;
      for (const auto& [key, count] : keys)
        if (names.size() < 4) names.push_back(fmt::format("{} ({})", key, count_of(count, "node")));
      hint = fmt::format("name them in the option levels if they tell switches: {}",
                         fmt::join(names, ", "));
    }
    note(SourceRef{file_},
         fmt::format("{}; one switch that joins all {} is assumed",
                     asked               ? "no node has the labels that were asked for"
                     : tree.seen.empty() ? "no node has topology labels"
                                         : "the labels say nothing about switches",
                     count_of(static_cast<int>(labels.size()), "node")),
         std::move(hint), Severity::warning);
  }

  void explain_gaps(const DomainTree& tree, const Inventory& inventory) {
    NodeTally gaps;
    for (std::size_t i = 0; i < inventory.nodes.size(); ++i) {
      const std::vector<std::string>& path = tree.paths[i];
      const KubernetesNode& node = *inventory.nodes[i].node;
      if (path.empty())
        gaps.add(node, Severity::warning, "without any of these labels",
                 "hung from the top switch; label them and import again");
      for (std::size_t level = 0; level < path.size(); ++level)
        if (path[level].empty())
          gaps.add(node, Severity::warning,
                   fmt::format("without the label {}", tree.coverage.levels[level].key),
                   "hung from the levels they tell; label them and import again");
    }
    gaps.report(result_.notes);
    explain_reused_names(tree);
  }

  /// Names are unique only below their parent. Where one occurs under several, that is either a
  /// reused name or a switch with several parents; the path decides, and the user is told.
  void explain_reused_names(const DomainTree& tree) {
    for (std::size_t level = 1; level < tree.coverage.levels.size(); ++level) {
      std::map<std::string, std::set<std::vector<std::string>>> parents;
      for (const std::vector<std::string>& path : tree.paths)
        if (level < path.size() && !path[level].empty())
          parents[path[level]].insert({path.begin(), path.begin() + static_cast<long>(level)});
      const auto reused = std::count_if(parents.begin(), parents.end(),
                                        [](const auto& entry) { return entry.second.size() > 1; });
      if (reused == 0) continue;
      note(SourceRef{file_},
           fmt::format("{} of {} names of {} occur under several parents; each place is taken as a "
                       "switch of its own",
                       reused, parents.size(), tree.coverage.levels[level].key));
    }
  }

  void explain_accelerators(const DomainTree& tree, const Inventory& inventory) {
    std::map<std::string, int> sizes;
    NodeTally odd;
    for (const NodeSpec& node : result_.spec.nodes)
      if (!node.accelerator_domain.empty()) ++sizes[node.accelerator_domain];
    for (std::size_t i = 0; i < inventory.nodes.size(); ++i) {
      const GpuNode& from = inventory.nodes[i];
      const std::string& domain = result_.spec.nodes[i].accelerator_domain;
      const int most = from.type->scale_up_domain_nodes;
      if (most == 1 && !tree.accelerator_domains[i].empty())
        odd.add(*from.node, Severity::note,
                fmt::format("with the label {}, but NVLink of {} ends at the node; it is not used",
                            tree.accelerator_key, from.type->name));
      if (most > 1 && domain.empty())
        odd.add(*from.node, Severity::warning,
                fmt::format("of type {} without a label of their NVLink domain", from.type->name),
                "GPU feature discovery writes nvidia.com/gpu.clique");
      if (most > 1 && !domain.empty() && sizes[domain] > most)
        odd.add(*from.node, Severity::warning,
                fmt::format("in the NVLink domain '{}' of {}, where {} has {}", domain,
                            count_of(sizes[domain], "node"), from.type->name, most));
    }
    if (!sizes.empty()) {
      result_.accelerator_key = tree.accelerator_key;
      note(SourceRef{file_}, fmt::format("{} from the label {}",
                                         count_of(static_cast<int>(sizes.size()), "NVLink domain"),
                                         tree.accelerator_key));
    }
    odd.report(result_.notes);
  }

  void note(SourceRef where, std::string message, std::string hint = {},
            Severity severity = Severity::note) {
    result_.notes.push_back({std::move(where), std::move(message), std::move(hint), severity});
  }

  const std::string& file_;
  const HardwareRegistry& registry_;
  const ImportOptions& options_;
  SourceRef options_where_;
  KubernetesImport result_;
};

}  // namespace

base::Result<KubernetesImport> import_kubernetes(std::string_view json, const std::string& file,
                                                 const HardwareRegistry& registry,
                                                 const ImportOptions& options) {
  return Importer(file, registry, options).import(json);
}

}  // namespace topology
