#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/document.hpp"
#include "base/parsing.hpp"

namespace base {

namespace {

using Json = nlohmann::json;

/// Iterator that tells how far nlohmann's lexer has read: its SAX events carry no place.
class Counted {
 public:
  using difference_type = std::ptrdiff_t;
  using value_type = char;
  using pointer = const char*;
  using reference = const char&;
  using iterator_category = std::input_iterator_tag;

  Counted(const char* at, const char* begin, std::size_t* consumed)
      : at_(at), begin_(begin), consumed_(consumed) {}
  const char& operator*() const { return *at_; }
  Counted& operator++() {
    ++at_;
    *consumed_ = static_cast<std::size_t>(at_ - begin_);
    return *this;
  }
  bool operator==(const Counted& other) const { return at_ == other.at_; }
  bool operator!=(const Counted& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char* begin_;
  std::size_t* consumed_;
};

class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, std::string file, const ReadOptions& options,
          const std::size_t& consumed)
      : text_(text), file_(std::move(file)), options_(options), consumed_(consumed), marks_(text) {}

  Node root;
  Diagnostics problems;

  bool null() override { return skipped() || add(word(Node::Kind::null, "null")); }
  bool boolean(bool value) override {
    return skipped() || add(word(Node::Kind::scalar, value ? "true" : "false"));
  }
  bool number_integer(std::int64_t value) override { return number(std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) override { return number(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return number(text); }
  bool string(std::string& value) override {
    if (skipped()) return true;
    Node node = place(Node::Kind::scalar, quote_start());
    node.text = std::move(value);
    node.quoted = true;
    return add(std::move(node));
  }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Node::Kind::map, '{'); }
  bool start_array(std::size_t) override { return open(Node::Kind::sequence, '['); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& value) override {
    if (skipping_ > 0) return true;
    Frame& frame = stack_.back();
    if (options_.drops(frame.name, value)) {
      drop_next_ = true;
      return true;
    }
    const auto [line, column] = marks_.at(quote_start());
    if (const Node::Entry* first = frame.keys.find_or_add(frame.node.entries, value))
      problems.push_back({{file_, line, column},
                          fmt::format("duplicate key '{}'", value),
                          fmt::format("first given in line {}", first->line)});
    frame.key = {std::move(value), line, column, {}};
    return true;
  }

  /// The next JSON text begins at this offset.
  void begin_at(std::size_t offset) { begin_ = offset; }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    position += begin_;  // the lexer counts from where it began
    const auto [line, column] = marks_.at(position == 0 ? 0 : position - 1);
    const std::string_view what = error.what();
    const bool more = what.find("; expected end of input") != what.npos;
    const bool ended =
        !more && (position > text_.size() || what.find("unexpected end of input") != what.npos);
    if (ended)
      problems.push_back({{file_, line, column},
                          "the file ends in the middle of a value",
                          "the JSON is truncated; write it again"});
    else if (more)
      problems.push_back({{file_, line, column},
                          "something follows the end of the JSON value",
                          "give one value per file"});
    else
      problems.push_back({{file_, line, column}, reason(what), "this is not valid JSON"});
    return false;
  }

 private:
  struct Frame {
    Node node;
    std::string name;  ///< the key of this map in its parent
    Node::Entry key;
    KeyIndex keys;
  };

  /// nlohmann says "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error
  /// while parsing value - invalid literal; last read: 'x'": keep what stands after the dash.
  static std::string reason(std::string_view what) {
    if (const std::size_t cut = what.find("] "); cut != what.npos) what.remove_prefix(cut + 2);
    what = what.substr(0, what.find("; last read"));
    if (const std::size_t cut = what.find(" - "); cut != what.npos) what.remove_prefix(cut + 3);
    return std::string(what);
  }

  /// Whether the value just read belongs to a dropped key.
  bool skipped() {
    if (skipping_ > 0) return true;
    return std::exchange(drop_next_, false);
  }

  bool is_too_deep(std::size_t offset) {
    if (stack_.size() + skipping_ < static_cast<std::size_t>(document_depth_max)) return false;
    const auto [line, column] = marks_.at(offset);
    problems.push_back({{file_, line, column},
                        fmt::format("nested more than {} levels deep", document_depth_max),
                        ""});
    return true;
  }

  Node place(Node::Kind kind, std::size_t offset) {
    Node node;
    node.kind = kind;
    std::tie(node.line, node.column) = marks_.at(offset);
    return node;
  }

