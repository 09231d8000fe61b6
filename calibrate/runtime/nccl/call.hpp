#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/collective.hpp"
#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::nccl {

/// nccl-tests' names of NCCL's data types and reductions, in NCCL's order.
inline constexpr std::array<std::string_view, 12> dtypes{"int8",   "uint8",    "int32",  "uint32",
                                                         "int64",  "uint64",   "half",   "float",
                                                         "double", "bfloat16", "f8e4m3", "f8e5m2"};
inline constexpr std::array<std::string_view, 5> reductions{"sum", "prod", "max", "min", "avg"};

/// A collective as NCCL is called; `dtype` and `reduction` are indices into the tables above.
struct Call {
  base::Collective op = base::Collective::all_reduce;
  int dtype = 0;
  int reduction = 0;
  std::size_t count = 0;
  int root = 0;
  int destination = -1;
  int source = -1;

  bool operator==(const Call&) const = default;
};

/// Throws Failure for what NCCL does not have, and for ranks outside of a communicator of `ranks`.
Call call_of(const foreshard_collective& collective, int ranks);

/// What `communicator` asks of ncclCommSplit: ranks of one color are together, in the order of
/// their keys. Groups that do not overlap have colors of their own: the smallest rank in them.
struct Split {
  int color = 0;
  int key = 0;
};

/// \pre `rank` is one of `ranks` where count > 0. Throws Failure where it is not, is there twice,
/// or a rank is not of the world.
Split split_of(const std::int32_t* ranks, std::int32_t count, int rank, int world);

}  // namespace calibrate::runtime::nccl
