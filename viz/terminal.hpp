#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Text for terminals: names from users' files are made harmless and columns stay aligned whatever
/// their script.
namespace viz {

/// `text` without anything a terminal would obey or that hides other text: control characters,
/// broken UTF-8 and direction marks become '?', line breaks and tabs a space.
std::string printable(std::string_view text);

/// Columns that `text` takes: 0 for combining marks, 2 for wide scripts. \pre printable.
int width_of(std::string_view text);

/// `text` in exactly `width` columns: cut with an ellipsis or filled with spaces on the right.
std::string fit(std::string_view text, int width);

/// Lines of at most `width` columns, broken at spaces, inside a word only when it is too long.
std::vector<std::string> wrap(std::string_view text, int width);

/// A bar of `share` (0 to 1) of `width` columns in eighths of a column; no trailing spaces.
std::string bar(double share, int width);

enum class Paint { none, strong, good, bad, warn, faint };

/// `text` between the codes of a colour; as it is when colours are off.
std::string painted(std::string_view text, Paint paint, bool colour);

}  // namespace viz
