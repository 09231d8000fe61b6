#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "sim/place/cost.hpp"
#include "strategies/rank_grid.hpp"
#include "topology/network_tree.hpp"

namespace sim::place {

/// What is wanted of the nodes of a job. Levels point into a list that outlives the request.
struct Request {
  std::vector<int> free;  ///< nodes that may be taken, ascending, of one type
  int spares = 0;         ///< further nodes to keep for it, as near to it as there are
  /// All nodes and spares in one domain of the first of these levels of which one has room: one
  /// level is a demand, several are from the preferred one up. Empty: anywhere.
  std::vector<const topology::Level*> within;
  bool anywhere = true;  ///< where no domain of `within` has room
  double effort = 1;     ///< share of the work that is usually put into the search
  int slice = 1;         ///< each so many slots in one domain of `slice_level`
  const topology::Level* slice_level = nullptr;
};

/// Nodes for a job.
struct Assigned {
  std::vector<int> nodes;   ///< in rank order
  std::vector<int> spares;  ///< nearest first
  Cost cost;
  std::string how;
  std::string domain;  ///< "zone-1/rack-2 of level rack" where all had to be in one
};

struct Assignment {
  Assigned best;
  std::vector<Assigned> others;  ///< next ones, best first, no two of equal cost
  Assigned in_order;             ///< free nodes in the order of the cluster, within the same rules
  double bound = 0;              ///< seconds: no placement that keeps the rules has a shorter step
  bool proven = false;    ///< the model knows no shorter step, and among those no fewer bytes
                          ///< over ways out of domains if all were looked at
  bool all_seen = false;  ///< every placement was looked at
};

/// Why nothing fits.
struct Refusal {
  std::string reason;
  std::string nearest;  ///< what would
};

/// Chooses nodes and their order. The same request gives the same answer on every machine: work is
/// counted in trials, not in seconds.
tl::expected<Assignment, Refusal> assign(const StepDemand& demand, const topology::Cluster& cluster,
                                         const topology::NetworkTree& tree, const Request& request,
                                         const strategies::RankGrid& grid, int ranks_per_slot,
                                         const std::vector<double>& background = {});

}  // namespace sim::place
