#include "sim/offload.hpp"

namespace sim {

namespace {

constexpr auto usual_rate = base::BytesPerSecond::from_gbyte(24);
constexpr double copy_start_us = 10;  // of a cudaMemcpyAsync, queued behind others
constexpr double adam_parameters_per_second = 10e9 / 2.57;

const topology::NodeInfo& node_of(const topology::Cluster& cluster, topology::GpuId gpu) {
  return cluster.nodes()[static_cast<std::size_t>(cluster.node_of(gpu))];
}

}  // namespace

base::BytesPerSecond host_copy_rate(const topology::Cluster& cluster, topology::GpuId gpu) {
  const base::BytesPerSecond rate = node_of(cluster, gpu).type->pcie_rate;
  return rate > base::BytesPerSecond() ? rate : usual_rate;
}

base::Seconds host_copy_time(base::Bytes bytes, const topology::Cluster& cluster,
                             topology::GpuId gpu) {
  return base::Seconds::from_us(copy_start_us) + bytes / host_copy_rate(cluster, gpu);
}

base::Seconds host_adam_time(std::int64_t parameters, const topology::Cluster& cluster,
                             topology::GpuId gpu) {
  const double of_node = static_cast<double>(parameters) * node_of(cluster, gpu).gpus;
  return base::Seconds::from_s(of_node / adam_parameters_per_second);
}

}  // namespace sim
