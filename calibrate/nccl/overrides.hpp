#pragma once

#include <array>
#include <string_view>

#include "calibrate/nccl/tuning.hpp"

namespace calibrate::nccl {

/// What NCCL_ALGO and NCCL_PROTO select, by operation.
struct Overrides {
  std::array<Selection, 5> by_function;

  /// \pre has_table(op)
  const Selection& of(Collective op) const;
  bool operator==(const Overrides&) const = default;
};

/// Reads the values of the two variables as NCCL does; empty: not set. "ring,tree" for all
/// functions, "allreduce:tree;broadcast:ring" for some, "^ll128" for all but these; a protocol that
/// is named, or left over by ^, is used even where NCCL would not trust the machine with it. A
/// mistake stands at file "NCCL_ALGO" or "NCCL_PROTO", line 1; it is one, too, to leave a named
/// function, or all functions, without any algorithm.
base::Result<Overrides> read_overrides(std::string_view algorithms, std::string_view protocols);

}  // namespace calibrate::nccl
