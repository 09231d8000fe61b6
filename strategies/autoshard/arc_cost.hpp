#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "strategies/autoshard/layout_graph.hpp"

namespace strategies::autoshard {

/// To the nearest byte.
base::Bytes bytes_of(base::DType type, std::int64_t elements);

/// What single collectives cost on a tensor, by the layouts around them: `whole` is the layout in
/// which the ranks of a group all have the same elements, `cut` one in which they share these out.
/// A local copy is a kernel that reads and writes the local tensor once. It is needed where what a
/// rank sends to, or has from, each other rank is not one run of its row-major local tensor.
/// Ranks of a group may be numbered as suits the order of the cuts.
class ArcCost {
 public:
  /// All of it must outlive this.
  ArcCost(const TensorType& type, const placement::Mesh& mesh, const Prices& prices)
      : type_(type), mesh_(mesh), prices_(prices) {}

  Arc all_reduce(const std::vector<int>& mesh_dims, const placement::Layout& whole);
  Arc all_gather(const std::vector<int>& mesh_dims, const placement::Layout& cut,
                 const placement::Layout& whole);
  Arc reduce_scatter(const std::vector<int>& mesh_dims, const placement::Layout& whole,
                     const placement::Layout& cut);
  /// Where the group cuts a tensor dim both before and after, a rank may keep nothing of its own,
  /// unlike in an all-to-all, of whose buffer one share of n stays: so much more is counted.
  Arc all_to_all(const std::vector<int>& mesh_dims, const placement::Layout& whole,
                 const placement::Layout& from, const placement::Layout& to);

 private:
  /// The ranks of a group.
  int ranks(const std::vector<int>& mesh_dims) const;
  base::Bytes bytes(const placement::Shape& shape) const;
  /// Whether the shares that `mesh_dims` cut out of `whole` follow each other in memory in a tensor
  /// of `local` sizes.
  bool in_runs(const std::vector<int>& mesh_dims, const placement::Layout& cut,
               const placement::Shape& local) const;
  bool even(const std::vector<int>& mesh_dims, const placement::Layout& cut,
            const placement::Shape& whole) const;
  /// Whether the shares of `whole` must be copied to or from their places. The padding of one cut
  /// is at the very end; of several, it is between the pieces.
  bool apart(const std::vector<int>& mesh_dims, const placement::Layout& cut,
             const placement::Shape& whole) const;
  base::Seconds copy(base::Bytes local);
  Arc collective(base::Collective op, base::Bytes bytes, const std::vector<int>& mesh_dims);

  const TensorType& type_;
  const placement::Mesh& mesh_;
  const Prices& prices_;
  std::map<base::Bytes, base::Seconds> copies_;
  std::map<std::tuple<base::Collective, base::Bytes, std::vector<int>>, base::Seconds> collectives_;
};

}  // namespace strategies::autoshard
