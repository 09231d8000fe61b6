#include "sim/autoshard/mesh_grid.hpp"

#include "base/check.hpp"

namespace sim::autoshard {

using strategies::Axis;

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

std::vector<Axis> axes_of(const strategies::placement::Mesh& mesh) {
  CHECK_INVARIANT(mesh.dims() >= 1 && mesh.dims() <= 3);
  switch (mesh.dims()) {
    case 1: return {Axis::data_shard};
    case 2: return {Axis::data_shard, Axis::tensor};
    default: return {Axis::data_shard, Axis::context, Axis::tensor};
  }
}

strategies::RankGrid grid_of(const strategies::placement::Mesh& mesh) {
  strategies::RankGrid::Extents extents;
  const std::vector<Axis> axes = axes_of(mesh);
  for (int d = 0; d < mesh.dims(); ++d) {
    int& extent = axes[at(d)] == Axis::data_shard ? extents.data_shard
                  : axes[at(d)] == Axis::context  ? extents.context
                                                  : extents.tensor;
    extent = mesh.extent(d);
  }
  return {extents, strategies::default_order};
}

}  // namespace sim::autoshard
