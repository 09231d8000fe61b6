#include "calibrate/backends/host.hpp"

#include <algorithm>

namespace calibrate::backends {

namespace {

using base::BytesPerSecond;
using base::Seconds;

/// Where a shape names no node: PCIe 4.0 x16 as NCCL counts it (src/graph/topo.h).
constexpr BytesPerSecond usual_pcie = BytesPerSecond::from_gbyte(24);

BytesPerSecond pcie_rate(const GroupShape& shape) {
  const bool known = shape.node != nullptr && shape.node->pcie_rate > BytesPerSecond();
  return known ? shape.node->pcie_rate : usual_pcie;
}

/// Bytes that one rank moves down and up, one after the other, over the size of the collective.
double staged_share(Collective op, int ranks) {
  switch (op) {
    case Collective::all_reduce:
    case Collective::all_to_all:
    case Collective::reduce:
    case Collective::broadcast:
    case Collective::send_receive: return 2;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::gather:
    case Collective::scatter: return 1 + 1.0 / ranks;
    case Collective::barrier: return 0;
  }
  return 2;
}

bool adds(Collective op) {
  return op == Collective::all_reduce || op == Collective::reduce_scatter ||
         op == Collective::reduce;
}

}  // namespace

Links host_links(const GroupShape& shape, const HostPath& path) {
  Links links = links_of(shape);
  links.inside_latency = path.inside_latency;
  links.across_latency = path.across_latency + shape.network_latency;
  links.inside_rate = path.copy / path.copies_inside;
  if (shape.scale_up_rate > BytesPerSecond())
    links.inside_rate = std::min(links.inside_rate, shape.scale_up_rate);
  BytesPerSecond process = pcie_rate(shape);
  if (path.copies_across > 0) process = std::min(process, path.copy / path.copies_across);
  links.nic_rate = std::min(links.nic_rate, process);
  links.node_rate = std::min(links.node_rate, process * shape.ranks_per_node);
  return links;
}

Way staged(Way way, Collective op, base::Bytes bytes, const GroupShape& shape,
           const HostPath& path) {
  const double size = bytes.as_double();
  if (op != Collective::barrier) way.latency += 2 * path.staging;
  way.wire += Seconds::from_s(size * staged_share(op, shape.ranks) / pcie_rate(shape).byte());
  if (adds(op))
    way.wire += Seconds::from_s(size * (shape.ranks - 1) / shape.ranks / path.add.byte());
  return way;
}

}  // namespace calibrate::backends
