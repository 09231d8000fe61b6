#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace base {

/// A place in a user's file. Lines and columns count from 1; column 0 is the line as a whole,
/// line 0 the file as a whole.
struct SourceRef {
  std::string file;
  int line = 0;
  int column = 0;

  bool operator==(const SourceRef&) const = default;
};

enum class Severity { error, warning, note };
std::string_view name_of(Severity severity);

/// One thing to tell the user: lower case, no full stop, with the numbers; the hint says how to
/// right it.
struct Diagnostic {
  SourceRef where;
  std::string message;
  std::string hint;
  Severity severity = Severity::error;

  /// `file:line:column: error: message (hint)`; without line and column where they are unknown.
  /// One line whatever the user's words are: control characters are written as \xNN, and a text
  /// beyond 2,000 bytes is cut.
  std::string format() const;
};

using Diagnostics = std::vector<Diagnostic>;

/// Either a value or everything that is wrong with the input.
template <class T>
using Result = tl::expected<T, Diagnostics>;

bool has_errors(const Diagnostics& diagnostics);

/// The candidate nearest to `word` by edit distance, if it is near enough to be a typing mistake;
/// empty otherwise. Ties go to the first candidate.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "did you mean 'x'?" when a candidate is near, else "known: a, b, c" (at most 12 of them).
std::string suggest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace base
