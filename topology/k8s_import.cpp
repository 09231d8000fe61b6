#include "topology/k8s_import.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "topology/domain_notes.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_nodes.hpp"
#include "topology/node_selection.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::Severity;
using base::SourceRef;

class Importer {
 public:
  Importer(const std::string& file, const HardwareRegistry& registry, const ImportOptions& options)
      : file_(file), registry_(registry), options_(options) {}

  base::Result<KubernetesImport> import(std::string_view text) {
    const SourceRef options_where = place_of(options_, file_);
    if (Diagnostics problems = check_options(options_, registry_, options_where); !problems.empty())
      return tl::unexpected(std::move(problems));
    const DumpFile file{file_, std::string(text)};
    const auto objects = read_kubernetes({&file, 1}, result_.notes);
    if (!objects) return tl::unexpected(objects.error());
    auto nodes = collect_nodes(*objects);
    if (!nodes) return tl::unexpected(std::move(nodes.error()));
    report_others(*objects);
    result_.nodes_in_dump = static_cast<int>(nodes->size());
    if (Diagnostics problems = select_nodes(*nodes, options_, options_where, result_.notes);
        !problems.empty())
      return tl::unexpected(std::move(problems));
    const InventoryOptions wanted{options_.gpu.empty() ? nullptr : registry_.find_gpu(options_.gpu),
                                  options_.unavailable ? Keep::unavailable : Keep::available};
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
  void report_others(const KubernetesObjects& objects) {
    int others = 0;
    const KubernetesObject* first = nullptr;
    for (const KubernetesObject& object : objects.all) {
      if (object.kind == "Node") continue;
      if (others++ == 0) first = &object;
    }
    if (others == 0) return;
    note(first->document->where(*first->node),
         fmt::format("{} passed over that {} ({})", count_of(others, "object"),
                     others == 1 ? "is no node" : "are no nodes",
                     first->kind.empty() ? std::string("no kind given")
                                         : fmt::format("the first is a {}", first->kind)));
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
    const DomainTree tree =
        read_domains(labels_of(inventory.nodes), {options_.scheme, options_.levels});
    for (std::size_t i = 0; i < inventory.nodes.size(); ++i) {
      const GpuNode& from = inventory.nodes[i];
      NodeSpec node;
      node.name = from.node->name;
      node.type = from.type;
      node.usable_gpus = from.usable_gpus;
      if (!tree.flat) node.domains = tree.paths[i];
      result_.spec.nodes.push_back(std::move(node));
    }
    result_.spec.fabric_from_domains = !tree.flat;
    result_.spec.where = SourceRef{file_};
    result_.seen = tree.seen;
    result_.coverage = tree.coverage;
    result_.scheme = tree.flat ? std::string() : tree.coverage.name;
    result_.scheme_reason = tree.reason;
    if (!tree.flat)
      for (const LevelCoverage& level : tree.coverage.levels)
        result_.spec.levels.push_back(level.key);
    explain_domains(tree, inventory.nodes, options_, SourceRef{file_}, result_.notes);
    std::vector<std::string> domains =
        accelerator_domains(tree, inventory.nodes, SourceRef{file_}, result_.notes);
    for (std::size_t i = 0; i < domains.size(); ++i) {
      if (!domains[i].empty()) result_.accelerator_key = tree.accelerator_key;
      result_.spec.nodes[i].accelerator_domain = std::move(domains[i]);
    }
  }

  void note(SourceRef where, std::string message, std::string hint = {},
            Severity severity = Severity::note) {
    result_.notes.push_back({std::move(where), std::move(message), std::move(hint), severity});
  }

  const std::string& file_;
  const HardwareRegistry& registry_;
  const ImportOptions& options_;
  KubernetesImport result_;
};

}  // namespace

base::Result<KubernetesImport> import_kubernetes(std::string_view text, const std::string& file,
                                                 const HardwareRegistry& registry,
                                                 const ImportOptions& options) {
  return Importer(file, registry, options).import(text);
}

}  // namespace topology
