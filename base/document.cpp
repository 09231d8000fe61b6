#include "base/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>

namespace base {

const Node* Node::find(std::string_view key) const {
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return entry == entries.end() ? nullptr : &entry->value;
}

SourceRef Document::where(const Node& node) const {
  return {node.file < files.size() ? files[node.file] : std::string(), node.line, node.column};
}

bool ReadOptions::drops(std::string_view parent, std::string_view key) const {
  return std::any_of(drop.begin(), drop.end(), [&](std::string_view path) {
    return path.size() == parent.size() + 1 + key.size() && path.starts_with(parent) &&
           path[parent.size()] == '.' && path.ends_with(key);
  });
}

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t most = std::size_t{2} << 30;
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in.is_open() || std::filesystem::is_directory(path, ignored))
    return tl::unexpected(
        Diagnostics{{{path}, "cannot be read", "check the path and its permissions"}});
  // In pieces, since pipes do not tell their size and devices have no end.
  std::string text;
  std::vector<char> piece(std::size_t{1} << 16);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > most)
      return tl::unexpected(Diagnostics{{{path}, "is larger than 2 GiB", "name another file"}});
  }
  if (!in.bad()) return text;
  return tl::unexpected(
      Diagnostics{{{path}, "cannot be read", "check the path and its permissions"}});
}

namespace {

void mark_as(Node& node, std::uint16_t file) {
  node.file = file;
  node.line = node.column = 0;
  for (Node& item : node.items) mark_as(item, file);
  for (Node::Entry& entry : node.entries) {
    entry.line = entry.column = 0;
    mark_as(entry.value, file);
  }
}

/// The child of `node` under `key`, made for `file` when it is absent; nullptr when `node` cannot
/// have it.
Node* child(Node& node, const std::string& key, std::uint16_t file) {
  if (node.kind == Node::Kind::sequence) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= node.items.size())
      return nullptr;
    return &node.items[index];
  }
  if (node.kind == Node::Kind::scalar) return nullptr;
  node.kind = Node::Kind::map;
  for (Node::Entry& entry : node.entries)
    if (entry.key == key) return &entry.value;
  node.entries.push_back({.key = key, .value = {}});
  node.entries.back().value.file = file;
  return &node.entries.back().value;
}

}  // namespace

Diagnostics set_path(Document& document, std::string_view path, std::string_view value) {
  const std::string name = fmt::format("--set {}={}", path, value);
  if (path.empty()) return {{{name}, "the path before '=' is empty", "for example plan.tp=4"}};
  if (path.front() == '.' || path.back() == '.' || path.find("..") != path.npos)
    return {
        {{name}, fmt::format("the path '{}' has an empty part", path), "for example plan.tp=4"}};
  if (document.files.size() > std::numeric_limits<std::uint16_t>::max())
    return {{{name}, "too many values are set", "write them into the file"}};
  const auto file = static_cast<std::uint16_t>(document.files.size());
  Result<Document> parsed = parse_yaml(value, name);
  if (!parsed) return parsed.error();
  Node* node = &document.root;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key(path.substr(begin, end - begin));
    node = child(*node, key, file);
    if (node == nullptr)
      return {{{name},
               fmt::format("there is no '{}' to set", path.substr(0, end)),
               "a path goes through maps by key and through lists by index"}};
    if (end == path.size()) break;
    begin = end + 1;
  }
  document.files.push_back(name);
  *node = std::move(parsed->root);
  mark_as(*node, file);
  return {};
}

SourceRef Origins::at(std::string_view path) const {
  while (true) {
    if (const auto found = places_.find(path); found != places_.end()) return found->second;
    const std::size_t dot = path.rfind('.');
    if (dot == std::string_view::npos) break;
    path = path.substr(0, dot);
  }
  const auto root = places_.find(std::string_view());
  return root == places_.end() ? SourceRef{} : root->second;
}

}  // namespace base
