#include "topology/k8s_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostic;
using base::Diagnostics;
using base::Document;
using base::Node;
using base::Severity;

constexpr std::string_view right_command = "write it with: kubectl get nodes -o json";

std::string_view text_at(const Node* map, std::string_view key) {
  const Node* value = map == nullptr ? nullptr : map->find(key);
  return value != nullptr && value->kind == Node::Kind::scalar ? std::string_view(value->text)
                                                               : std::string_view();
}

const Node* map_at(const Node* map, std::string_view key) {
  const Node* value = map == nullptr ? nullptr : map->find(key);
  return value != nullptr && value->kind == Node::Kind::map ? value : nullptr;
}

/// What a text that does not begin like JSON seems to be; empty when there is no telling.
std::string_view looks_like(std::string_view text) {
  if (text.starts_with("<")) return "an HTML page";
  if (text.starts_with("NAME ")) return "the table that kubectl prints for people";
  if (text.starts_with("apiVersion:") || text.starts_with("---")) return "YAML";
  if (text.starts_with("error:") || text.starts_with("Error from server") ||
      text.starts_with("Unable to connect") || text.starts_with("The connection to the server"))
    return "an error message of kubectl";
  return {};
}

std::string_view hint_for_status(std::string_view code) {
  if (code == "401") return "log in again and repeat kubectl get nodes -o json";
  if (code == "403") return "ask for the rights get and list on nodes";
  if (code == "410") return "the list went stale while it was paged; read it again";
  if (code == "429" || code.starts_with("5")) return "the server is busy or down; read it again";
  return right_command;
}

class Collector {
 public:
  Collector(const Document& document, Diagnostics& notes) : document_(document), notes_(notes) {}

  base::Result<std::vector<KubernetesNode>> collect() {
    const Node& root = document_.root;
    if (root.kind == Node::Kind::sequence) {
      for (const Node& item : root.items) object(item);
    } else {
      object(root);
    }
    report_others();
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    return std::move(nodes_);
  }

 private:
  /// A list, a node, or something that should not be here.
  void object(const Node& node) {
    const std::string_view kind = text_at(&node, "kind");
    if (node.kind != Node::Kind::map) {
      error(node, "is not a Kubernetes object", std::string(right_command));
    } else if (kind == "Status") {
      status(node);
    } else if (kind == "List" || kind == "NodeList" || kind == "PartialObjectMetadataList") {
      list(node, kind != "List");
    } else if (kind == "Node") {
      add(node);
    } else if (kind.empty()) {
      error(node, "is not a Kubernetes object: it has no 'kind'", std::string(right_command));
    } else {
      error(*node.find("kind"), fmt::format("is of kind '{}', not a list of nodes", kind),
            std::string(right_command));
    }
  }

  /// Items of a NodeList need not repeat their kind.
  void list(const Node& node, bool kind_is_known) {
    const Node* items = node.find("items");
    if (items != nullptr && items->kind == Node::Kind::null) items = nullptr;
    if (items == nullptr || items->kind != Node::Kind::sequence) {
      error(items == nullptr ? node : *items, "this list has no array 'items'",
            std::string(right_command));
      return;
    }
    for (const Node& item : items->items) {
      const std::string_view kind = text_at(&item, "kind");
      if (item.kind != Node::Kind::map) {
        error(item, "an item of the list is not an object", "");
      } else if (kind == "Node" || kind == "PartialObjectMetadata" ||
                 (kind.empty() && kind_is_known)) {
        add(item);
      } else {
        other(item, kind);
      }
    }
    more_pages(map_at(&node, "metadata"));
  }

  void more_pages(const Node* metadata) {
    if (text_at(metadata, "continue").empty()) return;
    const std::string_view rest = text_at(metadata, "remainingItemCount");
    notes_.push_back({document_.where(*metadata->find("continue")),
                      rest.empty()
                          ? std::string("this is one page of a longer list")
                          : fmt::format("this is one page of a list that has {} more", rest),
                      "kubectl get nodes -o json joins all pages", Severity::warning});
  }

  void status(const Node& node) {
    const std::string_view code = text_at(&node, "code");
    const std::string_view message = text_at(&node, "message");
    error(node,
          fmt::format("the API server answered with an error{}: {}",
                      code.empty() ? std::string() : fmt::format(" ({})", code),
                      message.empty() ? std::string_view("no message") : message),
          std::string(hint_for_status(code)));
  }

