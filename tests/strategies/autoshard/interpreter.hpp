#pragma once

#include <cstdint>
#include <vector>

#include "strategies/autoshard/rules.hpp"

/// Operators run element by element, slow and obvious, on whole tensors or on the pieces of a rank.
namespace strategies::autoshard {

struct Tensor {
  placement::Shape shape;
  std::vector<double> data;  ///< row-major
};

/// Indices of the whole tensor that a piece has along a dim.
using Indices = std::vector<std::int64_t>;

/// A tensor that a rank has a piece of.
struct Held {
  Tensor piece;
  std::vector<Indices> indices;  ///< by dim
  placement::Shape whole;
};

/// Fills the pieces of `results`. Of other ranks it knows nothing; what it may use of the whole are
/// sizes, and which indices its pieces have (an offset, as kernels get it).
void run(const Operation& operation, const std::vector<Held>& operands, std::vector<Held>& results);

}  // namespace strategies::autoshard
