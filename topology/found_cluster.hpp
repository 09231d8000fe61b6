#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "topology/hardware.hpp"

/// A real cluster as dumps tell it: what every importer gives and every exporter takes. Anything
/// may be unknown; nothing is assumed here. `cluster_of.hpp` makes a ClusterSpec of it.
namespace topology {

enum class FabricRole : std::uint8_t { unknown, compute, storage, management };
enum class CableState : std::uint8_t { up, degraded, down };

/// A NIC of a node.
struct FoundNic {
  std::string name;           ///< "mlx5_0", unique in its node; empty where only its GUID is known
  std::string id;             ///< GUID of 16 hexadecimal digits, or MAC; empty: unknown
  base::BytesPerSecond rate;  ///< raw, one direction, all ports; 0: unknown
  int ports = 1;
  int rail = -1;
  FabricRole role = FabricRole::unknown;
  std::vector<int> gpus;  ///< nearest to it (same PCIe switch or root), by index in the node
};

/// How GPUs of a node reach each other and the NICs, where a dump of its inside was read.
struct FoundInside {
  ScaleUpKind scale_up = ScaleUpKind::none;
  base::BytesPerSecond scale_up_rate;  ///< raw, of a GPU, one direction; 0: unknown
  base::BytesPerSecond pcie_rate;      ///< raw, of a GPU; 0: unknown
};

/// A pod or a job's share of a node.
struct Occupant {
  std::string job;  ///< "namespace/name" of what owns the pod (JobSet, PyTorchJob, …), or job id
  std::string pod;  ///< "namespace/name"; empty: unknown
  int gpus = 0;
  int index = -1;  ///< of the pod in its job; -1: unknown
};

struct FoundNode {
  std::string name;                  ///< empty: any node like it (a dump of one node's inside)
  std::vector<std::string> aliases;  ///< other names of the same machine: host name, instance id
  std::string type;                  ///< NodeType::name of the registry; empty: unknown
  std::string gpu;                   ///< GpuSpec::name of the registry; empty: unknown
  int gpus = -1;                     ///< built in; -1: unknown
  int usable_gpus = -1;              ///< that the scheduler may hand out; -1: all that are built in
  int free_gpus = -1;                ///< of these, taken by nobody; -1: nobody said what runs
  std::string unavailable;           ///< why nothing new runs there: "cordoned"; empty: it does
  std::vector<std::string> domains;  ///< as NodeSpec::domains: coarse to fine, "" for a gap
  std::string accelerator_domain;    ///< NVLink domain beyond the node; empty: unknown
  std::string accelerator_partition;  ///< part of it that is joined (clique id); empty: the whole
  std::vector<FoundNic> nics;         ///< all that were seen; empty: unknown
  std::vector<FoundInside> inside;    ///< none or one
  std::vector<Occupant> occupants;
  base::SourceRef where;  ///< first place that tells of it
};

struct FoundSwitch {
  std::string id;     ///< unique: GUID, MAC, or path of names from the root "spine-1/leaf-3"
  std::string name;   ///< for people; empty: `id`
  std::string model;  ///< "MQM9700"; empty: unknown
  int tier = 0;       ///< 1 where nodes are, more above; 0: no cable leads from it to a node
  int rail = -1;
  FabricRole role = FabricRole::unknown;
  base::SourceRef where;
};

/// One end of a cable.
struct CableEnd {
  enum class At : std::uint8_t { node, fabric_switch };
  At at = At::node;
  std::size_t index = 0;  ///< into FoundCluster::nodes or ::switches
  std::string nic;        ///< of a node: FoundNic::name, or ::id where it has no name
  std::string port;       ///< as printed on the device: "1", "swp17s0"; empty: unknown

  bool operator==(const CableEnd&) const = default;
};

/// One cable. Parallel cables are several of these.
struct FoundCable {
  CableEnd a;
  CableEnd b;
  base::BytesPerSecond rate;   ///< raw, one direction, as it runs; 0: unknown
  base::BytesPerSecond built;  ///< raw, as it was made to run; 0: as `rate`
  CableState state = CableState::up;
  std::string trouble;  ///< "4X 2.5 Gbps, could be 100": for people; empty: none
  base::SourceRef where;
};

/// What somebody says the levels of the node labels are.
struct LevelDeclaration {
  std::string by;                 ///< "Kueue Topology default"
  std::vector<std::string> keys;  ///< label keys, coarse to fine, without the host's
  base::SourceRef where;
};

struct FoundCluster {
  /// A file that was read.
  struct Source {
    std::string format;  ///< "kubernetes", "ibnetdiscover", …
    std::string file;
    std::string told;  ///< "8 nodes, 2 levels": for people
  };
  std::vector<Source> sources;
  std::vector<std::string> levels;  ///< names of the places of FoundNode::domains: label keys
  std::vector<FoundNode> nodes;
  std::vector<FoundSwitch> switches;
  std::vector<FoundCable> cables;
  std::vector<LevelDeclaration> declared;
  base::Diagnostics notes;  ///< warnings and notes: what was left out, inferred, or contradicts
};

}  // namespace topology