  void other(const Node& item, std::string_view kind) {
    if (others_ == 0) first_other_ = document_.where(item), first_kind_ = kind;
    ++others_;
  }

  void report_others() {
    if (others_ == 0) return;
    const std::string what = first_kind_.empty() ? std::string("no kind given")
                                                 : fmt::format("the first is a {}", first_kind_);
    if (nodes_.empty() && problems_.empty()) {
      problems_.push_back({first_other_,
                           fmt::format("the list holds no nodes, but {} ({})",
                                       count_of(others_, "other object"), what),
                           std::string(right_command)});
    } else {
      notes_.push_back({first_other_,
                        fmt::format("{} passed over that {} ({})", count_of(others_, "object"),
                                    others_ == 1 ? "is no node" : "are no nodes", what),
                        "", Severity::note});
    }
  }

  void add(const Node& item) {
    const Node* metadata = map_at(&item, "metadata");
    const std::string_view name = text_at(metadata, "name");
    if (name.empty()) {
      error(metadata == nullptr ? item : *metadata, "this node has no name", "");
      return;
    }
    KubernetesNode node;
    node.name = name;
    node.where = document_.where(*metadata->find("name"));
    const auto [first, is_new] = lines_.emplace(node.name, node.where.line);
    if (!is_new) {
      problems_.push_back({node.where, fmt::format("duplicate node '{}'", name),
                           fmt::format("first given in line {}", first->second)});
      return;
    }
    node.labels = map_at(metadata, "labels");
    if (const Node* labels = metadata->find("labels");
        labels != nullptr && node.labels == nullptr && labels->kind != Node::Kind::null)
      error(*labels, "'labels' must be a map", "");
    check_labels(node);
    const Node* status = map_at(&item, "status");
    node.allocatable = map_at(status, "allocatable");
    node.ready = is_ready(status);
    read_spec(map_at(&item, "spec"), node);
    nodes_.push_back(std::move(node));
  }

  void check_labels(const KubernetesNode& node) {
    if (node.labels == nullptr) return;
    for (const Node::Entry& label : node.labels->entries)
      if (label.value.kind == Node::Kind::map || label.value.kind == Node::Kind::sequence)
        error(label.value, fmt::format("the label '{}' must be text", label.key), "");
  }

  /// A dump without conditions (metadata only) says nothing against a node.
  static bool is_ready(const Node* status) {
    const Node* conditions = status == nullptr ? nullptr : status->find("conditions");
    if (conditions == nullptr) return true;
    for (const Node& condition : conditions->items)
      if (text_at(&condition, "type") == "Ready") return text_at(&condition, "status") == "True";
    return true;
  }

  /// Taints that Kubernetes itself sets repeat what conditions and `unschedulable` say.
  static void read_spec(const Node* spec, KubernetesNode& node) {
    node.cordoned = text_at(spec, "unschedulable") == "true";
    const Node* taints = spec == nullptr ? nullptr : spec->find("taints");
    if (taints == nullptr) return;
    for (const Node& taint : taints->items) {
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

  void error(const Node& node, std::string message, std::string hint) {
    problems_.push_back({document_.where(node), std::move(message), std::move(hint)});
  }

  const Document& document_;
  Diagnostics& notes_;
  Diagnostics problems_;
  std::vector<KubernetesNode> nodes_;
  std::unordered_map<std::string, int> lines_;  ///< of node names; only looked up
  int others_ = 0;
  base::SourceRef first_other_;
  std::string first_kind_;
};

}  // namespace

base::Result<Document> read_kubernetes_json(std::string_view json, const std::string& file) {
  const std::size_t begin = json.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (begin == std::string_view::npos)
    return tl::unexpected(Diagnostics{{{file}, "is empty", std::string(right_command)}});
  if (const std::string_view what = looks_like(json.substr(begin)); !what.empty())
    return tl::unexpected(Diagnostics{
        {{file, 1, 1}, fmt::format("this is {}, not JSON", what), std::string(right_command)}});
  // Both are most of a real dump and say nothing about the machine.
  constexpr std::array<std::string_view, 2> unread{"status.images", "metadata.managedFields"};
  return base::parse_json(json, file, {.drop = unread});
}

base::Result<std::vector<KubernetesNode>> collect_nodes(const Document& document,
                                                        Diagnostics& notes) {
  return Collector(document, notes).collect();
}

}  // namespace topology
