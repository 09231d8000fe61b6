#pragma once

#include <vector>

namespace strategies::placement {

/// An n-D device mesh. Ranks count row-major, the last mesh dim fastest, as in PyTorch.
class Mesh {
 public:
  /// \pre every extent is at least 1.
  explicit Mesh(std::vector<int> shape);

  int dims() const { return static_cast<int>(shape_.size()); }
  int extent(int dim) const { return shape_[static_cast<std::size_t>(dim)]; }
  int size() const { return size_; }
  int coordinate(int rank, int dim) const;
  /// Ranks between neighbours along `dim`.
  int stride(int dim) const { return strides_[static_cast<std::size_t>(dim)]; }
  /// The lowest rank that differs from `rank` along `mesh_dims` only.
  int first_of_group(int rank, const std::vector<int>& mesh_dims) const;
  /// `rank` and the ranks that differ from it along `mesh_dims` only, ascending.
  std::vector<int> group_of(int rank, const std::vector<int>& mesh_dims) const;

 private:
  std::vector<int> shape_;
  std::vector<int> strides_;
  int size_ = 1;
};

}  // namespace strategies::placement
