#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/document.hpp"

namespace fuzz {

/// Offset of a place whose column counts characters; the end of the text when there is none.
inline std::size_t offset_of(std::string_view text, int line, int column) {
  std::size_t at = 0;
  for (; line > 1 && at < text.size(); ++at) line -= text[at] == '\n' ? 1 : 0;
  while (column > 1 && at < text.size()) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    --column;
  }
  return at;
}

/// Keys are unique, kinds have only what belongs to them, every value has a place.
inline void check_tree(const base::Node& node, bool is_root = true) {
  using Kind = base::Node::Kind;
  CHECK_INVARIANT(node.items.empty() || node.kind == Kind::sequence);
  CHECK_INVARIANT(node.entries.empty() || node.kind == Kind::map);
  CHECK_INVARIANT(is_root || (node.line >= 1 && node.column >= 1));
  std::set<std::string_view> keys;
  for (const base::Node::Entry& entry : node.entries) {
    CHECK_INVARIANT(keys.insert(entry.key).second);
    CHECK_INVARIANT(entry.line >= 1 && entry.column >= 1);
    check_tree(entry.value, false);
  }
  for (const base::Node& item : node.items) check_tree(item, false);
}

}  // namespace fuzz
