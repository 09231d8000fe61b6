#include <array>

#include "base/document.hpp"
#include "tests/fuzz/document_check.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using base::Node;

/// The place of a value is where its first character stands.
void check_places(const Node& node, std::string_view text) {
  const std::size_t at = fuzz::offset_of(text, node.line, node.column);
  CHECK_INVARIANT(at < text.size());
  const std::string_view here = text.substr(at);
  switch (node.kind) {
    case Node::Kind::null: CHECK_INVARIANT(here.starts_with("null")); break;
    case Node::Kind::map: CHECK_INVARIANT(here.starts_with('{')); break;
    case Node::Kind::sequence: CHECK_INVARIANT(here.starts_with('[')); break;
    case Node::Kind::scalar:
      CHECK_INVARIANT(node.quoted ? here.starts_with('"')
                                  : here.starts_with(node.text) || here.starts_with("-0"));
      break;
  }
  for (const Node& item : node.items) check_places(item, text);
  for (const Node::Entry& entry : node.entries) {
    const std::size_t key = fuzz::offset_of(text, entry.line, entry.column);
    CHECK_INVARIANT(text.substr(key).starts_with('"'));
    check_places(entry.value, text);
  }
}

}  // namespace

void fuzz_one(std::string_view text) {
  const base::Result<base::Document> document = base::parse_json(text, "f.json");
  constexpr std::array<std::string_view, 2> drop{"a.b", "status.images"};
  const base::Result<base::Document> part = base::parse_json(text, "f.json", {.drop = drop});
  if (!part) fuzz::check_refusal(part.error());
  if (!document) return fuzz::check_refusal(document.error());
  CHECK_INVARIANT(part.has_value());
  fuzz::check_tree(document->root, false);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.size() < 4096) check_places(document->root, text);
}
