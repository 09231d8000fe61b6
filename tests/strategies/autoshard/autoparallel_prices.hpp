#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "base/check.hpp"
#include "base/collective.hpp"
#include "strategies/autoshard/prices.hpp"
#include "strategies/placement/mesh.hpp"

/// What AutoParallel (meta-pytorch/autoparallel, a54c252) says that things cost, as far as its
/// constants are known to us: to compare choices with its choices. Its prices are no physics: some
/// beat the NICs.
namespace strategies::autoshard::autoparallel {

inline double mib(double count) { return count * 1048576; }

/// Points (bytes, us) of a collective by nodes and ranks in each, read off its NCCL model. The
/// ramps of that model's bandwidths are not known to us, so between points bytes count alike, and
/// where a group has one point the latency of the protocol stands for no bytes.
using Points = std::vector<std::pair<double, double>>;
using Group = std::tuple<base::Collective, int, int>;

inline Points five(std::array<double, 5> us) {
  const std::array<double, 5> sizes{mib(1.0 / 16), mib(1), mib(16), mib(256), mib(1024)};
  Points points;
  for (std::size_t i = 0; i < us.size(); ++i) points.emplace_back(sizes[i], us[i]);
  return points;
}

inline const std::map<Group, Points>& hopper_points() {
  using base::Collective;
  static const std::map<Group, Points> points{
      {{Collective::all_gather, 2, 8}, five({29.60, 49.52, 123.38, 899.57, 3083.15})},
      {{Collective::all_reduce, 2, 8}, five({31.78, 62.50, 140.37, 1059.51, 4079.03})},
      {{Collective::all_gather, 4, 8}, five({62.11, 84.29, 160.60, 1141.46, 3259.09})},
      {{Collective::all_reduce, 4, 8}, five({47.75, 83.22, 254.56, 1758.72, 6791.89})},
      {{Collective::all_gather, 32, 8}, five({420.86, 518.90, 647.29, 1902.67, 5300.06})},
      {{Collective::all_reduce, 32, 8}, five({77.75, 134.22, 305.56, 2495.17, 6875.89})},
      // Ring Simple at 128 MiB: 106.4 us + 128 MiB / 54.9 GB/s.
      {{Collective::all_gather, 8, 1},
       {{mib(1.0 / 16), 44.41},
        {mib(1), 86.60},
        {mib(16), 405.72},
        {mib(128), 2551.17},
        {mib(256), 4995.93},
        {mib(1024), 19664.54}}},
      {{Collective::all_reduce, 8, 1},
       {{mib(1.0 / 16), 59.09},
        {mib(1), 164.30},
        {mib(16), 1124.17},
        {mib(128), 5493.81},
        {mib(256), 9764.00},
        {mib(1024), 37949.72}}},
      {{Collective::all_gather, 32, 1}, five({164.71, 211.30, 645.42, 5865.34, 22134.15})},
      {{Collective::all_reduce, 32, 1}, five({79.09, 198.30, 1158.17, 15351.01, 43648.01})},
      {{Collective::all_gather, 8, 8}, {{0, 296.8}, {mib(128), 802.77}}},
      {{Collective::all_reduce, 8, 8}, {{0, 109}, {mib(128), 1062.25}}},
  };
  return points;
}

inline double along(const Points& points, double bytes) {
  if (bytes <= points.front().first) return points.front().second;
  std::size_t end = 1;
  while (end + 1 < points.size() && points[end].first < bytes) ++end;
  const auto& [x0, y0] = points[end - 1];
  const auto& [x1, y1] = points[end];
  return y0 + (y1 - y0) * (bytes - x0) / (x1 - x0);
}

/// GPUs joined by NVSwitch, measured by its authors; between group sizes linear.
inline double one_node_us(base::Collective op, int ranks, double bytes, double generation) {
  using base::Collective;
  if (op == Collective::all_to_all) return 50 + bytes / ((generation > 1 ? 675 : 380) * 1e3);
  const bool reduces = op == Collective::all_reduce;
  using Table = std::array<double, 3>;
  const Table rate = reduces ? Table{324, 236, 267} : Table{537, 434, 394};
  const Table latency = reduces ? Table{10, 15, 31} : Table{8, 17, 30};
  const auto between = [ranks](const Table& at) {
    const double n = std::clamp(ranks, 2, 8);
    return n <= 4 ? at[0] + (at[1] - at[0]) * (n - 2) / 2 : at[1] + (at[2] - at[1]) * (n - 4) / 4;
  };
  return between(latency) + bytes / (between(rate) * generation * 1e3);
}

/// Across nodes with a NIC of 50 GB/s each GPU, from 256 MiB on (below, it ramps up).
inline double all_to_all_us(int nodes, int ranks_per_node, double bytes) {
  const std::map<int, double> latency{{2, 37}, {4, 42}, {8, 60}, {16, 98}, {32, 290}};
  const double ranks = nodes * ranks_per_node;
  const double rate = 50 * (1 - 0.44 / nodes);
  return latency.at(nodes) + bytes * (ranks - ranks_per_node) / ranks / (rate * 1e3);
}

/// H100 nodes of 8, one after the other.
class HopperPrices : public Prices {
 public:
  explicit HopperPrices(placement::Mesh mesh) : mesh_(std::move(mesh)) {}

  /// Roofline at 0.70 of both peaks, no kernel under 7 us; its terabytes are 1024^4.
  base::Seconds kernel(const base::Kernel& kernel) const override {
    const double compute = base::flop_of(kernel).count() / (0.70 * 989e12);
    const double memory = base::bytes_of(kernel).as_double() / (0.70 * 3.35 * mib(mib(1)));
    return base::Seconds::from_s(std::max({compute, memory, 7e-6}));
  }

  base::Seconds collective(base::Collective op, base::Bytes bytes,
                           const std::vector<int>& mesh_dims) const override {
    const std::vector<int> group = mesh_.group_of(0, mesh_dims);
    std::map<int, int> ranks_of_node;
    for (const int rank : group) ++ranks_of_node[rank / 8];
    const int ranks = static_cast<int>(group.size());
    const int nodes = static_cast<int>(ranks_of_node.size());
    const double size = bytes.as_double();
    if (nodes == 1) return base::Seconds::from_us(one_node_us(op, ranks, size, 1));
    if (op == base::Collective::all_to_all)
      return base::Seconds::from_us(all_to_all_us(nodes, ranks / nodes, size));
    if (op == base::Collective::reduce_scatter) op = base::Collective::all_gather;
    return base::Seconds::from_us(along(hopper_points().at({op, nodes, ranks / nodes}), size));
  }

 private:
  placement::Mesh mesh_;
};

}  // namespace strategies::autoshard::autoparallel
