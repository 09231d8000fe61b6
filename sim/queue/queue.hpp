#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/queue/policy.hpp"
#include "sim/queue/profile.hpp"
#include "sim/queue/tree.hpp"

namespace sim::queue {

/// A job that somebody submits.
struct QueuedJob {
  std::string name;
  double arrival = 0;  ///< seconds
  double steps = 1;
  int priority = 0;         ///< more goes first
  std::size_t profile = 0;  ///< into the list of profiles
};

struct QueueOptions {
  /// While the first job waits, later ones may run where they do not hold it up: they end before
  /// it can begin, as far as that is known, or leave it enough nodes (EASY).
  bool backfill = false;
  /// Jobs behind the first that are tried then.
  int backfill_depth = 200;
};

/// What became of a job.
struct JobOutcome {
  double arrival = 0;
  double begin = 0;
  double end = 0;
  double alone = 0;   ///< seconds that it would have run where nothing holds it up
  double spread = 0;  ///< … alone where it was
  int nodes = 0;
  int gpus = 0;  ///< of all nodes

  double queued() const { return begin - arrival; }
  double ran() const { return end - begin; }
};

/// A link that was asked for more than its rate by several jobs.
struct ContendedLink {
  std::string name;      ///< "out of leaf-3"
  std::string level;     ///< "leaf"
  double rate = 0;       ///< bytes a second
  double seconds = 0;    ///< in which it was
  double worst = 0;      ///< what is asked of it while a job sends, over its rate
  int jobs_at_once = 0;  ///< the most that used it then
};

/// How whole free nodes lie in the domains of a level, over time.
struct Fragmentation {
  std::string level;
  double mean = 0;  ///< largest free domain / free nodes, mean over the time in which any is free
  double least = 0;
};

struct Sample {
  double time = 0;
  int running = 0;
  int waiting = 0;
  int free_gpus = 0;
  std::vector<double> fragmentation;  ///< by level as below; 1 where no node is free
};

struct QueueReport {
  std::string policy;
  std::vector<JobOutcome> jobs;  ///< in the order of the input
  double makespan = 0;           ///< from the first arrival to the last end
  double queued_mean = 0;
  double queued_median = 0;
  double queued_p95 = 0;
  double slowdown_mean = 0;  ///< run time over that where nothing holds it up, of an average job
  double slowdown_worst = 0;
  double contention_mean = 0;  ///< run time over that alone on the same nodes
  double utilisation = 0;      ///< GPU seconds handed out / GPU seconds of the makespan
  std::vector<Fragmentation> fragmentation;  ///< by level between the cluster and its nodes
  std::vector<Sample> samples;               ///< at most 200, evenly in time
  std::vector<ContendedLink> links;          ///< by time lost on them, at most 20
  std::size_t links_contended = 0;           ///< all there were
};

/// Plays arrivals and ends. Jobs start in order of priority, then arrival, each with all its nodes
/// at once, and run at a speed that changes as others come and go (see Sharing). `gpus`: that may
/// be handed out, by node. \pre every job fits on the empty cluster.
QueueReport simulate_queue(const std::vector<QueuedJob>& jobs, const std::vector<Profile>& profiles,
                           const Tree& tree, const std::vector<int>& gpus, const Policy& policy,
                           const QueueOptions& options);

}  // namespace sim::queue
