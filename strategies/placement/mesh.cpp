#include "strategies/placement/mesh.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace strategies::placement {

Mesh::Mesh(std::vector<int> shape) : shape_(std::move(shape)), strides_(shape_.size()) {
  for (std::size_t d = shape_.size(); d-- > 0;) {
    CHECK_INVARIANT(shape_[d] >= 1);
    strides_[d] = size_;
    size_ *= shape_[d];
  }
}

int Mesh::coordinate(int rank, int dim) const { return rank / stride(dim) % extent(dim); }

int Mesh::first_of_group(int rank, const std::vector<int>& mesh_dims) const {
  for (const int dim : mesh_dims) rank -= coordinate(rank, dim) * stride(dim);
  return rank;
}

std::vector<int> Mesh::group_of(int rank, const std::vector<int>& mesh_dims) const {
  std::vector<int> members{first_of_group(rank, mesh_dims)};
  for (const int dim : mesh_dims) {
    const std::size_t known = members.size();
    for (int i = 1; i < extent(dim); ++i)
      for (std::size_t j = 0; j < known; ++j) members.push_back(members[j] + i * stride(dim));
  }
  std::sort(members.begin(), members.end());
  return members;
}

}  // namespace strategies::placement
