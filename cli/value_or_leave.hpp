#pragma once

#include <utility>

#include "base/diagnostic.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

/// What a reader gave; otherwise prints every mistake and leaves with `mistake`.
template <class T>
T value_or_leave(base::Result<T> result) {
  if (!result) {
    print(result.error());
    leave_with(mistake);
  }
  return std::move(*result);
}

}  // namespace cli