  /// After a word or number the lexer has read one character too many.
  Node word(Node::Kind kind, std::string text) {
    Node node = place(kind, consumed_ >= text.size() ? consumed_ - text.size() : 0);
    if (kind == Node::Kind::scalar) node.text = std::move(text);
    return node;
  }

  bool number(std::string text) {
    if (skipped()) return true;
    std::size_t end = std::min(consumed_, text_.size());
    const auto in_number = [](char c) {
      return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
    };
    while (end > 0 && !in_number(text_[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && in_number(text_[begin - 1])) --begin;
    Node node = place(Node::Kind::scalar, begin);
    node.text = std::move(text);
    return add(std::move(node));
  }

  /// Offset of the quote that opens the string which ends at `consumed_`.
  std::size_t quote_start() const {
    std::size_t at = std::min(consumed_, text_.size());
    while (at > 0 && text_[at - 1] != '"') --at;  // the closing quote
    if (at > 0) --at;
    while (at > 0) {
      --at;
      if (text_[at] != '"') continue;
      std::size_t slashes = 0;
      while (at > slashes && text_[at - 1 - slashes] == '\\') ++slashes;
      if (slashes % 2 == 0) return at;
    }
    return 0;
  }

  bool open(Node::Kind kind, char bracket) {
    std::size_t at = std::min(consumed_, text_.size());
    while (at > 0 && text_[at - 1] != bracket) --at;
    if (at > 0) --at;
    if (is_too_deep(at)) return false;
    if (skipped()) {
      ++skipping_;
      return true;
    }
    const bool in_map = !stack_.empty() && stack_.back().node.kind == Node::Kind::map;
    stack_.push_back({place(kind, at), in_map ? stack_.back().key.key : std::string(), {}, {}});
    return true;
  }

  bool close() {
    if (skipping_ > 0) {
      --skipping_;
      return true;
    }
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    return add(std::move(frame.node));
  }

  bool add(Node node) {
    if (stack_.empty()) {
      root = std::move(node);
    } else if (Frame& frame = stack_.back(); frame.node.kind == Node::Kind::sequence) {
      frame.node.items.push_back(std::move(node));
    } else {
      frame.key.value = std::move(node);
      frame.node.entries.push_back(std::move(frame.key));
    }
    return true;
  }

  std::string_view text_;
  std::string file_;
  const ReadOptions& options_;
  const std::size_t& consumed_;
  Marks marks_;
  std::size_t begin_ = 0;     ///< of the JSON text that is being read
  bool drop_next_ = false;    ///< the next value belongs to a dropped key
  std::size_t skipping_ = 0;  ///< depth inside a dropped value
  std::vector<Frame> stack_;
};

Result<std::vector<Document>> read_texts(std::string_view text, const std::string& file,
                                         const ReadOptions& options, bool several) {
  constexpr std::string_view space = " \t\r\n";
  text = without_byte_order_mark(text);
  std::size_t next = text.find_first_not_of(space);
  if (next == text.npos)
    return tl::unexpected(Diagnostics{{{file}, "is empty", "this should be JSON"}});
  std::size_t consumed = 0;
  Builder builder(text, file, options, consumed);
  const char* begin = text.data();
  const Counted end(begin + text.size(), begin, &consumed);
  std::vector<Document> documents;
  for (; next != text.npos; next = text.find_first_not_of(space, consumed)) {
    builder.begin_at(next);
    const bool complete = Json::sax_parse(Counted(begin + next, begin, &consumed), end, &builder,
                                          nlohmann::detail::input_format_t::json, !several);
    if (!complete || !builder.problems.empty()) return tl::unexpected(std::move(builder.problems));
    if (several && builder.root.kind != Node::Kind::map &&
        builder.root.kind != Node::Kind::sequence)
      return tl::unexpected(Diagnostics{{{file, builder.root.line, builder.root.column},
                                         "is neither a map nor a list",
                                         "this should be JSON"}});
    documents.push_back({{file}, std::exchange(builder.root, {})});
    if (!several) break;
  }
  return documents;
}

}  // namespace

Result<Document> parse_json(std::string_view text, std::string file, const ReadOptions& options) {
  auto documents = read_texts(text, file, options, false);
  if (!documents) return tl::unexpected(std::move(documents.error()));
  return std::move(documents->front());
}

Result<std::vector<Document>> parse_json_texts(std::string_view text, const std::string& file,
                                               const ReadOptions& options) {
  return read_texts(text, file, options, true);
}

}  // namespace base
