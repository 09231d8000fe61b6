#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/hardware.hpp"

namespace topology {

enum class DeviceKind : std::uint8_t { gpu, nic, nvswitch, pcie_switch, leaf, spine, core };

using DeviceId = std::uint32_t;
using LinkId = std::uint32_t;
using GpuId = std::uint32_t;  ///< index into Cluster::gpus(), 0 to gpu_count() - 1

/// A vertex of the cluster graph.
struct Device {
  DeviceKind kind = DeviceKind::gpu;
  std::string name;  ///< unique, by path: "node-3/gpu-2", "leaf-7"
  int node = -1;     ///< index into Cluster::nodes(); -1 for fabric switches
  int rail = -1;     ///< of NICs and rail leaves
  int tier = 0;      ///< of fabric switches: 1 where NICs are, more above; equal in a dragonfly
};

/// A directed edge: one direction of one cable. Parallel cables are parallel edges. The directions
/// of a cable have neighbouring ids, the even one first, and are up or down together.
struct Link {
  DeviceId from = 0;
  DeviceId to = 0;
  base::BytesPerSecond rate;  ///< usable by large transfers; of a degraded cable what is left
  base::Seconds latency;
  int rail = -1;
  bool down = false;      ///< takes no traffic
  bool degraded = false;  ///< slower than it was built
};

struct NodeInfo {
  std::string name;
  const NodeType* type = nullptr;
  std::vector<std::string> domains;
  int accelerator_domain = 0;  ///< nodes with equal numbers share NVLink
  GpuId first_gpu = 0;
  int gpus = 0;
  int free_gpus = -1;       ///< as NodeSpec::free_gpus
  std::string unavailable;  ///< as NodeSpec::unavailable
};

struct Graph;  // a boost::adjacency_list, topology/graph.hpp

/// The machine: a directed multigraph of devices and links that keeps rails, parallel cables and
/// rates. Immutable once built, cheap to copy.
class Cluster {
 public:
  explicit Cluster(std::shared_ptr<const Graph> graph, std::vector<NodeInfo> nodes,
                   std::shared_ptr<const HardwareRegistry> registry, base::Diagnostics notes);

  std::size_t device_count() const;
  std::size_t link_count() const;
  const Device& device(DeviceId id) const;
  const Link& link(LinkId id) const;
  const Graph& graph() const { return *graph_; }

  int gpu_count() const { return static_cast<int>(gpus_.size()); }
  DeviceId gpu(GpuId id) const { return gpus_[id]; }
  int node_of(GpuId id) const { return node_of_gpu_[id]; }
  /// NIC of its node that a GPU uses unless it is down, counted from 0; 0 where there is none.
  int rail_of(GpuId id) const;
  bool same_scale_up_domain(GpuId a, GpuId b) const;
  const std::vector<NodeInfo>& nodes() const { return nodes_; }
  const GpuSpec& gpu_spec(GpuId id) const;
  const HardwareRegistry& registry() const { return *registry_; }
  /// How nodes are joined, for people: "rail-optimised"; empty when nothing joins them.
  const std::string& fabric() const;
  /// Names of the places of NodeInfo::domains, coarse to fine; empty where nobody gave them names.
  const std::vector<std::string>& levels() const;
  /// What was inferred while building.
  const base::Diagnostics& notes() const { return notes_; }

 private:
  std::shared_ptr<const Graph> graph_;
  std::vector<NodeInfo> nodes_;
  std::shared_ptr<const HardwareRegistry> registry_;
  base::Diagnostics notes_;
  std::vector<DeviceId> gpus_;
  std::vector<int> node_of_gpu_;
  std::vector<const GpuSpec*> spec_of_node_;
};

/// Lays out devices and cables. The cluster keeps the registry; node types of `spec` must be of
/// this registry or of `spec.custom_types`. Latency of a path: `scale_up_latency` inside a domain;
/// `nic_latency` from NIC to NIC, plus `switch_latency` for each switch after the first.
base::Result<Cluster> build_cluster(const ClusterSpec& spec,
                                    std::shared_ptr<const HardwareRegistry> registry);

/// `nodes` nodes of one type under one ideal switch, with `gpus` usable GPUs each.
/// \pre the type's GPU is in the registry, and it has NICs if there are several nodes
Cluster uniform_cluster(const NodeType& type, int nodes, int gpus,
                        std::shared_ptr<const HardwareRegistry> registry);

}  // namespace topology
