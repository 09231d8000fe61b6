#pragma once

#include <memory>
#include <vector>

#include "sim/step_graph.hpp"
#include "topology/cluster.hpp"

/// Training steps of any size without a model: for speed, not for forecasts.
namespace sim::benchmark {

struct Size {
  int tensor = 8;
  int data = 1;
  int pipeline = 1;
  int micro_batches = 16;
  int layers = 4;   ///< per stage, 4 tensor-parallel collectives each way
  int buckets = 4;  ///< of gradients, reduced behind the last backward; as many parameter gathers

  int ranks() const { return tensor * data * pipeline; }
};

/// Nodes of eight H100 and eight NICs, rail-optimised, ECMP over the spines.
std::shared_ptr<const topology::Cluster> cluster_for(int gpus, int oversubscription = 1);

/// Rank r on GPU r.
std::vector<topology::GpuId> in_order(int ranks);

/// DGX H100 nodes under one ideal switch, with that many of their GPUs.
std::shared_ptr<const topology::Cluster> switch_cluster(int nodes, int gpus_per_node);

/// 1F1B with sharded gradients and parameters. Kernels take 2 ms a layer and micro-batch.
StepGraph synthetic_step(const Size& size, const topology::Cluster& cluster);

/// One all-reduce over all ranks, priced at `pressure` times nine tenths of what the links give:
/// above 1.1 every NIC is asked for more than it has, and SimGrid shares it.
StepGraph lone_all_reduce(int ranks, base::Bytes bytes, const topology::Cluster& cluster,
                          double pressure = 1);

}  // namespace sim::benchmark
