#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <istream>
#include <map>
#include <optional>
#include <sstream>

#include "base/document.hpp"

namespace base {

namespace {

constexpr std::size_t nodes_max = 1'000'000;

/// Thrown out of the event handler to stop yaml-cpp; never leaves this file.
struct Stop {
  Diagnostic why;
};

std::size_t size_of(const Node& node) {
  std::size_t size = 1;
  for (const Node& item : node.items) size += size_of(item);
  for (const Node::Entry& entry : node.entries) size += size_of(entry.value);
  return size;
}

/// Builds the Node tree from yaml-cpp's events. Marks there count from 0.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string file) : file_(std::move(file)) {}

  Node root;
  Diagnostics problems;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(Node::Kind::null, mark), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "alias to a value that is not finished", "");
    Node copy = found->second;
    count(size_of(copy), mark);
    copy.line = mark.line + 1;
    copy.column = mark.column + 1;
    add(std::move(copy), YAML::NullAnchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = make(Node::Kind::scalar, mark);
    node.text = value;
    node.quoted = tag == "!";  // yaml-cpp's mark of a scalar in quotes
    if (tag != "!" && tag != "?" && !tag.empty())
      stop(mark, fmt::format("tag '{}' is not supported", tag), "remove it");
    if (!node.quoted && (value == "~" || value == "null" || value.empty()))
      node.kind = Node::Kind::null;
    add(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(Node::Kind::sequence, mark), anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(Node::Kind::map, mark), anchor, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor;
    std::optional<Node> key;
  };

  Node make(Node::Kind kind, const YAML::Mark& mark) {
    count(1, mark);
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
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
    stack_.push_back({std::move(node), anchor, std::nullopt});
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
    for (const Node::Entry& entry : frame.node.entries) {
      if (entry.key != key.text) continue;
      problems.push_back({{file_, key.line, key.column},
                          fmt::format("duplicate key '{}'", key.text),
                          fmt::format("first given in line {}", entry.line)});
      return;
    }
    frame.node.entries.push_back({key.text, key.line, key.column, std::move(value)});
  }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, std::string hint) {
    throw Stop{{{file_, mark.line + 1, mark.column + 1}, std::move(message), std::move(hint)}};
  }

  std::string file_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<Document> parse_yaml(std::string_view text, std::string file) {
  Builder builder(file);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
    Builder rest(file);
    if (parser.HandleNextDocument(rest))
      builder.problems.push_back({{file, rest.root.line, rest.root.column},
                                  "a second YAML document starts here",
                                  "give one document per file"});
  } catch (const Stop& stop) {
    builder.problems.push_back(stop.why);
  } catch (const YAML::Exception& error) {
    const bool known = !error.mark.is_null();
    builder.problems.push_back({{file, known ? error.mark.line + 1 : 0,
                                 known ? error.mark.column + 1 : 0},
                                error.msg, "this is not valid YAML"});
  }
  if (!builder.problems.empty()) return tl::unexpected(std::move(builder.problems));
  return Document{{std::move(file)}, std::move(builder.root)};
}

}  // namespace base
