#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/queue/profile.hpp"
#include "sim/queue/tree.hpp"

namespace sim::queue {

/// How jobs that run at once slow each other: a fluid model on the links between domains.
///
/// A job puts M_e bytes of each step on link e, whose rate is B_e, in `wire` seconds when nothing
/// but its NICs limits it: it asks for u_e = M_e / (B_e wire) of the link while it sends. Its
/// transfers take
///   sigma = max(1, max over e of (u_e + sum over other jobs k of a_k u_k,e))
/// times as long, where a_k = wire_k sigma_k / T_k is the share of its step in which k sends; and
/// T is what its step takes then (see place::Demand::growth): alone, plus what of the longer
/// transfers computing does not hide. Of a job alone this is communication that takes max over e of
/// M_e / B_e, as in Crux (SIGCOMM 2024). Phases are taken as independent: jobs that begin each step
/// together, as equal ones do in `simulate`, meet more often.
class Sharing {
 public:
  using JobId = std::uint32_t;

  /// `tree` must outlive this.
  explicit Sharing(const Tree& tree);

  /// Puts a job on nodes, in its own order. `partly`: on part of the GPUs of its nodes, whose NICs
  /// others may use. `profile` must stay until `remove`.
  void add(JobId job, const Profile& profile, std::span<const int> nodes, bool partly);
  void remove(JobId job);
  /// Works out the steps of all jobs. \returns those whose step has changed.
  std::vector<JobId> settle();
  double step(JobId job) const { return jobs_[job].step; }
  /// The step were the job alone where it is: what its own spread costs.
  double step_without_others(JobId job) const { return jobs_[job].lone_step; }

  /// One direction out of or into a domain.
  struct Link {
    std::size_t level = 0;  ///< of the tree
    int domain = 0;
    bool out = false;
    double rate = 0;
    double demand = 0;  ///< expected, as a share of the rate; of jobs that are there now
    double asked = 0;   ///< the most while one of them sends, which is its sigma there
    int users = 0;      ///< jobs that use it
  };
  const std::vector<Link>& links() const { return links_; }
  /// Bytes a second of all jobs over the way out of (or into) each domain of the network.
  std::vector<double> background() const;
  /// Links over which a job sends.
  std::vector<std::uint32_t> links_of(JobId job) const;

 private:
  struct Load {
    std::uint32_t link = 0;
    double share = 0;  // of its rate while the job sends
  };
  struct Job {
    const Profile* profile = nullptr;
    std::vector<Load> loads;
    double sigma = 1;
    double step = 0;
    double lone_step = 0;
    double active = 0;  // share of the step in which it sends
  };

  void set_sigma(Job& job, double sigma);
  double own_sigma(const Job& job) const;

  const Tree* tree_;
  std::vector<std::uint32_t> first_link_;  // by level
  std::vector<Link> links_;
  std::vector<Job> jobs_;
  std::vector<JobId> sending_;  // those that have loads
  std::vector<JobId> calm_;     // fresh ones that have none
};

}  // namespace sim::queue
