#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <tuple>

#include "base/document.hpp"
#include "base/parsing.hpp"

namespace base {

namespace {

constexpr std::size_t nodes_max = 1'000'000;

/// Thrown out of the event handler to stop yaml-cpp; never leaves this file.
struct Stop {
  Diagnostic why;
};

/// Values in a tree; a long text counts for several, so that aliases cannot multiply it for free.
std::size_t size_of(const Node& node) {
  std::size_t size = 1 + node.text.size() / 64;
  for (const Node& item : node.items) size += size_of(item);
  for (const Node::Entry& entry : node.entries) size += size_of(entry.value);
  return size;
}

/// The core schema of YAML 1.2 knows no other words for nothing.
bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

/// Builds the Node tree from yaml-cpp's events.
class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view text, std::string file, const ReadOptions& options)
      : file_(std::move(file)), text_(text), options_(options), marks_(text) {}

  Node root;
  Diagnostics problems;

  void begin_document() {
    root = {};
    anchors_.clear();
    nodes_ = 0;
    last_quoted_.reset();
  }
  void OnDocumentStart(const YAML::Mark& mark) override {
    // Of a word that no document can begin with yaml-cpp makes empty documents without end.
    if (mark.pos == document_start_)
      stop(mark, "no YAML document can begin here", "this is not valid YAML");
    document_start_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node = make(Node::Kind::null, mark);
    // The mark is that of the next token, maybe lines below: what is empty is the key.
    if (!stack_.empty() && stack_.back().key) {
      node.line = stack_.back().key->line;
      node.column = stack_.back().key->column;
    }
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "alias to a value that is not finished", "");
    count(size_of(found->second), mark);
    Node copy = found->second;
    std::tie(copy.line, copy.column) = place(mark);
    copy.verbatim = false;
    add(std::move(copy), YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag == "!";  // yaml-cpp's mark of a scalar in quotes
    if (node.quoted)
      last_quoted_ = static_cast<std::size_t>(std::max(0, mark.pos));
    else
      refuse_tag(tag, mark);
    const auto begin = static_cast<std::size_t>(std::max(0, mark.pos)) + (node.quoted ? 1 : 0);
    node.verbatim = begin <= text_.size() && text_.substr(begin).starts_with(value);
    if (!node.quoted && is_null_word(value)) node.kind = Node::Kind::null;
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(tag, mark);
    open(make(Node::Kind::sequence, mark), anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(tag, mark);
    open(make(Node::Kind::map, mark), anchor, mark);
  }
  void OnMapEnd() override { close(); }

  /// yaml-cpp takes the end of the file for the end of a text in quotes. Such a text has swallowed
  /// all that follows it, so it is the last one.
  void refuse_open_quote(std::string_view text) {
    if (!last_quoted_) return;
    const std::size_t open = text.find_first_of("'\"", *last_quoted_);
    if (open == text.npos) return;  // `! word` is text, too
    bool closed = false;
    for (std::size_t i = open + 1; i < text.size() && !closed; ++i) {
      const bool escape = text[open] == '"' && text[i] == '\\';
      const bool doubled = text[open] == '\'' && text.substr(i).starts_with("''");
      if (escape || doubled)
        ++i;
      else
        closed = text[i] == text[open];
    }
    if (closed) return;
    const auto [line, column] = marks_.at(open);
    problems.push_back(
        {{file_, line, column}, "this text in quotes does not end", "add the closing quote"});
  }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor;
    std::string name;  ///< the key of this value in its parent
    std::optional<Node> key;
    KeyIndex keys;
  };

  /// yaml-cpp counts characters of a line in bytes.
  std::pair<int, int> place(const YAML::Mark& mark) {
    return marks_.at(static_cast<std::size_t>(std::max(0, mark.pos)));
  }

