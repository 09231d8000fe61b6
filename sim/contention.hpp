#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "sim/engine.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// What several jobs on one fabric cost each other.
struct ContentionReport {
  struct Job {
    std::string name;
    int gpus = 0;
    int steps = 0;        ///< played beside the others
    base::Seconds alone;  ///< a step with nobody else on the fabric
    base::Seconds step;   ///< mean of those after the first
    base::Seconds shortest;
    base::Seconds longest;

    double slowdown() const { return step / alone; }
  };
  /// A cable that was asked for more than its rate while several jobs sent over it.
  struct Link {
    std::string name;  ///< "leaf-3 -> spine-1"
    base::BytesPerSecond rate;
    std::vector<base::Bytes> bytes;  ///< of a step, by job
    std::vector<double> active;      ///< by job: share of the time in which it sent
    double together = 0;             ///< … in which at least two did
    double busy = 0;                 ///< … in which it was asked for more than its rate
    int alike = 1;                   ///< cables between such devices, as busy
  };
  std::vector<Job> jobs;
  std::vector<Link> links;  ///< the longest busy first, alike ones folded, at most 10
  int links_met = 0;        ///< cables that several jobs used and that may bind
};

/// `alone`: the step of each job by itself.
ContentionReport contention_of(const Ensemble& ensemble, std::span<const std::string> names,
                               std::span<const base::Seconds> alone,
                               std::span<const PlacedStep> jobs, const topology::Cluster& cluster);

}  // namespace sim
