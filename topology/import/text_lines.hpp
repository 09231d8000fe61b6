#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

/// What readers of a tool's text output share.
namespace topology {

/// Walks over the lines of a text; a byte order mark, CRLF and spaces at the end of a line do not
/// count.
class TextLines {
 public:
  TextLines(std::string_view text, std::string file);

  /// The next line; false at the end.
  bool next();
  std::string_view line() const { return line_; }
  base::SourceRef where() const { return {file_, number_, 0}; }
  /// The place of `part`, which is a part of line(). Columns count characters.
  base::SourceRef where(std::string_view part) const;

 private:
  std::string_view rest_;
  std::string file_;
  std::string_view line_;
  int number_ = 0;
};

/// Reads one line from left to right.
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  std::string_view rest() const { return rest_; }
  void skip_spaces();
  /// Whether the line goes on with `text`, which is then passed.
  bool take(std::string_view text);
  /// A whole number from 0 to 10^9.
  std::optional<int> number();
  /// Up to the next space or the end.
  std::string_view word();
  /// What stands before the next `end`, which is passed; nothing when there is none.
  std::optional<std::string_view> until(std::string_view end);

 private:
  std::string_view rest_;
};

std::string_view trimmed(std::string_view text);
std::string lower_case(std::string_view text);
/// `text` with each byte that is no UTF-8, and each control character, as \xNN.
std::string printable(std::string_view text);

}  // namespace topology
