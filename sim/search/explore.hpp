#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/units.hpp"
#include "sim/estimate.hpp"
#include "sim/search/space.hpp"

namespace sim::search {

/// Plans of a search, by what became of them. Each number counts plans of the space.
struct Counts {
  double refused = 0;    ///< do not fit the model or the cluster
  double memory = 0;     ///< would not fit into memory, by Estimator::memory
  double slower = 0;     ///< cannot be among the best, by a floor of their step
  double estimated = 0;  ///< their step was forecast by the analytic engine

  double all() const { return refused + memory + slower + estimated; }
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

/// A plan with what the analytic engine says of it.
struct Candidate {
  PlanCode code;
  double step = std::numeric_limits<double>::infinity();  ///< seconds

  /// Ties go to the plan that comes first in the space, so that nothing depends on who came first.
  auto operator<=>(const Candidate& other) const {
    return step != other.step
               ? (step < other.step ? std::weak_ordering::less : std::weak_ordering::greater)
               : std::weak_ordering(code <=> other.code);
  }
  bool operator==(const Candidate&) const = default;
};

/// How many of the best plans a search keeps.
inline constexpr int kept_candidates = 64;

/// The best of the candidates that were added, ascending.
class Best {
 public:
  void add(const Candidate& candidate);
  int count() const { return count_; }
  const Candidate& operator[](int i) const { return all_[static_cast<std::size_t>(i)]; }
  /// A candidate above this would not be kept.
  double limit() const {
    return count_ < kept_candidates ? std::numeric_limits<double>::infinity() : all_.back().step;
  }

 private:
  std::array<Candidate, kept_candidates> all_{};
  int count_ = 0;
};

/// What came out of one unit. Crosses process borders as it is.
struct UnitAnswer {
  Counts counts;
  Best best;
};

/// What contention makes of collectives between nodes at most.
inline constexpr double slowdown_max = 16;

/// Explores units of a space: the first axes are decided, the rest is searched by branch and bound.
class Explorer {
 public:
  /// All of it must outlive the explorer. Rank i sits on the i-th of `gpus`, all of which every
  /// plan uses.
  Explorer(const Space& space, const strategies::ModelSpec& model, const topology::Cluster& cluster,
           const calibrate::Profile& profile, std::vector<topology::GpuId> gpus);

  /// The codes of all units whose degrees fit the cluster and the model, in the order of the space.
  /// Plans of all others are counted as refused.
  std::vector<PlanCode> units(Counts& counts) const;
  double plans_of_unit(const PlanCode& unit) const;
  /// The plan of a code. \pre it was found here
  strategies::Plan plan(const PlanCode& code) const;
  /// A floor of its memory, see Estimator::memory.
  base::Bytes memory(const strategies::Plan& plan) { return estimator_.memory(plan); }
  /// A floor of the step of every plan of a unit, in seconds.
  double floor(const PlanCode& unit);
  /// The best plans of a unit whose step is not above `limit` seconds. `reserve`: memory that is
  /// kept back for what Estimator::memory does not count. `slowdown`: see Estimator::slow_network.
  UnitAnswer explore(const PlanCode& unit, double limit, base::Bytes reserve, double slowdown);
  /// How much slower collectives between nodes must be for a plan to take `step` seconds; between 1
  /// and `slowdown_max`.
  double slowdown(const PlanCode& plan, double step);

 private:
  /// Plans with one recompute and schedule, with parameters sharded (ZeRO-3) or not.
  struct Branch {
    PlanCode code;
    double floor = 0;
    bool sharded_parameters = false;
  };

  /// Indices of a schedule and of its chunks.
  struct ScheduleCode {
    int kind = 0;
    int chunks = 0;
  };

  std::vector<ScheduleCode> schedules(const strategies::Plan& unit) const;
  void add_units(PlanCode code, const strategies::Plan& plan, int next, std::vector<PlanCode>& all,
                 Counts& counts) const;
  bool any_fits(const strategies::Plan& unit) const;
  /// Plans below one in which the axes before `next` are decided.
  double plans_below(strategies::Plan plan, int next) const;
  double plans_of(const Branch& branch) const;
  bool belongs(const Branch& branch, int zero) const;
  /// The highest stage of ZeRO of one of the two kinds of branches.
  std::optional<std::uint16_t> stage_of_zero(bool sharded_parameters) const;
  /// Those that may hold something, the one with the least floor first.
  std::vector<Branch> branches(const PlanCode& unit, double limit, UnitAnswer& answer);
  void leaves(PlanCode code, double limit, UnitAnswer& answer);

  const Space& space_;
  const strategies::ModelSpec& model_;
  int gpus_;
  base::Bytes capacity_;  // of the largest GPU
  base::Bytes reserve_;
  Estimator estimator_;
  bool cells_at_once_;  // in some plan of the space: then Estimator::busiest is no floor
};

}  // namespace sim::search
