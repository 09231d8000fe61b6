#pragma once

#include <vector>

#include "sim/queue/policy.hpp"
#include "sim/queue/queue.hpp"
#include "sim/queue/sharing.hpp"

namespace sim::queue {

/// Books what a queue does to the cluster over time; internal to the simulation.
class Ledger {
 public:
  Ledger(const Tree& tree, const Occupancy& occupancy, const Sharing& sharing);

  /// Books the time since the last call, in which nothing changed.
  void advance(double now, int running, std::size_t waiting);
  /// Fills in all but the jobs, from the jobs and from what was booked.
  void summarise(QueueReport& report) const;

 private:
  struct Use {
    double seconds = 0;
    double worst = 0;
    int jobs_at_once = 0;
  };

  std::vector<double> fragmentation() const;
  void thin_out();

  const Tree& tree_;
  const Occupancy& occupancy_;
  const Sharing& sharing_;
  bool begun_ = false;
  double since_ = 0;
  double free_time_ = 0;             // in which any node was whole and free
  std::vector<double> share_time_;   // by level
  std::vector<double> least_share_;  // by level
  std::vector<Use> uses_;            // by link
  std::vector<Sample> samples_;
  double sample_every_ = 0;
};

}  // namespace sim::queue
