#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

/// What a YAML or JSON file says, with the place of every word: the one form in which all readers
/// see the user's input.
namespace base {

struct Node {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };
  struct Entry;

  Kind kind = Kind::null;
  bool quoted = false;     ///< a scalar written in quotes is text, never a number
  bool verbatim = false;   ///< a YAML scalar whose text stands letter by letter at its place
  std::uint16_t file = 0;  ///< index into Document::files
  int line = 0;
  int column = 0;
  std::string text;            ///< of a scalar
  std::vector<Node> items;     ///< of a sequence
  std::vector<Entry> entries;  ///< of a map, in the order of the file, keys unique

  /// The value under `key`; nullptr when this is no map or has no such key.
  const Node* find(std::string_view key) const;
};

struct Node::Entry {
  std::string key;
  int line = 0;
  int column = 0;
  Node value;
};

struct Document {
  std::vector<std::string> files;  ///< names for messages; [0] is the file that was read
  Node root;

  SourceRef where(const Node& node) const;
};

/// Deepest nesting that is accepted; real files stay below 20.
inline constexpr int document_depth_max = 100;

struct ReadOptions {
  /// "parent.key": values that are read over and not kept, wherever they stand; what lies in a list
  /// has the parent "". For huge files of which little matters.
  std::span<const std::string_view> drop;

  bool drops(std::string_view parent, std::string_view key) const;
};

/// Reads one YAML document. Duplicate keys, several documents, tags and keys that are not scalars
/// are errors; aliases are copied, up to a total of a million nodes.
Result<Document> parse_yaml(std::string_view text, std::string file);
/// Reads documents with `---` between them, each within these limits; at least one.
Result<std::vector<Document>> parse_yaml_texts(std::string_view text, const std::string& file,
                                               const ReadOptions& options = {});

/// Reads one JSON text (RFC 8259, a byte order mark is skipped). Duplicate keys are errors.
Result<Document> parse_json(std::string_view text, std::string file,
                            const ReadOptions& options = {});
/// Reads JSON maps and lists that follow each other; at least one.
Result<std::vector<Document>> parse_json_texts(std::string_view text, const std::string& file,
                                               const ReadOptions& options = {});

/// Puts `value` (YAML text) at the dotted `path` of a document, creating maps on the way; whole
/// numbers index sequences. Messages about it name the file "--set path=value".
Diagnostics set_path(Document& document, std::string_view path, std::string_view value);

/// Whole contents of a file or a pipe; a Diagnostic naming it when it cannot be read, or has more
/// than 2 GiB.
Result<std::string> read_file(const std::string& path);

/// Where each key of a document was read from, by dotted path: lets later checks ("heads are not
/// divisible by tensor_parallel") point at the words that caused them.
class Origins {
 public:
  void add(std::string path, SourceRef where) { places_[std::move(path)] = std::move(where); }
  /// The place of `path`, or of its nearest parent that is known.
  SourceRef at(std::string_view path) const;

 private:
  std::map<std::string, SourceRef, std::less<>> places_;
};

}  // namespace base
