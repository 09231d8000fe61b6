#pragma once

#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/diagnostic.hpp"

/// What the fuzz targets share: each defines `fuzz_one` for the text of one input.
namespace fuzz {

/// What holds for every mistake that a reader tells: it is one line with words in it, and a column
/// is one of a line.
inline void check(const base::Diagnostics& diagnostics) {
  for (const base::Diagnostic& one : diagnostics) {
    CHECK_INVARIANT(!one.message.empty());
    CHECK_INVARIANT(one.format().find('\n') == std::string::npos);
    CHECK_INVARIANT(one.where.line >= 0 && one.where.column >= 0);
    CHECK_INVARIANT(one.where.line > 0 || one.where.column == 0);
  }
}

/// A refusal has at least one error in it.
inline void check_refusal(const base::Diagnostics& diagnostics) {
  CHECK_INVARIANT(base::has_errors(diagnostics));
  check(diagnostics);
}

}  // namespace fuzz

/// The whole of one target.
void fuzz_one(std::string_view text);
