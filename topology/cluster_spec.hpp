#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "topology/hardware.hpp"

/// The user's words about a cluster, before it becomes a graph.
namespace topology {

enum class FabricKind { rail_optimized, fat_tree, single_switch, dragonfly };

/// Larger than any machine; more is a typing mistake that would only fill the memory.
inline constexpr int cluster_gpus_max = 1 << 20;
inline constexpr int switch_ports_max = 4096;
/// Ports of a NIC, each to a leaf of its own.
inline constexpr int nic_ports_max = 2;

/// How nodes are joined. Switch counts follow from the sizes; rates default to the NIC's.
struct FabricSpec {
  FabricKind kind = FabricKind::single_switch;
  int nodes_per_leaf = 0;       ///< rail_optimized: nodes under one set of rail leaves (an SU);
                                ///< fat_tree: nodes under one leaf; dragonfly: per router;
                                ///< 0: as many as `switch_ports` and `oversubscription` allow
  double oversubscription = 1;  ///< leaf down-rate over leaf up-rate
  int spines = 0;  ///< of a pod or a plane; 0: derived from leaf uplinks and `switch_ports`
  int switch_ports = 64;
  int leaves_per_pod = 0;            ///< leaves under one pod's spines, pods meet in a core level;
                                     ///< 0: two levels if `switch_ports` suffice, else derived
  double core_oversubscription = 1;  ///< with pods: spine down-rate over spine up-rate
  int routers_per_group = 0;         ///< dragonfly
  int global_links_per_router = 0;   ///< dragonfly
  int nic_ports = 1;  ///< of each NIC, with equal parts of its rate, each to a leaf of
                      ///< its own (dual ToR); rail_optimized and fat_tree
  int planes = 1;     ///< 1: spines join the leaves of all ports; `nic_ports`: those
                      ///< of one port each, and planes meet only in NICs
  base::BytesPerSecond uplink_rate;  ///< one leaf-spine cable; 0: that of the NIC
  base::Seconds switch_latency;      ///< per switch passed
};

/// One node as found: a name, a type, and its path of network domains, coarse to fine.
struct NodeSpec {
  std::string name;
  const NodeType* type = nullptr;    ///< owned by the registry or `ClusterSpec::custom_types`
  std::vector<std::string> domains;  ///< e.g. {core, spine, leaf}; empty when unknown
  std::string accelerator_domain;    ///< NVLink domain beyond the node (NVL72); empty: the node
  int usable_gpus = 0;      ///< allocatable: GPUs 0 to usable_gpus - 1; 0 is a node without
  int free_gpus = -1;       ///< of these, taken by nobody; -1: nobody said what runs there
  std::string unavailable;  ///< why nothing new runs there: "cordoned"; empty: it does
};

/// Cables that do not work as built.
struct CableFault {
  std::string name;      ///< a device: all its cables; "a -> b": those between two devices; "a -> b
                         ///< #2": the second of these; `*` in a name stands for anything but '/'
  double rate_left = 0;  ///< share of the rate, below 1; 0: down
  base::SourceRef where;
};

/// Switches and cables one by one, as they were found; parallel cables are several entries.
struct Cabling {
  struct Switch {
    std::string name;  ///< unique
    int tier = 1;      ///< 1 where nodes are, more above
    int rail = -1;     ///< of a leaf that serves one NIC of each node; -1: no such thing
  };
  /// From a NIC to a switch. Cables of one NIC are its ports, in this order.
  struct NodeCable {
    std::size_t node = 0;       ///< into ClusterSpec::nodes
    int nic = 0;                ///< of its node, from 0 to NodeType::nics - 1
    std::size_t to = 0;         ///< into `switches`
    base::BytesPerSecond rate;  ///< raw, one direction, as built; 0: an equal part of the NIC's
    double rate_left = 1;       ///< share of it that works; 0: down
  };
  struct Trunk {
    std::size_t lower = 0;  ///< into `switches`; tells no order where tiers are equal
    std::size_t upper = 0;
    base::BytesPerSecond rate;  ///< raw, one direction, as built; 0: FabricSpec::uplink_rate
    double rate_left = 1;
  };

  std::vector<Switch> switches;  ///< empty: there is no such description
  std::vector<NodeCable> node_cables;
  std::vector<Trunk> trunks;
};

struct ClusterSpec {
  std::vector<NodeSpec> nodes;
  FabricSpec fabric;
  Cabling cabling;  ///< with switches in it: the network is this, whatever else is said
  bool fabric_from_domains = false;  ///< the switch tree is `NodeSpec::domains`, not fabric sizes
  std::vector<std::string> levels;   ///< names of the places of `NodeSpec::domains`: label keys
  base::Diagnostics notes;           ///< what was inferred, and from what
  std::vector<CableFault> faults;    ///< of a cable hit by several the worst counts
  std::vector<std::shared_ptr<const NodeType>> custom_types;  ///< described by the user in place
  base::SourceRef where{"cluster"};  ///< of the user's words, for mistakes found while building
};

}  // namespace topology
