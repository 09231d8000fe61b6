#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "calibrate/profile.hpp"
#include "strategies/autoshard/prices.hpp"
#include "strategies/placement/mesh.hpp"
#include "topology/cluster.hpp"

namespace sim::autoshard {

/// A device mesh on a cluster: rank r on GPU gpu_of_rank[r].
struct PlacedMesh {
  strategies::placement::Mesh mesh;
  std::vector<topology::GpuId> gpu_of_rank;
};

/// Where the groups of ranks that differ along `mesh_dims` only sit when all of them run at once:
/// a NIC that several groups use gives each an equal part of its rate. Equal shapes once, in the
/// order of the groups' lowest ranks. What switches cannot carry is not in them: simulated steps
/// show that.
std::vector<calibrate::GroupShape> sibling_shapes(const PlacedMesh& placed,
                                                  const std::vector<int>& mesh_dims,
                                                  const topology::Cluster& cluster);

/// Where pairs of ranks with the same number in two meshes sit when all talk at once; as
/// sibling_shapes(). \pre meshes of the same size.
std::vector<calibrate::GroupShape> pair_shapes(const PlacedMesh& one, const PlacedMesh& other,
                                               const topology::Cluster& cluster);

/// The slowest of groups with these shapes, which all do the same at once.
base::Seconds slowest(base::Collective op, base::Bytes bytes,
                      const std::vector<calibrate::GroupShape>& shapes,
                      const calibrate::Profile& profile);

/// Prices from our profile of the GPUs, on the groups that a mesh makes on a cluster. The slowest
/// group counts. Remembers what it was asked.
class ProfilePrices : public strategies::autoshard::Prices {
 public:
  /// All of it must outlive this.
  ProfilePrices(const calibrate::Profile& profile, const topology::Cluster& cluster,
                const PlacedMesh& placed)
      : profile_(profile), cluster_(cluster), placed_(placed) {}

  base::Seconds kernel(const base::Kernel& kernel) const override;
  base::Seconds collective(base::Collective op, base::Bytes bytes,
                           const std::vector<int>& mesh_dims) const override;

 private:
  const std::vector<calibrate::GroupShape>& shapes(const std::vector<int>& mesh_dims) const;

  const calibrate::Profile& profile_;
  const topology::Cluster& cluster_;
  const PlacedMesh& placed_;
  mutable std::map<std::vector<int>, std::vector<calibrate::GroupShape>> shapes_;
  mutable std::map<std::tuple<base::Collective, base::Bytes, std::vector<int>>, base::Seconds>
      collectives_;
};

}  // namespace sim::autoshard
