#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "calibrate/runtime/cuda/element.hpp"
#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::cuda {

/// What a memory-bound kind works on.
struct MatrixPlan {
  Element element = Element::bf16;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t size() const { return rows * columns; }
};

/// Kernels that work on rows end a row with a whole load of 16 bytes.
inline constexpr std::int64_t load_bytes = 16;

/// The matrix as described, or with as many rows as it takes to move the `bytes` that are asked
/// for. Throws Failure where these are not within a factor of two of each other, for an empty
/// matrix, for a dtype that the kind does not have and for rows that end inside a load.
MatrixPlan plan_matrix(const foreshard_kernel& kernel);

/// Bytes of each operand of a kind, in the order of its kernel's arguments.
std::vector<std::int64_t> operand_bytes(std::string_view kind, const MatrixPlan& plan);

/// Positions of the table of a rotary embedding and words of the vocabulary of an embedding, which
/// rows use in turn: the table stays in the cache, the vocabulary does not.
inline constexpr std::int64_t rotary_positions = 4096;
inline constexpr std::int64_t rotary_pairs = 64;

}  // namespace calibrate::runtime::cuda
