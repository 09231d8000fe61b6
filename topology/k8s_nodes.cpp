#include "topology/k8s_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::Node;

class Collector {
 public:
  std::vector<KubernetesNode> nodes;
  Diagnostics problems;

  void add(const KubernetesObject& object) {
    const Node* metadata = map_at(object.node, "metadata");
    if (object.name.empty())
      return error(object, metadata == nullptr ? *object.node : *metadata, "this node has no name");
    KubernetesNode node;
    node.name = object.name;
    node.where = object.where();
    node.object = &object;
    node.labels = map_at(metadata, "labels");
    if (const Node* labels = metadata->find("labels");
        labels != nullptr && node.labels == nullptr && labels->kind != Node::Kind::null)
      error(object, *labels, "'labels' must be a map");
    check_labels(object, node.labels);
    const Node* status = map_at(object.node, "status");
    node.allocatable = map_at(status, "allocatable");
    node.ready = is_ready(status);
    read_spec(map_at(object.node, "spec"), node);
    nodes.push_back(std::move(node));
  }

 private:
  void check_labels(const KubernetesObject& object, const Node* labels) {
    if (labels == nullptr) return;
    for (const Node::Entry& label : labels->entries)
      if (label.value.kind == Node::Kind::map || label.value.kind == Node::Kind::sequence)
        error(object, label.value, fmt::format("the label '{}' must be text", label.key));
  }

  /// A dump without conditions (metadata only) says nothing against a node.
  static bool is_ready(const Node* status) {
    for (const Node& condition : items_at(status, "conditions"))
      if (text_at(&condition, "type") == "Ready") return text_at(&condition, "status") == "True";
    return true;
  }

  /// Taints that Kubernetes itself sets repeat what conditions and `unschedulable` say.
  static void read_spec(const Node* spec, KubernetesNode& node) {
    node.cordoned = text_at(spec, "unschedulable") == "true";
    for (const Node& taint : items_at(spec, "taints")) {
      const std::string_view key = text_at(&taint, "key");
      const std::string_view effect = text_at(&taint, "effect");
      if (key == "node.kubernetes.io/unschedulable") node.cordoned = true;
      if (key == "node.kubernetes.io/not-ready" || key == "node.kubernetes.io/unreachable")
        node.ready = false;
      if (key.starts_with("node.kubernetes.io/") || effect == "PreferNoSchedule" || key.empty())
        continue;
      const std::string_view value = text_at(&taint, "value");
      node.taints.push_back(fmt::format("{}{}{}:{}", key, value.empty() ? "" : "=", value, effect));
    }
  }

  void error(const KubernetesObject& object, const Node& at, std::string message) {
    problems.push_back({object.document->where(at), std::move(message)});
  }
};

/// Why there is nothing to import.
Diagnostics no_nodes(const KubernetesObjects& objects) {
  const std::string hint = "write it with: kubectl get nodes -o json";
  if (!objects.all.empty()) {
    const KubernetesObject& first = objects.all.front();
    return {{first.document->where(*first.node),
             fmt::format("the list holds no nodes, but {} ({})",
                         count_of(static_cast<int>(objects.all.size()), "other object"),
                         first.kind.empty() ? std::string("no kind given")
                                            : fmt::format("the first is a {}", first.kind)),
             hint}};
  }
  if (objects.lists.empty())
    return {{{objects.documents.front().files.front()}, "holds no nodes", hint}};
  const KubernetesList& list = objects.lists.front();
  return {{list.kind_at, fmt::format("is of kind '{}List', not a list of nodes", list.item_kind),
           hint}};
}

}  // namespace

base::Result<std::vector<KubernetesNode>> collect_nodes(const KubernetesObjects& objects) {
  Collector collector;
  for (const KubernetesObject* object : objects.of("", "Node")) collector.add(*object);
  if (!collector.problems.empty()) return tl::unexpected(std::move(collector.problems));
  const bool told =
      std::any_of(objects.lists.begin(), objects.lists.end(), [](const KubernetesList& list) {
        return list.item_kind == "Node" || (list.item_kind.empty() && list.items == 0);
      });
  if (collector.nodes.empty() && !told) return tl::unexpected(no_nodes(objects));
  return std::move(collector.nodes);
}

}  // namespace topology
