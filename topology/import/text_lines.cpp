#include "topology/import/text_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace topology {

namespace {

constexpr std::string_view spaces = " \t\r";

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// Length of the UTF-8 character that `text` begins with; 0: it begins with none, or with a control
/// character. Surrogates and overlong forms are left to those who draw characters.
std::size_t character_at(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) return first < 0x20 || first == 0x7F ? 0 : 1;
  const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
  if (length == 0 || text.size() < length) return 0;
  return std::all_of(text.begin() + 1, text.begin() + static_cast<long>(length), is_continuation)
             ? length
             : 0;
}

}  // namespace

TextLines::TextLines(std::string_view text, std::string file)
    : rest_(text), file_(std::move(file)) {
  if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
}

bool TextLines::next() {
  if (rest_.empty()) return false;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  line_ = rest_.substr(0, end);
  line_ = line_.substr(0, line_.find_last_not_of(spaces) + 1);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  ++number_;
  return true;
}

base::SourceRef TextLines::where(std::string_view part) const {
  const auto before = line_.substr(0, static_cast<std::size_t>(part.data() - line_.data()));
  const auto inside = std::count_if(before.begin(), before.end(), is_continuation);
  return {file_, number_, static_cast<int>(static_cast<long>(before.size()) - inside) + 1};
}

void LineScanner::skip_spaces() {
  rest_.remove_prefix(std::min(rest_.find_first_not_of(spaces), rest_.size()));
}

bool LineScanner::take(std::string_view text) {
  if (!rest_.starts_with(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

std::optional<int> LineScanner::number() {
  int value = 0;
  const char* const end = rest_.data() + rest_.size();
  const auto [stop, status] = std::from_chars(rest_.data(), end, value);
  if (status != std::errc() || value < 0 || value > 1'000'000'000) return std::nullopt;
  rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
  return value;
}

std::string_view LineScanner::word() {
  const std::string_view word = rest_.substr(0, rest_.find_first_of(spaces));
  rest_.remove_prefix(word.size());
  return word;
}

std::optional<std::string_view> LineScanner::until(std::string_view end) {
  const std::size_t at = rest_.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = rest_.substr(0, at);
  rest_.remove_prefix(at + end.size());
  return before;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(spaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(spaces) + 1 - first);
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = character_at(text);
    if (length == 0)
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(text.front()));
    else
      out += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out;
}

}  // namespace topology
