#include "topology/import/cloud_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/json_documents.hpp"
#include "base/parsing.hpp"
#include "topology/import/domain_paths.hpp"
#include "topology/import/named_switches.hpp"

namespace topology {

namespace {

using base::Document;
using base::JsonPart;
using base::Node;
using base::Severity;

const Node* find_path(const Node& node, std::string_view path) {
  const Node* at = &node;
  while (at != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    at = at->find(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return at;
}

const Node* find_any(const Node& node, const Keys& keys) {
  for (const std::string_view key : keys)
    if (const Node* found = find_path(node, key);
        found != nullptr && found->kind != Node::Kind::null)
      return found;
  return nullptr;
}

std::string text_of(const Node& node, const Keys& keys) {
  const Node* found = find_any(node, keys);
  return found != nullptr && found->kind == Node::Kind::scalar ? found->text : std::string();
}

class Reader {
 public:
  Reader(const CloudShape& shape, const ImportContext& context)
      : shape_(shape), context_(context) {}

  base::Result<FoundCluster> read(std::span<const DumpFile> files) {
    for (const DumpFile& file : files) {
      const std::string_view text = base::without_byte_order_mark(file.text);
      for (const JsonPart& part : base::json_parts(text)) {
        const auto document = base::parse_part(part, file.name);
        if (!document) {
          problems_.insert(problems_.end(), document.error().begin(), document.error().end());
          break;  // what follows is cut wrong too
        }
        read_page(*document, part);
      }
    }
    if (problems_.empty() && found_.nodes.empty())
      problems_.push_back({{files.front().name}, "no instance in it", "the list is empty"});
    if (problems_.empty()) finish();
    if (!problems_.empty()) return tl::unexpected(std::move(problems_));
    for (const DumpFile& file : files)
      found_.sources.push_back(
          {std::string(shape_.format), file.name,
           fmt::format("{} nodes, {} levels", found_.nodes.size(), found_.levels.size())});
    return std::move(found_);
  }

 private:
  void error(const base::SourceRef& where, std::string message, std::string hint = "") {
    problems_.push_back({where, std::move(message), std::move(hint)});
  }
  void note(const base::SourceRef& where, Severity severity, std::string message) {
    found_.notes.push_back({where, std::move(message), "", severity});
  }

  void read_page(const Document& document, const JsonPart& part) {
    const auto where = [&](const Node& node) { return base::place_in(document, node, part); };
    const Node* list = nullptr;
    for (const std::string_view key : shape_.lists) {
      const Node* found = find_path(document.root, key);
      if (list == nullptr && found != nullptr && found->kind != Node::Kind::scalar) list = found;
    }
    if (list == nullptr)
      return error(where(document.root), "this text has no list of instances",
                   fmt::format("it should be {}", shape_.lists.front()));
    // Answers about several zones have a list for each; a single instance stands alone.
    std::vector<const Node*> items;
    if (list->kind == Node::Kind::map && find_any(*list, shape_.id) != nullptr) {
      items.push_back(list);
    } else if (list->kind == Node::Kind::map) {
      for (const Node::Entry& zone : list->entries)
        if (const Node* inside = zone.value.find("instances"))
          for (const Node& item : inside->items) items.push_back(&item);
    } else {
      for (const Node& item : list->items) items.push_back(&item);
    }
    for (const Node* item : items) {
      const Node* id = find_any(*item, shape_.id);
      read_instance(*item, where(id == nullptr ? *item : *id));
    }
    const Node* next = find_any(document.root, shape_.next_page);
    more_ = next != nullptr && !next->text.empty();
    if (more_) more_where_ = where(*next);
  }

  void read_instance(const Node& item, const base::SourceRef& where) {
    FoundNode node;
    node.name = text_of(item, shape_.id);
    node.where = where;
    if (node.name.empty())
      return error(where, "an instance without a name",
                   fmt::format("it should have '{}'", shape_.id.front()));
    if (std::string alias = text_of(item, shape_.alias); !alias.empty() && alias != node.name)
      node.aliases.push_back(std::move(alias));
    read_domains(item, node);
    node.accelerator_domain = text_of(item, shape_.domain);
    if (!node.accelerator_domain.empty())
      node.accelerator_partition = text_of(item, shape_.partition);
    read_type(item, node);
    const auto [before, added] = index_.insert({node.name, found_.nodes.size()});
    if (!added) {
      const FoundNode& other = found_.nodes[before->second];
      if (other.domains != node.domains)
        error(where,
              fmt::format("the instance '{}' is given twice, with different switches (first "
                          "in line {})",
                          node.name, other.where.line),
              "write all pages again at one time");
      else
        ++repeated_;
      return;
    }
    found_.nodes.push_back(std::move(node));
  }

  /// The switches above a node: a list as it stands, fields with a gap for each that is missing.
  void read_domains(const Node& item, FoundNode& node) {
    for (const CloudLevel& level : shape_.levels) node.domains.push_back(text_of(item, level.keys));
    if (std::all_of(node.domains.begin(), node.domains.end(),
                    [](const std::string& domain) { return domain.empty(); }))
      node.domains.clear();
    const Node* path = shape_.path.empty() ? nullptr : find_path(item, shape_.path);
    if (path == nullptr) return;
    for (const Node& one : path->items)
      node.domains.push_back(one.kind == Node::Kind::map ? text_of(one, {"id"}) : one.text);
    if (shape_.order == PathOrder::fine_first)
      std::reverse(node.domains.begin(), node.domains.end());
    std::erase(node.domains, "");
  }

  void read_type(const Node& item, FoundNode& node) {
    std::string type = text_of(item, shape_.type);
    type.erase(0, type.rfind('/') + 1);
    if (type.empty()) return;
    if (const NodeType* known = context_.registry.find_node(type))
      node.type = known->name;
    else if (auto& unknown = unknown_types_[type]; unknown.second++ == 0)
      unknown.first = node.where;
  }

  void finish() {
    sort_nodes(found_);
    std::size_t most = 0;
    for (const FoundNode& node : found_.nodes) most = std::max(most, node.domains.size());
    tell_gaps(most);
    if (!shape_.levels.empty()) {
      for (const CloudLevel& level : shape_.levels) found_.levels.emplace_back(level.name);
    } else if (shape_.numbered.empty()) {
      align_paths(found_, "tier-", problems_);
    } else if (most > tiers_max) {
      error(found_.nodes.front().where, fmt::format("{} levels of switches", most));
    } else {
      for (FoundNode& node : found_.nodes)
        if (!node.domains.empty()) node.domains.resize(most);
      for (std::size_t level = 1; level <= most; ++level)
        found_.levels.push_back(fmt::format("{}{}", shape_.numbered, level));
    }
    for (const auto& [type, seen] : unknown_types_)
      note(seen.first, Severity::note,
           fmt::format("the type '{}' of {} instances is not in the registry", type, seen.second));
    if (repeated_ > 0)
      note(found_.nodes.front().where, Severity::note,
           fmt::format("{} instances are repeated on another page", repeated_));
    if (more_) note(more_where_, Severity::warning, "the last page says that there are more");
  }

  void tell_gaps(std::size_t most) {
    std::size_t without = 0;
    std::size_t partly = 0;
    base::SourceRef first_without;
    base::SourceRef first_partly;
    for (const FoundNode& node : found_.nodes) {
      const bool none = node.domains.empty();
      const bool gap =
          node.domains.size() < most ||
          std::find(node.domains.begin(), node.domains.end(), "") != node.domains.end();
      if (none && without++ == 0) first_without = node.where;
      if (!none && gap && partly++ == 0) first_partly = node.where;
    }
    if (without > 0)
      note(first_without, Severity::warning,
           fmt::format("{} of {} instances tell no switches", without, found_.nodes.size()));
    if (partly > 0)
      note(first_partly, Severity::note,
           fmt::format("{} of {} instances tell fewer switches than others", partly,
                       found_.nodes.size()));
  }

  const CloudShape& shape_;
  const ImportContext& context_;
  FoundCluster found_;
  base::Diagnostics problems_;
  std::unordered_map<std::string, std::size_t> index_;
  std::map<std::string, std::pair<base::SourceRef, int>> unknown_types_;
  int repeated_ = 0;
  bool more_ = false;
  base::SourceRef more_where_;
};

}  // namespace

base::Result<FoundCluster> read_cloud(const CloudShape& shape, std::span<const DumpFile> files,
                                      const ImportContext& context) {
  return Reader(shape, context).read(files);
}

}  // namespace topology
