#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"
#include "topology/summary.hpp"

/// What a platform engineer wants to know of a cluster at a glance.
namespace topology {

/// Nodes that are of one kind and in one state.
struct InventoryRow {
  std::string type;         ///< empty: unknown
  std::string gpu;          ///< empty: unknown or none
  std::string unavailable;  ///< empty: available
  int nodes = 0;
  int gpus = 0;       ///< usable
  int free_gpus = 0;  ///< of these; as many as `gpus` where nobody said what runs
};

/// The domains of one level of the switch tree. Free are nodes that are available and have all
/// their usable GPUs free.
struct LevelSurvey {
  std::string name;  ///< label key, "tier 2", or "all"
  int domains = 0;
  int nodes_min = 0;  ///< of a domain
  int nodes_max = 0;
  int unplaced = 0;  ///< nodes in no domain of this level
  int free_max = 0;  ///< free nodes of the domain with most
  std::string freest;
  /// 1 - `free_max` / free nodes of the cluster: 0 when one domain has them all.
  double fragmentation = 0;
  /// How many jobs of so many GPUs, on whole nodes, fit inside domains; by Survey::slot_sizes.
  std::vector<std::int64_t> slots;
};

/// Nodes or switches that no relabelling of the network tells apart (colour refinement of the
/// graph of nodes, switches and cables with their rates; isomorphic ones are never parted).
struct SymmetryClass {
  bool switches = false;
  int members = 0;
  std::string example;
};

/// Something that is not as its neighbours are.
struct Anomaly {
  std::string kind;  ///< "missing uplink", "uneven leaf", "cable down", …
  std::string what;  ///< one sentence
  int count = 1;     ///< alike ones that the sentence stands for
};

struct Survey {
  std::vector<InventoryRow> inventory;
  int nodes = 0;
  int gpus = 0;
  int free_nodes = 0;
  int free_gpus = 0;
  bool occupancy_known = false;        ///< some dump said what runs
  std::vector<int> slot_sizes;         ///< in GPUs: those of a node, doubled while they fit
  std::vector<LevelSurvey> levels;     ///< the cluster, then coarse to fine
  std::vector<SymmetryClass> classes;  ///< nodes first, the largest first
  std::vector<Anomaly> anomalies;
  int cables = 0;
  int cables_down = 0;
  int cables_degraded = 0;
  /// Of what could be built; absent when that is nothing.
  std::vector<Tier> tiers;
  std::optional<base::BytesPerSecond> bisection;  ///< see bisection
  double bisection_share = 0;                     ///< of what the NICs of one half can send
};

/// \param cluster  what cluster_of makes of it; nullptr when the registry does not know its nodes
Survey survey(const FoundCluster& found, const Cluster* cluster);

/// Parts of it.
std::vector<SymmetryClass> symmetry_classes(const FoundCluster& found);
std::vector<Anomaly> anomalies(const FoundCluster& found);

/// Most that half of the nodes can send to the other half at once, one direction, usable: the
/// maximum flow between the first and the second half in the order of their network domains, so
/// that as few domains as can be are cut. Of a folded Clos network that is its bisection bandwidth.
/// 0 for less than two nodes with NICs.
base::BytesPerSecond bisection(const Cluster& cluster);

}  // namespace topology
