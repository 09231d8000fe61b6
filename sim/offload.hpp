#pragma once

#include "base/units.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// One direction between a GPU and the memory of its host: the PCIe rate of its node type, or
/// PCIe 4.0 x16 where that says none.
base::BytesPerSecond host_copy_rate(const topology::Cluster& cluster, topology::GpuId gpu);

/// A copy of pinned memory, alone on its link.
base::Seconds host_copy_time(base::Bytes bytes, const topology::Cluster& cluster,
                             topology::GpuId gpu);

/// Adam on the CPUs of a node, whose GPUs have `parameters` each to update: a vectorised one on two
/// sockets takes 2.57 s for 10 G parameters (ZeRO-Offload, arXiv 2101.06840, CPU-Adam on a DGX-2).
base::Seconds host_adam_time(std::int64_t parameters, const topology::Cluster& cluster,
                             topology::GpuId gpu);

}  // namespace sim
