#include "sim/queue/queue.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <tuple>

#include "base/check.hpp"
#include "sim/queue/ledger.hpp"
#include "sim/queue/sharing.hpp"

namespace sim::queue {

namespace {

using JobId = Sharing::JobId;

class Simulation {
 public:
  Simulation(const std::vector<QueuedJob>& jobs, const std::vector<Profile>& profiles,
             const Tree& tree, const std::vector<int>& gpus, const Policy& policy,
             const QueueOptions& options)
      : jobs_(jobs),
        profiles_(profiles),
        policy_(policy),
        options_(options),
        occupancy_(tree, gpus),
        sharing_(tree),
        ledger_(tree, occupancy_, sharing_),
        running_(jobs.size()) {
    report_.policy = policy.name;
    report_.jobs.resize(jobs.size());
  }

  QueueReport run() {
    std::vector<JobId> arrivals(jobs_.size());
    std::iota(arrivals.begin(), arrivals.end(), JobId{0});
    std::stable_sort(arrivals.begin(), arrivals.end(),
                     [&](JobId a, JobId b) { return jobs_[a].arrival < jobs_[b].arrival; });
    std::size_t next = 0;
    while (next < arrivals.size() || !ends_.empty()) {
      drop_void_ends();
      const double arrival = next < arrivals.size() ? jobs_[arrivals[next]].arrival : never;
      const double end = ends_.empty() ? never : ends_.top().time;
      now_ = std::min(arrival, end);
      if (now_ == never) break;
      ledger_.advance(now_, live_, waiting_.size());
      for (; !ends_.empty() && ends_.top().time <= now_; drop_void_ends()) finish(ends_.top().job);
      for (; next < arrivals.size() && jobs_[arrivals[next]].arrival <= now_; ++next)
        waiting_.emplace(-jobs_[arrivals[next]].priority, static_cast<JobId>(next), arrivals[next]);
      start_waiting();
      settle();
    }
    CHECK_INVARIANT(waiting_.empty() && live_ == 0);
    ledger_.summarise(report_);
    return std::move(report_);
  }

 private:
  static constexpr double never = std::numeric_limits<double>::infinity();

  struct Running {
    std::vector<int> nodes;
    double left = 0;   // steps
    double since = 0;  // as of then
    double step = 0;   // seconds
    std::uint32_t generation = 0;
    bool on = false;
  };
  struct End {
    double time;
    JobId job;
    std::uint32_t generation;

    bool operator>(const End& o) const { return std::tie(time, job) > std::tie(o.time, o.job); }
  };

  const Profile& profile(JobId job) const { return profiles_[jobs_[job].profile]; }

  /// Those of jobs whose speed has changed since.
  void drop_void_ends() {
    while (!ends_.empty() && ends_.top().generation != running_[ends_.top().job].generation)
      ends_.pop();
  }

  bool start(JobId job) {
    const Request& request = profile(job).request;
    if (refused_.contains(request)) return false;
    auto nodes = policy_.place(occupancy_, profile(job), sharing_.background());
    if (!nodes) {
      refused_.insert(request);
      return false;
    }
    CHECK_INVARIANT(static_cast<int>(nodes->size()) == request.nodes);
    occupancy_.take(*nodes, request.gpus);
    const bool partly = std::any_of(nodes->begin(), nodes->end(), [&](int node) {
      return request.gpus < occupancy_.gpus_of(node);
    });
    sharing_.add(job, profile(job), *nodes, partly);
    Running& running = running_[job];
    running.nodes = std::move(*nodes);
    running.left = jobs_[job].steps;
    running.since = now_;
    running.on = true;
    ++live_;
    JobOutcome& outcome = report_.jobs[job];
    outcome.arrival = jobs_[job].arrival;
    outcome.begin = now_;
    outcome.alone = jobs_[job].steps * profile(job).alone();
    outcome.spread = jobs_[job].steps * sharing_.step_without_others(job);
    outcome.nodes = request.nodes;
    outcome.gpus = request.nodes * request.gpus;
    return true;
  }

  void finish(JobId job) {
    Running& running = running_[job];
    occupancy_.give(running.nodes, profile(job).request.gpus);
    sharing_.remove(job);
    report_.jobs[job].end = now_;
    ++running.generation;
    running.on = false;
    --live_;
    refused_.clear();
  }

  /// Speeds of all jobs that run from now on.
  void settle() {
    for (const JobId job : sharing_.settle()) {
      Running& running = running_[job];
      if (running.step > 0) running.left -= (now_ - running.since) / running.step;
      running.left = std::max(0.0, running.left);
      running.since = now_;
      running.step = sharing_.step(job);
      ends_.push({now_ + running.left * running.step, job, ++running.generation});
    }
  }

  void start_waiting() {
    while (!waiting_.empty()) {
      const JobId first = std::get<2>(*waiting_.begin());
      if (!start(first)) break;
      waiting_.erase(waiting_.begin());
    }
    if (options_.backfill && waiting_.size() > 1) backfill();
  }

  /// When the first job can begin, and how many nodes it will then not need.
  struct Reservation {
    double time = never;
    int spare = 0;
  };

  Reservation reserve(const Request& request) const {
    std::vector<std::pair<double, JobId>> ends;
    for (JobId job = 0; job < running_.size(); ++job)
      if (running_[job].on) ends.emplace_back(expected_end(job), job);
    std::sort(ends.begin(), ends.end());
    Occupancy later = occupancy_;
    int fitting = 0;
    for (int node = 0; node < later.nodes(); ++node) fitting += later.fits(node, request.gpus);
    for (const auto& [time, job] : ends) {
      for (const int node : running_[job].nodes) {
        const bool before = later.fits(node, request.gpus);
        later.give({&node, 1}, profile(job).request.gpus);
        fitting += !before && later.fits(node, request.gpus);
      }
      if (fitting >= request.nodes) return {time, fitting - request.nodes};
    }
    return {};
  }

  double expected_end(JobId job) const {
    const Running& running = running_[job];
    const double step = running.step > 0 ? running.step : profile(job).alone();
    return running.since + running.left * step;
  }

  void backfill() {
    const Reservation reserved = reserve(profile(std::get<2>(*waiting_.begin())).request);
    int spare = reserved.spare;
    int tried = 0;
    for (auto it = std::next(waiting_.begin());
         it != waiting_.end() && tried < options_.backfill_depth; ++tried) {
      const JobId job = std::get<2>(*it);
      const int nodes = profile(job).request.nodes;
      const bool in_time = now_ + jobs_[job].steps * profile(job).alone() <= reserved.time;
      if ((in_time || nodes <= spare) && start(job)) {
        if (!in_time) spare -= nodes;
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }

  const std::vector<QueuedJob>& jobs_;
  const std::vector<Profile>& profiles_;
  const Policy& policy_;
  QueueOptions options_;
  Occupancy occupancy_;
  Sharing sharing_;
  Ledger ledger_;
  std::vector<Running> running_;
  std::set<std::tuple<int, JobId, JobId>> waiting_;  // -priority, order of arrival, job
  std::set<Request> refused_;                        // since something ended last
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  QueueReport report_;
  double now_ = 0;
  int live_ = 0;
};

}  // namespace

QueueReport simulate_queue(const std::vector<QueuedJob>& jobs, const std::vector<Profile>& profiles,
                           const Tree& tree, const std::vector<int>& gpus, const Policy& policy,
                           const QueueOptions& options) {
  return Simulation(jobs, profiles, tree, gpus, policy, options).run();
}

}  // namespace sim::queue
