#include "base/parsing.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace base {

namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// Bytes of the well-formed UTF-8 character at `at`; 0 when there is none (overlong forms,
/// surrogates and values beyond U+10FFFF are none).
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(at + i) & 0xC0) != 0x80) return 0;
  const unsigned second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool beyond = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

std::pair<int, int> Marks::at(std::size_t offset) {
  offset = std::min(offset, text_.size());
  while (offset < offset_) step_back();
  for (; offset_ < offset; ++offset_) {
    if (text_[offset_] == '\n')
      ++line_, column_ = 1;
    else if (!continues_character(text_[offset_]))
      ++column_;
  }
  // Inside a character: the place is that of its first byte.
  const bool inside = offset < text_.size() && continues_character(text_[offset]) && column_ > 1;
  return {line_, inside ? column_ - 1 : column_};
}

void Marks::step_back() {
  --offset_;
  if (text_[offset_] != '\n') {
    if (!continues_character(text_[offset_])) --column_;
    return;
  }
  --line_;
  column_ = 1;
  for (std::size_t i = offset_; i > 0 && text_[i - 1] != '\n'; --i)
    if (!continues_character(text_[i - 1])) ++column_;
}

const Node::Entry* KeyIndex::find_or_add(const std::vector<Node::Entry>& entries,
                                         const std::string& key) {
  constexpr std::size_t small = 32;
  if (entries.size() >= small) {
    if (keys_.empty())
      for (const Node::Entry& entry : entries) keys_.insert(entry.key);
    if (keys_.insert(key).second) return nullptr;
  }
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Node::Entry& e) { return e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

std::optional<Diagnostic> find_binary(std::string_view text, const std::string& file) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const std::size_t length = character_length(text, at);
    const bool control =
        (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F;
    if (length != 0 && !control) {
      at += length;
      continue;
    }
    const auto [line, column] = Marks(text).at(at);
    return Diagnostic{{file, line, column},
                      control ? fmt::format("control character 0x{:02x}", byte)
                              : fmt::format("byte 0x{:02x} is not UTF-8 text", byte),
                      "save the file as UTF-8 text"};
  }
  return std::nullopt;
}

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  return text;
}

}  // namespace base
