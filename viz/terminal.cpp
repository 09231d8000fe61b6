#include "viz/terminal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

namespace viz {

namespace {

using Interval = std::pair<char32_t, char32_t>;

constexpr char32_t broken = 0xFFFFFFFF;

/// Code points that take two columns (East Asian wide and emoji), coarse blocks.
constexpr std::array<Interval, 12> wide{{{0x1100, 0x115F},
                                         {0x2E80, 0x303E},
                                         {0x3041, 0xA4CF},
                                         {0xA960, 0xA97F},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0xFFE0, 0xFFE6},
                                         {0x1F300, 0x1F64F},
                                         {0x1F680, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};
/// Marks drawn over the character before them.
constexpr std::array<Interval, 6> combining{{{0x0300, 0x036F},
                                             {0x1AB0, 0x1AFF},
                                             {0x1DC0, 0x1DFF},
                                             {0x20D0, 0x20FF},
                                             {0xFE00, 0xFE0F},
                                             {0xFE20, 0xFE2F}}};
/// Invisible, or turning the direction of what follows; none belongs in a name.
constexpr std::array<Interval, 8> hidden{{{0x00AD, 0x00AD},
                                          {0x061C, 0x061C},
                                          {0x200B, 0x200F},
                                          {0x2028, 0x202E},
                                          {0x2060, 0x206F},
                                          {0xFEFF, 0xFEFF},
                                          {0xFFF9, 0xFFFB},
                                          {0xE0000, 0xE0FFF}}};

template <std::size_t N>
bool in(char32_t code, const std::array<Interval, N>& intervals) {
  return std::any_of(intervals.begin(), intervals.end(), [code](const Interval& interval) {
    return code >= interval.first && code <= interval.second;
  });
}

std::uint32_t byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

/// The code point at `text[i]` and its length; `broken` and 1 where the bytes are no UTF-8.
std::pair<char32_t, std::size_t> decode(std::string_view text, std::size_t i) {
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  const std::uint32_t lead = byte_at(text, i);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || i + length > text.size()) return {broken, 1};
  char32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte_at(text, i + k) & 0xC0U) != 0x80U) return {broken, 1};
    code = (code << 6U) | (byte_at(text, i + k) & 0x3FU);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < least[length] || code > 0x10FFFF || surrogate) return {broken, 1};
  return {code, length};
}

int columns_of(char32_t code) { return in(code, combining) ? 0 : in(code, wide) ? 2 : 1; }

/// Length in bytes of the longest prefix that takes at most `width` columns.
std::size_t prefix_of(std::string_view text, int width) {
  int used = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    const auto [code, length] = decode(text, i);
    used += columns_of(code);
    if (used > width) break;
    i += length;
  }
  return i;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, length] = decode(text, i);
    if (code == '\n' || code == '\t' || code == '\r')
      out += ' ';
    else if (code == broken || code < 0x20 || (code >= 0x7F && code < 0xA0) || in(code, hidden))
      out += '?';
    else
      out += text.substr(i, length);
    i += length;
  }
  return out;
}

int width_of(std::string_view text) {
  int columns = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, length] = decode(text, i);
    columns += columns_of(code);
    i += length;
  }
  return columns;
}

std::string fit(std::string_view text, int width) {
  std::string out(text);
  if (width_of(text) > width) out = std::string(text.substr(0, prefix_of(text, width - 1))) + "…";
  return out.append(static_cast<std::size_t>(std::max(0, width - width_of(out))), ' ');
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines;
  while (width_of(text) > width) {
    const std::size_t longest = std::max<std::size_t>(1, prefix_of(text, width));
    std::size_t cut = longest;
    if (text[longest] != ' ') {
      const std::size_t space = text.substr(0, longest).rfind(' ');
      if (space != std::string_view::npos && space > 0) cut = space;
    }
    lines.emplace_back(text.substr(0, cut));
    text.remove_prefix(cut);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
}

std::string bar(double share, int width) {
  constexpr std::array<std::string_view, 8> eighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(share > 0) || width <= 0) return {};
  const int filled = static_cast<int>(std::lround(std::min(share, 1.0) * width * 8));
  std::string out;
  for (int i = 0; i < filled / 8; ++i) out += "█";
  return out + std::string(eighths[static_cast<std::size_t>(filled % 8)]);
}

std::string painted(std::string_view text, Paint paint, bool colour) {
  if (!colour || paint == Paint::none) return std::string(text);
  constexpr std::array<std::string_view, 6> codes{"", "1", "32", "1;31", "33", "2"};
  return "\x1b[" + std::string(codes[static_cast<std::size_t>(paint)]) + "m" + std::string(text) +
         "\x1b[0m";
}

}  // namespace viz
