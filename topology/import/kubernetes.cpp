#include "topology/import/kubernetes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>

#include "topology/domain_notes.hpp"
#include "topology/import/kubernetes_domains.hpp"
#include "topology/import/kubernetes_nics.hpp"
#include "topology/import/kubernetes_pods.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_nodes.hpp"
#include "topology/node_selection.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::Node;
using base::Severity;

constexpr std::string_view format_name = "kubernetes";

/// Groups whose objects say something here.
constexpr std::array<std::string_view, 8> known_groups{"",
                                                       "kueue.x-k8s.io",
                                                       "kai.scheduler",
                                                       "grove.io",
                                                       "scheduling.koordinator.sh",
                                                       "topology.volcano.sh",
                                                       "resource.k8s.io",
                                                       "sriovnetwork.openshift.io"};
constexpr std::array<std::string_view, 10> known_kinds{"Node",
                                                       "Pod",
                                                       "Topology",
                                                       "ClusterTopologyBinding",
                                                       "ClusterTopology",
                                                       "ClusterNetworkTopology",
                                                       "HyperNode",
                                                       "ResourceSlice",
                                                       "ResourceClaim",
                                                       "SriovNetworkNodeState"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_read(const KubernetesObject& object) {
  return is_in(known_groups, object.group) && is_in(known_kinds, object.kind);
}

/// Other names of a node, each once.
std::vector<std::string> aliases_of(const KubernetesNode& node) {
  std::vector<std::string> aliases;
  const auto add = [&](std::string_view name) {
    if (!name.empty() && name != node.name &&
        std::find(aliases.begin(), aliases.end(), name) == aliases.end())
      aliases.emplace_back(name);
  };
  const Node* object = node.object->node;
  add(label_value(node.labels, "kubernetes.io/hostname"));
  const std::string_view provider = text_at(map_at(object, "spec"), "providerID");
  add(provider);
  // "0" of an Azure scale set names a machine of every scale set.
  const std::string_view last = provider.substr(provider.rfind('/') + 1);
  if (last.find_first_not_of("0123456789") != last.npos) add(last);
  add(text_at(map_at(map_at(object, "metadata"), "annotations"), "topograph.run/instance"));
  for (const Node& address : items_at(map_at(object, "status"), "addresses")) {
    const std::string_view type = text_at(&address, "type");
    if (type == "InternalIP" || type == "Hostname" || type == "InternalDNS")
      add(text_at(&address, "address"));
  }
  return aliases;
}

class Importer {
 public:
  Importer(std::span<const DumpFile> files, const ImportContext& context)
      : files_(files), context_(context), file_{files.front().name} {}

  base::Result<FoundCluster> import() {
    const ImportOptions& options = context_.options;
    const base::SourceRef options_where = place_of(options, file_.file);
    if (Diagnostics problems = check_options(options, context_.registry, options_where);
        !problems.empty())
      return tl::unexpected(std::move(problems));
    const auto objects = read_kubernetes(files_, cluster_.notes);
    if (!objects) return tl::unexpected(objects.error());
    auto nodes = collect_nodes(*objects);
    if (!nodes) return tl::unexpected(std::move(nodes.error()));
    const std::size_t in_dump = nodes->size();
    if (Diagnostics problems = select_nodes(*nodes, options, options_where, cluster_.notes);
        !problems.empty())
      return tl::unexpected(std::move(problems));
    count_slice_gpus(*objects, *nodes);
    const InventoryOptions wanted{
        options.gpu.empty() ? nullptr : context_.registry.find_gpu(options.gpu), Keep::all};
    const auto inventory = take_inventory(*nodes, context_.registry, wanted, cluster_.notes);
    if (!inventory) return tl::unexpected(inventory.error());
    report_left_out(*nodes, *inventory);
    if (inventory->nodes.empty()) return tl::unexpected(nothing_found(in_dump));
    add_nodes(inventory->nodes);
    if (Diagnostics problems = add_domains(*objects, inventory->nodes); !problems.empty())
      return tl::unexpected(std::move(problems));
    place_pods(*objects, inventory->nodes, cluster_.nodes, cluster_.notes);
    add_neighbours(inventory->nodes, cluster_);
    add_device_nics(*objects, cluster_);
    add_sources(*objects);
    return std::move(cluster_);
  }

 private:
  void report_left_out(const std::vector<KubernetesNode>& nodes, const Inventory& inventory) {
    if (inventory.cpu_nodes > 0)
      note(fmt::format("{} without GPUs left out", count_of(inventory.cpu_nodes, "node")));
    NodeTally tpus;
    for (const KubernetesNode& node : nodes)
      if (!label_value(node.labels, "cloud.google.com/gke-tpu-topology").empty())
        tpus.add(node, Severity::warning, "of a TPU slice left out",
                 "its torus is not supported; GPUs are");
    tpus.report(cluster_.notes);
  }

  /// The reasons stand in the notes; they become part of the answer.
  Diagnostics nothing_found(std::size_t in_dump) const {
    Diagnostics problems{
        {file_, fmt::format("no GPU node among {}", count_of(static_cast<int>(in_dump), "node")),
         in_dump == 0 ? "the list is empty" : ""}};
    problems.insert(problems.end(), cluster_.notes.begin(), cluster_.notes.end());
    return problems;
  }

  void add_nodes(const std::vector<GpuNode>& nodes) {
    for (const GpuNode& from : nodes) {
      FoundNode node;
      node.name = from.node->name;
      node.aliases = aliases_of(*from.node);
      if (from.type != nullptr) node.type = from.type->name;
      if (from.gpu != nullptr) node.gpu = from.gpu->name;
      node.gpus = from.gpus;
      node.usable_gpus = from.usable_gpus;
      node.unavailable = from.unavailable;
      node.where = from.node->where;
      cluster_.nodes.push_back(std::move(node));
    }
  }

  Diagnostics add_domains(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes) {
    auto domains = find_domains(objects, nodes, context_.options, file_, cluster_.notes);
    if (!domains) return std::move(domains.error());
    cluster_.declared = std::move(domains->declared);
    const DomainTree& tree = domains->tree;
    if (!tree.flat)
      for (const LevelCoverage& level : tree.coverage.levels) cluster_.levels.push_back(level.key);
    const std::vector<std::string> accelerators =
        accelerator_domains(tree, nodes, file_, cluster_.notes);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!tree.flat) cluster_.nodes[i].domains = tree.paths[i];
      set_accelerator(tree.accelerator_key, accelerators[i], *nodes[i].node, cluster_.nodes[i]);
    }
    return {};
  }

  /// GPU feature discovery joins both in one label: "UUID.CLIQUE".
  static void set_accelerator(std::string_view key, std::string_view value,
                              const KubernetesNode& node, FoundNode& found) {
    const std::size_t dot = value.rfind('.');
    if (value.empty()) return;
    found.accelerator_domain = value;
    if (key == "nvidia.com/gpu.clique" && dot != value.npos) {
      found.accelerator_domain = value.substr(0, dot);
      found.accelerator_partition = value.substr(dot + 1);
    } else if (key == "accelerator.topograph.run/domain") {
      found.accelerator_partition =
          label_value(node.labels, "accelerator.topograph.run/sub-domain");
    }
  }

  /// What each file holds, by kind.
  void add_sources(const KubernetesObjects& objects) {
    std::map<std::string, std::map<std::string_view, int>> told;
    std::map<std::string_view, int> passed_over;
    const KubernetesObject* first = nullptr;
    for (const KubernetesObject& object : objects.all) {
      ++told[object.document->files.front()][object.kind];
      if (is_read(object)) continue;
      ++passed_over[object.kind];
      if (first == nullptr) first = &object;
    }
    for (const DumpFile& file : files_)
      cluster_.sources.push_back({std::string(format_name), file.name, words_of(told[file.name])});
    if (first != nullptr)
      cluster_.notes.push_back({first->document->where(*first->node),
                                fmt::format("passed over: {}", words_of(passed_over)), "",
                                Severity::note});
  }

  /// "2 Nodes, 1 Pod".
  static std::string words_of(const std::map<std::string_view, int>& kinds) {
    std::vector<std::string> words;
    for (const auto& [kind, count] : kinds)
      words.push_back(count_of(count, kind.empty() ? "object without a kind" : kind));
    return words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, ", "));
  }

  void note(std::string message) {
    cluster_.notes.push_back({file_, std::move(message), "", Severity::note});
  }

  std::span<const DumpFile> files_;
  const ImportContext& context_;
  base::SourceRef file_;
  FoundCluster cluster_;
};

}  // namespace

base::Result<FoundCluster> read_kubernetes_cluster(std::span<const DumpFile> files,
                                                   const ImportContext& context) {
  return Importer(files, context).import();
}

}  // namespace topology
