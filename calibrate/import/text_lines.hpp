#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace calibrate {

/// A word of a line and where it begins; columns count characters from 1.
struct Field {
  std::string_view text;
  int column = 0;
  int end = 0;  ///< column behind its last character
};

/// Words of a line, split on white space.
inline std::vector<Field> fields_of(std::string_view line) {
  std::vector<Field> fields;
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  int column = 1;
  bool inside = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    const bool space = at == line.size() || is_space(line[at]);
    if (!space && !inside) {
      begin = at;
      fields.push_back({{}, column, 0});
    } else if (space && inside) {
      fields.back().text = line.substr(begin, at - begin);
      fields.back().end = column;
    }
    inside = !space;
    if (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xC0U) != 0x80U) ++column;
  }
  return fields;
}

/// Calls `visit(line, number)` for every line of a text, numbers from 1, without its end.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace calibrate
