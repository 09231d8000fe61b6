#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "tests/strategies/autoshard/interpreter.hpp"

/// Tensors by index.
namespace strategies::autoshard {

using placement::Shape;
using Index = std::vector<std::int64_t>;

inline std::int64_t flat(const Shape& shape, const Index& index) {
  std::int64_t at = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) at = at * shape[d] + index[d];
  return at;
}

inline double get(const Tensor& tensor, const Index& index) {
  return tensor.data.at(static_cast<std::size_t>(flat(tensor.shape, index)));
}

inline double& set(Tensor& tensor, const Index& index) {
  return tensor.data.at(static_cast<std::size_t>(flat(tensor.shape, index)));
}

/// Aligned from the right; a dim of one index, or none, is repeated.
inline double broadcast(const Tensor& tensor, const Index& index) {
  Index own(index.end() - static_cast<std::ptrdiff_t>(tensor.shape.size()), index.end());
  for (std::size_t d = 0; d < own.size(); ++d)
    if (tensor.shape[d] == 1) own[d] = 0;
  return get(tensor, own);
}

inline void for_each(const Shape& shape, const std::function<void(const Index&)>& visit) {
  if (placement::element_count(shape) == 0) return;
  Index index(shape.size(), 0);
  for (;;) {
    visit(index);
    std::size_t d = shape.size();
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

inline Index with(Index index, int dim, std::int64_t value) {
  index[static_cast<std::size_t>(dim)] = value;
  return index;
}

inline Index without(const Index& index, const std::vector<int>& dims) {
  Index left;
  for (std::size_t d = 0; d < index.size(); ++d)
    if (std::find(dims.begin(), dims.end(), static_cast<int>(d)) == dims.end())
      left.push_back(index[d]);
  return left;
}

inline Index prefix(const Index& index, std::size_t count) {
  return {index.begin(), index.begin() + static_cast<std::ptrdiff_t>(count)};
}

inline Index joined(Index index, std::int64_t last) {
  index.push_back(last);
  return index;
}

/// Where a global index is in a piece; -1: another rank has it.
inline std::int64_t place_of(const Indices& indices, double value) {
  const auto found = std::find(indices.begin(), indices.end(), static_cast<std::int64_t>(value));
  return found == indices.end() ? -1 : found - indices.begin();
}

using Operands = const std::vector<Held>&;
using Results = std::vector<Held>&;

}  // namespace strategies::autoshard
