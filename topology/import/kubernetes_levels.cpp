#include "topology/import/kubernetes_levels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "topology/label_schemes.hpp"

namespace topology {

namespace {

using base::Node;
using base::Severity;

constexpr std::string_view host_key = "kubernetes.io/hostname";
/// Kueue accepts no more (its Topology API).
constexpr std::size_t levels_max = 16;

/// An object whose `spec.<list>` names one label a level, coarse to fine.
struct ListedKind {
  std::string_view group;
  std::string_view kind;
  std::string_view by;  ///< for people
  std::string_view list;
  std::string_view key;  ///< where the label stands in an item
};

constexpr std::array<ListedKind, 4> listed_kinds{{
    {"kueue.x-k8s.io", "Topology", "Kueue Topology", "levels", "nodeLabel"},
    {"kai.scheduler", "Topology", "KAI Topology", "levels", "nodeLabel"},
    {"grove.io", "ClusterTopologyBinding", "Grove ClusterTopologyBinding", "levels", "key"},
    {"grove.io", "ClusterTopology", "Grove ClusterTopology", "levels", "key"},
}};

class Reader {
 public:
  Reader(std::span<const Node* const> labels, base::Diagnostics& notes)
      : labels_(labels), notes_(notes) {}

  std::vector<LevelDeclaration> declared;
  base::Diagnostics problems;

  void read(const ListedKind& kind, const KubernetesObject& object) {
    object_ = &object;
    by_ = fmt::format("{} {}", kind.by, object.name);
    std::vector<std::string> keys;
    for (const Node& level : list(kind.list)) {
      const std::string_view key = text_at(&level, kind.key);
      if (key.empty())
        error(level, fmt::format("this level of {} has no '{}'", by_, kind.key));
      else
        keys.emplace_back(key);
    }
    declare(std::move(keys));
  }

  /// Layers name their parents and stand in any order.
  void read_layers(const KubernetesObject& object) {
    object_ = &object;
    by_ = fmt::format("Koordinator ClusterNetworkTopology {}", object.name);
    std::map<std::string_view, const Node*> children;  // by the name of the parent
    std::map<std::string_view, const Node*> layers;
    for (const Node& layer : list("networkTopologySpec")) {
      const std::string_view name = text_at(&layer, "topologyLayer");
      if (name.empty())
        error(layer, fmt::format("this layer of {} has no 'topologyLayer'", by_));
      else if (!layers.emplace(name, &layer).second)
        error(layer, fmt::format("duplicate layer '{}'", name));
    }
    for (const auto& [name, layer] : layers) {
      std::string_view parent = text_at(layer, "parentTopologyLayer");
      if (name == cluster_layer) continue;
      if (parent.empty() || layers.find(parent) == layers.end()) parent = cluster_layer;
      const auto [other, is_new] = children.emplace(parent, layer);
      if (!is_new)
        warn(*layer, fmt::format("the layers '{}' and '{}' of {} have one parent; '{}' is not used",
                                 text_at(other->second, "topologyLayer"), name, by_, name));
    }
    std::vector<std::string> keys;
    std::string_view at = cluster_layer;
    // Every layer is the child of one: the walk from the root meets none twice.
    for (auto child = children.find(at); child != children.end(); child = children.find(at)) {
      at = text_at(child->second, "topologyLayer");
      if (std::string key = best_key(*child->second); !key.empty()) keys.push_back(std::move(key));
      children.erase(child);
    }
    for (const auto& [parent, layer] : children)
      warn(*layer, fmt::format("the layer '{}' of {} has no way to the root; it is not used",
                               text_at(layer, "topologyLayer"), by_));
    declare(std::move(keys));
  }

 private:
  static constexpr std::string_view cluster_layer = "ClusterTopologyLayer";

  std::span<const Node> list(std::string_view key) {
    const Node* spec = map_at(object_->node, "spec");
    const Node* found = spec == nullptr ? nullptr : spec->find(key);
    if (found == nullptr || found->kind != Node::Kind::sequence || found->items.empty())
      error(found == nullptr ? *object_->node : *found,
            fmt::format("{} has no levels in spec.{}", by_, key));
    return items_at(spec, key);
  }

  /// The one that most nodes carry, the first of equals.
  std::string best_key(const Node& layer) const {
    std::string best;
    std::ptrdiff_t most = -1;
    for (const Node& item : items_at(&layer, "labelKey")) {
      const auto nodes = std::count_if(labels_.begin(), labels_.end(), [&](const Node* map) {
        return !label_value(map, item.text).empty();
      });
      if (nodes > most && !item.text.empty()) best = item.text, most = nodes;
    }
    return best;
  }

  void declare(std::vector<std::string> keys) {
    const base::SourceRef where = object_->where();
    if (keys.size() > levels_max)
      warn(*object_->node, fmt::format("{} has {} levels, of which Kueue and its like take {}", by_,
                                       keys.size(), levels_max));
    const auto host = std::find(keys.begin(), keys.end(), host_key);
    if (host != keys.end() && host + 1 != keys.end())
      warn(*object_->node, fmt::format("{} has levels below {}; they are not used", by_, host_key));
    keys.erase(host, keys.end());
    std::vector<std::string> distinct;
    for (std::string& key : keys) {
      if (std::find(distinct.begin(), distinct.end(), key) == distinct.end())
        distinct.push_back(std::move(key));
      else
        warn(*object_->node, fmt::format("{} names the level {} twice", by_, key));
    }
    if (distinct.size() > levels_max) distinct.resize(levels_max);
    declared.push_back({by_, std::move(distinct), where});
  }

  void error(const Node& at, std::string message) {
    problems.push_back({object_->document->where(at), std::move(message)});
  }
  void warn(const Node& at, std::string message) {
    notes_.push_back({object_->document->where(at), std::move(message), "", Severity::warning});
  }

  std::span<const Node* const> labels_;
  base::Diagnostics& notes_;
  const KubernetesObject* object_ = nullptr;
  std::string by_;
};

}  // namespace

base::Result<std::vector<LevelDeclaration>> read_declarations(const KubernetesObjects& objects,
                                                              std::span<const Node* const> labels,
                                                              base::Diagnostics& notes) {
  Reader reader(labels, notes);
  for (const ListedKind& kind : listed_kinds)
    for (const KubernetesObject* object : objects.of(kind.group, kind.kind))
      reader.read(kind, *object);
  for (const KubernetesObject* object :
       objects.of("scheduling.koordinator.sh", "ClusterNetworkTopology"))
    reader.read_layers(*object);
  if (!reader.problems.empty()) return tl::unexpected(std::move(reader.problems));
  std::sort(reader.declared.begin(), reader.declared.end(),
            [](const LevelDeclaration& a, const LevelDeclaration& b) { return a.by < b.by; });
  return std::move(reader.declared);
}

}  // namespace topology
