#pragma once

#include <cstdint>
#include <vector>

#include "strategies/op_graph.hpp"

namespace strategies {

/// Equal weight matrices as one rank holds them.
struct WeightMatrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t count = 1;
  bool hidden = true;  ///< between hidden states: neither the embedding nor the head

  std::int64_t elements() const { return rows * columns * count; }
  bool operator==(const WeightMatrix&) const = default;
};

/// The matrices among `parameters` elements of an operator that was built for one tensor-parallel
/// rank; the rest (biases, norms) are vectors. Joined projections (queries with keys and values,
/// gate with up) are one matrix. An operator without parameters (a tied head) has none.
std::vector<WeightMatrix> weight_matrices(const Op& op, std::int64_t parameters);

}  // namespace strategies
