#pragma once

#include <string>
#include <vector>

#include "sim/step_graph.hpp"
#include "topology/cluster.hpp"

/// Where the ranks of a job best sit. A slot is what one node holds of a job: consecutive ranks, as
/// many on each node. A placement gives each slot a node.
namespace sim::place {

/// Bytes that one slot sends another in a step.
struct Edge {
  int from = 0;
  int to = 0;
  double bytes = 0;  ///< whole: sums of them are exact
  int part = 0;      ///< of the demand, see Demand::chained
};

/// What one kind of communication over one set of axes puts between the nodes in a step.
struct Demand {
  std::string name;  ///< "data over dp", "pipeline over pp: activation"
  CommKind kind = CommKind::data;
  strategies::AxisSet axes;
  std::vector<Edge> edges;  ///< by part, sender, receiver
  int parts = 1;
  /// Parts of a demand are pipeline stages. Collectives: those that run one after the other, which
  /// share no link, and the slowest counts. Chained (messages): all share links, and the step feels
  /// the mean of them, for a micro-batch passes one after the other.
  bool chained = false;
  double skew = 1;   ///< bytes of the busiest rail over the mean of all rails
  double alone = 0;  ///< seconds in which bytes move when nothing is shared, of the busiest rank

  /// Seconds by which the step is longer when its bytes take `stretch` times as long as alone, at
  /// some stretches from 1 up. Not more than linear at first where it is hidden behind computation.
  struct Growth {
    double stretch = 1;
    double seconds = 0;
  };
  std::vector<Growth> growth;

  /// Between these points on the line that joins them; convex, so never too little.
  double growth_at(double stretch) const;
  double bytes() const;
};

/// What a step asks of the network, wherever its slots are.
struct StepDemand {
  double step = 0;  ///< seconds, when nothing is shared: `analyse`
  int slots = 0;
  std::vector<Demand> demands;
};

/// Takes the step as it is laid out where rank r sits on `gpu_of_rank[r]`: algorithms and prices
/// are those of that place. \pre `ranks_per_slot` divides the ranks, or is more than all of them
StepDemand demand_of(const StepGraph& graph, const topology::Cluster& cluster,
                     const std::vector<topology::GpuId>& gpu_of_rank, int ranks_per_slot);

}  // namespace sim::place
