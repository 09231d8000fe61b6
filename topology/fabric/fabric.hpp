#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/graph.hpp"

/// Network fabrics: each kind is one file and one row of `kinds`. A fabric finds the NICs of all
/// nodes in the graph and adds switches and cables. Internal to the module.
namespace topology::fabric {

/// Most cables between switches: those of a million GPUs in three levels, twice over. More are a
/// typing mistake, such as an uplink rate in the wrong unit.
inline constexpr double cables_max = 4e6;

/// A number of cables rounded up; 1e-9 forgives the rounding of rates. Beyond `cables_max` it only
/// says "too many".
int ceil_of(double cables);

struct Site {
  Graph& graph;
  const ClusterSpec& spec;
  std::vector<std::vector<DeviceId>> nics;  ///< of each node, by rail
  base::Diagnostics& problems;              ///< mistakes; the graph is then thrown away
  base::Diagnostics& notes;

  void error(std::string message, std::string hint = {}) const;
  void note(std::string message) const;
  const NodeType& type(std::size_t node) const { return *spec.nodes[node].type; }
  /// Most NICs of a node.
  int rails() const;
  /// Raw NIC rate of the first node that has NICs, in which ports of leaves are counted.
  base::BytesPerSecond nic_rate() const;
  /// Raw rate of one port of such a NIC.
  base::BytesPerSecond port_rate() const;
  /// Raw rate of one switch-to-switch cable: that of a NIC if none is given.
  base::BytesPerSecond uplink_rate() const;
  /// Share of a wire that payload can use: that of the NICs, for a packet loses it on every wire.
  double wire_efficiency() const;
  /// Joins one of `nic_ports` equal ports of a NIC to a switch.
  void attach(std::size_t node, std::size_t nic, DeviceId to, int rail) const;
  /// The same with the raw rate of the cable.
  LinkId attach(std::size_t node, std::size_t nic, DeviceId to, int rail,
                base::BytesPerSecond raw) const;
  /// `count` parallel cables between switches.
  void trunk(DeviceId lower, DeviceId upper, int count) const;
  /// One of a raw rate.
  LinkId trunk(DeviceId lower, DeviceId upper, base::BytesPerSecond raw) const;
  /// Whether so many cables between switches can be built; an error if not.
  bool affordable(double cables) const;
};

/// `nodes_per_leaf`, or what half of the ports (less with oversubscription, more without) can take
/// when each node brings `cables` cables.
int nodes_per_leaf(const Site& site, int cables);

/// The leaves of a folded Clos network while it is laid out.
class Leaves {
 public:
  explicit Leaves(const Site& site);

  /// A new leaf for port `port` of NICs.
  DeviceId add(int port, int rail);
  /// Joins the leaves of each plane by spines, and by a core level where one level of spines is too
  /// small. Each leaf serves `down` NICs at most.
  void join(int down) const;

 private:
  const Site& site_;
  int made_ = 0;
  std::vector<std::vector<DeviceId>> planes_;
};

void build_rail_optimized(const Site& site);
void build_fat_tree(const Site& site);
void build_single_switch(const Site& site);
void build_dragonfly(const Site& site);
/// The switch tree that the nodes' domain paths describe, whatever `FabricSpec::kind` says.
void build_from_domains(const Site& site);
/// The switches and cables of `ClusterSpec::cabling`.
void build_as_cabled(const Site& site);

struct Kind {
  std::string_view name;   ///< in YAML
  std::string_view label;  ///< for people
  FabricKind kind;
  void (*build)(const Site& site);
};

inline constexpr std::array kinds{
    Kind{"rail_optimized", "rail-optimised", FabricKind::rail_optimized, build_rail_optimized},
    Kind{"fat_tree", "fat tree", FabricKind::fat_tree, build_fat_tree},
    Kind{"single_switch", "one ideal switch", FabricKind::single_switch, build_single_switch},
    Kind{"dragonfly", "dragonfly", FabricKind::dragonfly, build_dragonfly},
};

}  // namespace topology::fabric