  void refuse_tag(const std::string& tag, const YAML::Mark& mark) {
    if (!tag.empty() && tag != "?")
      stop(mark, fmt::format("tag '{}' is not supported", tag), "remove it");
  }

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    count(1, mark);
    Node node;
    node.kind = kind;
    std::tie(node.line, node.column) = place(mark);
    return node;
  }

  void count(std::size_t nodes, const YAML::Mark& mark) {
    nodes_ += nodes;
    if (nodes_ > nodes_max)
      stop(mark, fmt::format("more than {} values", nodes_max), "split the file");
  }

  void open(Node node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (stack_.size() >= static_cast<std::size_t>(document_depth_max))
      stop(mark, fmt::format("nested more than {} levels deep", document_depth_max), "");
    const bool in_map = !stack_.empty() && stack_.back().key.has_value();
    stack_.push_back({std::move(node),
                      anchor,
                      in_map ? stack_.back().key->text : std::string(),
                      std::nullopt,
                      {}});
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    add(std::move(frame.node), frame.anchor);
  }

  void add(Node node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    if (stack_.empty()) {
      root = std::move(node);
      return;
    }
    Frame& frame = stack_.back();
    if (frame.node.kind == Node::Kind::sequence) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      if (node.kind != Node::Kind::scalar)
        problems.push_back({{file_, node.line, node.column}, "a key must be a word", ""});
      frame.key = std::move(node);
    } else {
      add_entry(frame, std::move(node));
    }
  }

  void add_entry(Frame& frame, Node value) {
    Node key = std::move(*frame.key);
    frame.key.reset();
    if (key.text == "<<" && !key.quoted) {
      problems.push_back({{file_, key.line, key.column},
                          "merge keys ('<<') are not supported",
                          "write the keys out"});
      return;
    }
    if (const Node::Entry* first = frame.keys.find_or_add(frame.node.entries, key.text)) {
      problems.push_back({{file_, key.line, key.column},
                          fmt::format("duplicate key '{}'", key.text),
                          fmt::format("first given in line {}", first->line)});
      return;
    }
    if (options_.drops(frame.name, key.text)) {
      nodes_ -= size_of(value) + 1;
      return;
    }
    frame.node.entries.push_back({key.text, key.line, key.column, std::move(value)});
  }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, std::string hint) {
    const auto [line, column] = place(mark);
    throw Stop{{{file_, line, column}, std::move(message), std::move(hint)}};
  }

  std::string file_;
  std::string_view text_;
  const ReadOptions& options_;
  Marks marks_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
  int document_start_ = -1;                 ///< offset of the latest
  std::optional<std::size_t> last_quoted_;  ///< offset
};

/// What is probably wrong in a line that yaml-cpp does not understand.
std::string hint_for(std::string_view text, int line) {
  for (int i = 0; i < line && !text.empty(); ++i)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  const std::string_view indent = text.substr(0, text.find_first_not_of(" \t"));
  return indent.find('\t') == indent.npos ? "this is not valid YAML"
                                          : "indent with spaces, not tabs";
}

/// Reads the documents of a text, at most one more than is wanted.
Result<std::vector<Document>> read_documents(std::string_view text, const std::string& file,
                                             const ReadOptions& options, bool several) {
  text = without_byte_order_mark(text);
  if (const auto binary = find_binary(text, file)) return tl::unexpected(Diagnostics{*binary});
  std::vector<Document> documents;
  Builder builder(text, file, options);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (true) {
      builder.begin_document();
      const bool found = parser.HandleNextDocument(builder);
      if (!found && !documents.empty()) break;
      builder.refuse_open_quote(text);
      if (!several && !documents.empty()) {
        builder.problems.push_back({{file, builder.root.line, builder.root.column},
                                    "a second YAML document starts here",
                                    "give one document per file"});
        break;
      }
      documents.push_back({{file}, std::move(builder.root)});
    }
  } catch (const Stop& stop) {
    builder.problems.push_back(stop.why);
  } catch (const YAML::Exception& error) {
    SourceRef where{file};
    if (!error.mark.is_null())
      std::tie(where.line, where.column) =
          Marks(text).at(static_cast<std::size_t>(std::max(0, error.mark.pos)));
    builder.problems.push_back({where, error.msg, hint_for(text, error.mark.line)});
  }
  if (!builder.problems.empty()) return tl::unexpected(std::move(builder.problems));
  return documents;
}

}  // namespace

Result<Document> parse_yaml(std::string_view text, std::string file) {
  auto documents = read_documents(text, file, {}, false);
  if (!documents) return tl::unexpected(std::move(documents.error()));
  return std::move(documents->front());
}

Result<std::vector<Document>> parse_yaml_texts(std::string_view text, const std::string& file,
                                               const ReadOptions& options) {
  return read_documents(text, file, options, true);
}

}  // namespace base
