#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/document.hpp"

/// What the YAML and the JSON reader share.
namespace base {

/// Lines and columns from byte offsets. Columns count characters, as editors do, so that a place
/// after "größe" is right. Costs the distance from the place asked for before.
class Marks {
 public:
  explicit Marks(std::string_view text) : text_(text) {}
  std::pair<int, int> at(std::size_t offset);

 private:
  void step_back();

  std::string_view text_;
  std::size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
};

/// The keys of a map that is being read, to refuse the second of a kind. Most maps are small: the
/// index is only built for the others.
class KeyIndex {
 public:
  /// The entry that already has `key`; nullptr when the key is new, and then it is remembered.
  const Node::Entry* find_or_add(const std::vector<Node::Entry>& entries, const std::string& key);

 private:
  std::set<std::string> keys_;
};

/// What makes `text` no plain text: a byte that is no UTF-8, or a control character.
std::optional<Diagnostic> find_binary(std::string_view text, const std::string& file);

/// Drops a byte order mark at the beginning.
std::string_view without_byte_order_mark(std::string_view text);

}  // namespace base
