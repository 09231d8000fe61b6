#include "sim/overlay.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace sim {

namespace {

using base::Node;

void mark_as(Node& node, std::uint16_t file) {
  node.file = file;
  for (Node& item : node.items) mark_as(item, file);
  for (Node::Entry& entry : node.entries) mark_as(entry.value, file);
}

bool are_maps(const Node& a, const Node& b) {
  return a.kind == Node::Kind::map && b.kind == Node::Kind::map;
}

}  // namespace

Node::Entry* entry_of(Node& map, std::string_view key) {
  const auto found = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const Node::Entry& entry) { return entry.key == key; });
  return found == map.entries.end() ? nullptr : &*found;
}

bool move_to_file(Node& node, base::Document& document, const std::string& file) {
  if (document.files.size() > std::numeric_limits<std::uint16_t>::max()) return false;
  mark_as(node, static_cast<std::uint16_t>(document.files.size()));
  document.files.push_back(file);
  return true;
}

void fill_in(Node& map, Node defaults) {
  for (Node::Entry& entry : defaults.entries) {
    Node::Entry* own = entry_of(map, entry.key);
    if (own == nullptr)
      map.entries.push_back(std::move(entry));
    else if (are_maps(own->value, entry.value))
      fill_in(own->value, std::move(entry.value));
  }
}

void lay_over(Node& map, const Node& keys) {
  for (const Node::Entry& entry : keys.entries) {
    Node::Entry* own = entry_of(map, entry.key);
    if (own == nullptr)
      map.entries.push_back(entry);
    else if (are_maps(own->value, entry.value))
      lay_over(own->value, entry.value);
    else
      *own = entry;
  }
}

}  // namespace sim
