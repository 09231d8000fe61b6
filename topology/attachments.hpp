#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/switch_graph.hpp"

/// How GPUs hang on the network: their hubs, NICs and the ports of those, as far as they are live;
/// internal to the module.
namespace topology {

using NicId = std::uint32_t;  ///< index into Attachments::nics()

inline constexpr LinkId no_link = std::numeric_limits<LinkId>::max();

/// A cable of a NIC to a switch. Links are named on the way out; the way in has the other id of the
/// cable.
struct Port {
  LinkId wire = no_link;             ///< `no_link` when it is down
  std::uint32_t edge_switch = none;  ///< index in the SwitchGraph
  std::uint32_t part = none;         ///< switches it reaches: SwitchGraph::part_of
};

struct Nic {
  DeviceId device = 0;
  int rail = -1;               ///< of its leaf; -1 in fabrics without rails
  DeviceId host = none;        ///< PCIe switch of the node that it is on
  LinkId from_host = no_link;  ///< from that switch to the NIC
  std::vector<GpuId> owners;   ///< GPUs with a live cable of their own to it
  std::array<Port, nic_ports_max> ports;
};

class Attachments {
 public:
  using Hops = std::vector<std::uint32_t>;
  struct Pair {
    NicId source = none;
    NicId target = none;
  };

  Attachments(const Cluster& cluster, const SwitchGraph& switches);

  const Nic& nic(NicId id) const { return nics_[id]; }
  /// The NIC that a GPU uses: its own, or the next of its node that works; `none` without one.
  NicId home(GpuId gpu) const { return gpus_[gpu].home; }
  /// Whether `home` is another NIC than the one made for the GPU.
  bool displaced(GpuId gpu) const;
  /// Whether a GPU can reach the network by this NIC.
  bool works(GpuId gpu, NicId nic) const;
  /// The NICs of the node of a GPU: first and one past the last.
  std::pair<NicId, NicId> nics_of(GpuId gpu) const;

  /// Appends the way between two GPUs over NVLink or PCIe; false when there is none.
  bool append_inside(GpuId from, GpuId to, Hops& hops) const;
  /// Appends the way from a GPU to a NIC of its node: its own cable, the PCIe switch, or over the
  /// GPU that owns the NIC.
  bool append_to_nic(GpuId gpu, NicId nic, Hops& hops) const;
  bool append_from_nic(NicId nic, GpuId gpu, Hops& hops) const;

  /// The NICs by which a transfer between nodes leaves and arrives; nothing when no two meet.
  std::optional<Pair> choose(GpuId from, GpuId to, bool pxn) const;
  /// Port of `target` that a flow from port `of_source` of `source` comes in by: the same one if it
  /// can; nothing when no port is in reach.
  std::optional<std::size_t> peer_port(NicId source, std::size_t of_source, NicId target) const;

 private:
  struct Gpu {
    DeviceId hub = none;  ///< NVSwitch or PCIe switch
    LinkId to_hub = no_link;
    bool has_nvswitch = false;
    NicId nic = none;  ///< on a cable of its own
    LinkId to_nic = no_link;
    NicId home = none;
  };

  void read_nics();
  void read_gpu(GpuId gpu);
  bool meet(Pair pair) const;
  NicId in_rail_of(GpuId from, NicId source, NicId target) const;

  const Cluster& cluster_;
  const SwitchGraph& switches_;
  std::vector<Gpu> gpus_;
  std::vector<Nic> nics_;
  std::vector<NicId> first_nic_;  ///< by node; one more at the end
};

}  // namespace topology
