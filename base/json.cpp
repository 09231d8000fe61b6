#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "base/document.hpp"

namespace base {

namespace {

using Json = nlohmann::json;

/// Lines and columns from byte offsets; asked for in ascending order, so one pass in all.
class Marks {
 public:
  explicit Marks(std::string_view text) : text_(text) {}

  std::pair<int, int> at(std::size_t offset) {
    offset = std::min(offset, text_.size());
    if (offset < offset_) offset_ = 0, line_ = 1, line_start_ = 0;
    for (; offset_ < offset; ++offset_)
      if (text_[offset_] == '\n') ++line_, line_start_ = offset_ + 1;
    return {line_, static_cast<int>(offset - line_start_) + 1};
  }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  int line_ = 1;
  std::size_t line_start_ = 0;
};

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
  Builder(std::string_view text, std::string file, const std::size_t& consumed)
      : text_(text), file_(std::move(file)), consumed_(consumed), marks_(text) {}

  Node root;
  Diagnostics problems;

  bool null() override { return add(word(Node::Kind::null, "null")); }
  bool boolean(bool value) override {
    return add(word(Node::Kind::scalar, value ? "true" : "false"));
  }
  bool number_integer(std::int64_t value) override { return number(std::to_string(value)); }
  bool number_unsigned(std::uint64_t value) override { return number(std::to_string(value)); }
  bool number_float(double, const std::string& text) override { return number(text); }
  bool string(std::string& value) override {
    Node node = place(Node::Kind::scalar, quote_start());
    node.text = value;
    node.quoted = true;
    return add(std::move(node));
  }
  bool binary(Json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Node::Kind::map, '{'); }
  bool start_array(std::size_t) override { return open(Node::Kind::sequence, '['); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& value) override {
    Node node = place(Node::Kind::scalar, quote_start());
    Frame& frame = stack_.back();
    frame.key = {value, node.line, node.column, {}};
    if (frame.keys.insert(value).second) return true;
    problems.push_back({{file_, node.line, node.column},
                        fmt::format("duplicate key '{}'", value), "remove one of them"});
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const auto [line, column] = marks_.at(position == 0 ? 0 : position - 1);
    std::string message = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...":
    // keep what follows the place, which we print ourselves.
    if (const std::size_t cut = message.find(": "); cut != std::string::npos)
      message = message.substr(cut + 2);
    const bool ended = position > text_.size() || message.find("end of input") != std::string::npos;
    problems.push_back({{file_, line, column},
                        ended ? "the file ends in the middle of a value" : message,
                        ended ? "the JSON is truncated; write it again"
                              : "this is not valid JSON"});
    return false;
  }

 private:
  struct Frame {
    Node node;
    Node::Entry key;
    std::set<std::string> keys;
  };

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
    Node node = place(kind, at == 0 ? 0 : at - 1);
    if (stack_.size() >= static_cast<std::size_t>(document_depth_max)) {
      problems.push_back({{file_, node.line, node.column},
                          fmt::format("nested more than {} levels deep", document_depth_max),
                          ""});
      return false;
    }
    stack_.push_back({std::move(node), {}, {}});
    return true;
  }

  bool close() {
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
  const std::size_t& consumed_;
  Marks marks_;
  std::vector<Frame> stack_;
};

}  // namespace

Result<Document> parse_json(std::string_view text, std::string file) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  std::size_t consumed = 0;
  Builder builder(text, file, consumed);
  const char* begin = text.data();
  const char* end = begin + text.size();
  const bool complete = Json::sax_parse(Counted(begin, begin, &consumed),
                                        Counted(end, begin, &consumed), &builder);
  if (!complete || !builder.problems.empty()) return tl::unexpected(std::move(builder.problems));
  return Document{{std::move(file)}, std::move(builder.root)};
}

}  // namespace base
