#include "topology/k8s_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <unordered_map>

#include "topology/node_tally.hpp"

namespace topology {

namespace {

using base::Diagnostics;
using base::Document;
using base::Node;
using base::Severity;

constexpr std::string_view right_command = "write it with: kubectl get nodes -o json";
constexpr std::string_view space = " \t\r\n\xEF\xBB\xBF";

// Most of a real dump, and nothing in it about the machine. The parent of what lies in a list has
// no name.
constexpr std::array<std::string_view, 12> unread{
    "status.images",
    "metadata.managedFields",
    "annotations.kubectl.kubernetes.io/last-applied-configuration",
    "status.nodeInfo",
    "spec.volumes",
    "spec.tolerations",
    "spec.affinity",
    ".env",
    ".volumeMounts",
    "status.containerStatuses",
    "status.initContainerStatuses",
    "status.volumesAttached"};

bool is_json(std::string_view text) { return text.starts_with("{") || text.starts_with("["); }

/// What a text that is no object seems to be; empty when there is no telling.
std::string_view looks_like(std::string_view text) {
  if (text.starts_with("<")) return "an HTML page";
  if (text.starts_with("NAME ") || text.starts_with("NAMESPACE "))
    return "the table that kubectl prints for people";
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

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

class Collector {
 public:
  KubernetesObjects found;
  Diagnostics problems;

  void add_file(const DumpFile& file) {
    const std::string_view text = file.text;
    const std::size_t begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos) {
      problems.push_back({{file.name}, "is empty", std::string(right_command)});
      return;
    }
    if (const std::string_view what = looks_like(text.substr(begin)); !what.empty()) {
      problems.push_back({{file.name, 1, 1},
                          fmt::format("this is {}, not JSON", what),
                          std::string(right_command)});
      return;
    }
    auto read = is_json(text.substr(begin)) ? base::parse_json_texts(text, file.name, {unread})
                                            : base::parse_yaml_texts(text, file.name, {unread});
    if (!read) {
      problems.insert(problems.end(), read.error().begin(), read.error().end());
      return;
    }
    for (Document& document : *read) {
      found.documents.push_back(std::move(document));
      document_ = &found.documents.back();
      add_root(document_->root);
    }
  }

  void refuse_duplicates() {
    std::unordered_map<std::string, const KubernetesObject*> first;
    for (const KubernetesObject& object : found.all) {
      if (object.name.empty()) continue;
      const auto [seen, is_new] = first.emplace(
          fmt::format("{}|{}|{}|{}", object.group, object.kind, object.name_space, object.name),
          &object);
      if (is_new) continue;
      const base::SourceRef where = object.where();
      const base::SourceRef before = seen->second->where();
      problems.push_back(
          {where,
           fmt::format("duplicate {} '{}'", object.kind == "Node" ? "node" : object.kind,
                       object.name),
           before.file == where.file
               ? fmt::format("first given in line {}", before.line)
               : fmt::format("first given in {}, line {}", before.file, before.line)});
    }
  }

 private:
  void add_root(const Node& root) {
    if (root.kind == Node::Kind::null) return;  // nothing between two `---`
    if (root.kind != Node::Kind::sequence) return add(root);
    for (const Node& item : root.items) add(item);
  }

  void add(const Node& node) {
    const std::string_view kind = text_at(&node, "kind");
    if (node.kind != Node::Kind::map)
      error(node, "is not a Kubernetes object", right_command);
    else if (kind.empty())
      error(node, "is not a Kubernetes object: it has no 'kind'", right_command);
    else if (kind == "Status")
      status(node);
    else if (kind.ends_with("List"))
      list(node, kind.substr(0, kind.size() - 4));
    else
      object(node, kind, group_of(text_at(&node, "apiVersion")));
  }

  /// Items of a list of one kind need not repeat it.
  void list(const Node& node, std::string_view item_kind) {
    const Node* items = node.find("items");
    if (items != nullptr && items->kind == Node::Kind::null) items = nullptr;
    if (items == nullptr || items->kind != Node::Kind::sequence)
      return error(items == nullptr ? node : *items, "this list has no array 'items'",
                   right_command);
    const std::string_view group = group_of(text_at(&node, "apiVersion"));
    for (const Node& item : items->items) {
      const std::string_view kind = text_at(&item, "kind");
      const std::string_view own = text_at(&item, "apiVersion");
      if (item.kind != Node::Kind::map)
        error(item, "an item of the list is not an object", "");
      else
        object(item, kind.empty() ? item_kind : kind, own.empty() ? group : group_of(own));
    }
    const Node* metadata = map_at(&node, "metadata");
    KubernetesList told{
        base_kind(item_kind),          document_->where(*node.find("kind")),    items->items.size(),
        text_at(metadata, "continue"), text_at(metadata, "remainingItemCount"), {}};
    if (!told.more.empty()) told.more_at = document_->where(*metadata->find("continue"));
    found.lists.push_back(std::move(told));
  }

  /// Metadata alone is asked for of nodes, which can have thousands of labels.
  static std::string_view base_kind(std::string_view kind) {
    return kind == "PartialObjectMetadata" ? "Node" : kind;
  }

  void object(const Node& node, std::string_view kind, std::string_view group) {
    const Node* metadata = map_at(&node, "metadata");
    found.all.push_back({group == "meta.k8s.io" ? "" : group, base_kind(kind),
                         text_at(metadata, "name"), text_at(metadata, "namespace"), &node,
                         document_});
  }

  void status(const Node& node) {
    const std::string_view code = text_at(&node, "code");
    const std::string_view message = text_at(&node, "message");
    error(node,
          fmt::format("the API server answered with an error{}: {}",
                      code.empty() ? std::string() : fmt::format(" ({})", code),
                      message.empty() ? std::string_view("no message") : message),
          hint_for_status(code));
  }

  void error(const Node& node, std::string message, std::string_view hint) {
    problems.push_back({document_->where(node), std::move(message), std::string(hint)});
  }

  const Document* document_ = nullptr;
};

std::size_t count_in(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Pages of one kind follow each other: the last has nothing behind it, and no page before it was
/// left out.
void note_missing_pages(const KubernetesObjects& objects, Diagnostics& notes) {
  struct Pages {
    const KubernetesList* open = nullptr;  ///< the one with the fewest objects behind it
    std::size_t open_count = 0;
    std::size_t lists = 0;
    std::size_t items = 0;
    std::size_t wanted = 0;  ///< that one page and what it says is behind it hold
  };
  std::map<std::string_view, Pages> kinds;
  for (const KubernetesList& list : objects.lists) {
    Pages& pages = kinds[list.item_kind];
    ++pages.lists;
    pages.items += list.items;
    pages.wanted = std::max(pages.wanted, list.items + count_in(list.rest));
    if (list.more.empty()) continue;
    ++pages.open_count;
    if (pages.open == nullptr || count_in(list.rest) < count_in(pages.open->rest))
      pages.open = &list;
  }
  for (const auto& [kind, pages] : kinds) {
    if (pages.open == nullptr) continue;
    const std::string_view rest = pages.open->rest;
    if (pages.open_count == pages.lists)
      notes.push_back({pages.open->more_at,
                       rest.empty()
                           ? std::string("this is one page of a longer list")
                           : fmt::format("this is one page of a list that has {} more", rest),
                       "kubectl get nodes -o json joins all pages", Severity::warning});
    else if (pages.items < pages.wanted)
      notes.push_back({pages.open->more_at,
                       fmt::format("pages are missing: {} of {} {}s are here", pages.items,
                                   pages.wanted, kind.empty() ? "object" : kind),
                       "kubectl get nodes -o json joins all pages", Severity::warning});
  }
}

}  // namespace

base::SourceRef KubernetesObject::where() const {
  const Node* metadata = map_at(node, "metadata");
  const Node* told = metadata == nullptr ? nullptr : metadata->find("name");
  return document->where(told != nullptr ? *told : metadata != nullptr ? *metadata : *node);
}

std::vector<const KubernetesObject*> KubernetesObjects::of(std::string_view group,
                                                           std::string_view kind) const {
  std::vector<const KubernetesObject*> some;
  for (const KubernetesObject& object : all)
    if (object.kind == kind && object.group == group) some.push_back(&object);
  return some;
}

bool KubernetesObjects::told_of(std::string_view kind) const {
  return std::any_of(lists.begin(), lists.end(),
                     [&](const KubernetesList& list) { return list.item_kind == kind; }) ||
         std::any_of(all.begin(), all.end(),
                     [&](const KubernetesObject& object) { return object.kind == kind; });
}

base::Result<KubernetesObjects> read_kubernetes(std::span<const DumpFile> files,
                                                Diagnostics& notes) {
  Collector collector;
  for (const DumpFile& file : files) collector.add_file(file);
  collector.refuse_duplicates();
  if (!collector.problems.empty()) return tl::unexpected(std::move(collector.problems));
  note_missing_pages(collector.found, notes);
  return std::move(collector.found);
}

bool looks_like_kubernetes(std::string_view text) {
  constexpr std::size_t beginning = 1 << 16;
  const std::size_t begin = std::min(text.find_first_not_of(space), text.size());
  text = text.substr(begin, beginning);
  if (is_json(text)) return text.find("\"apiVersion\"") != text.npos;
  if (text.starts_with("<") || text.starts_with("error:")) return false;  // of anybody
  return !looks_like(text).empty() || text.starts_with("apiVersion:") ||
         text.find("\napiVersion:") != text.npos;
}

std::string_view text_at(const Node* map, std::string_view key) {
  const Node* value = map == nullptr ? nullptr : map->find(key);
  return value != nullptr && value->kind == Node::Kind::scalar ? std::string_view(value->text)
                                                               : std::string_view();
}

const Node* map_at(const Node* map, std::string_view key) {
  const Node* value = map == nullptr ? nullptr : map->find(key);
  return value != nullptr && value->kind == Node::Kind::map ? value : nullptr;
}

std::span<const Node> items_at(const Node* map, std::string_view key) {
  const Node* value = map == nullptr ? nullptr : map->find(key);
  return value == nullptr ? std::span<const Node>() : std::span<const Node>(value->items);
}

}  // namespace topology
