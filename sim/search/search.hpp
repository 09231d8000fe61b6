#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/compare/plan_forecast.hpp"
#include "sim/search/explore.hpp"

namespace sim::search {

/// What a worker is asked for. Its bytes are all there is to it.
struct Task {
  enum class Kind : std::uint8_t {
    floor,    ///< of a unit, see Explorer::floor
    explore,  ///< a unit, see Explorer::explore
    check,    ///< whether a plan fits, and what it would take to simulate it
    confirm,  ///< simulate a plan
    slow,     ///< what contention does to a plan, see Explorer::slowdown
  };
  Kind kind = Kind::floor;
  PlanCode code;
  double limit = 0;     ///< explore, slow: seconds
  base::Bytes reserve;  ///< explore
  double slowdown = 1;  ///< explore
};

/// What `check` finds in the step of a plan, without simulating it.
struct Check {
  bool fits = false;
  base::Bytes uncounted;  ///< of its peak, what Estimator::memory does not count
  double work = 0;        ///< of a simulation: tasks of all ranks
};

/// What a worker answers: the field of the kind of its task.
struct Answer {
  double number = 0;  ///< floor, slow
  UnitAnswer unit;
  Check check;
  compare::PlanForecast forecast;
};

/// Does tasks, on as many workers as there are, and answers in the order of the tasks.
using Crew = std::function<std::vector<Answer>(const std::vector<Task>&)>;

/// What a search does just now.
enum class Step { bounding, exploring, checking, simulating };
std::string_view name_of(Step step);

struct Options {
  /// Simulations may have so many tasks of ranks together, and each of them a third of that (see
  /// Check::work): a million are four seconds of one core.
  double simulated_work = 6e6;
  /// Instead: so many plans, whatever they take. 0: the analytic engine has the last word.
  std::optional<int> simulated_plans;
  std::function<void(Step, double share)> progress = [](Step, double) {};
  /// Asked between rounds: whether to end with what is known.
  std::function<bool()> stop = [] { return false; };
};

/// A plan that the search found, and that fits.
struct Found {
  PlanCode code;
  /// Seconds by the analytic engine; of plans that were not simulated, with collectives between
  /// nodes slowed down as in those that were.
  double estimated = 0;
  std::optional<compare::PlanForecast> simulated;

  double step() const { return simulated ? simulated->step.s() : estimated; }
};

/// What is known after a pass over the space and the simulations that it asked for.
struct Round {
  double slowdown = 1;  ///< assumed of collectives between nodes
  Counts counts;        ///< what became of plans in this pass
  double undecided = 0;
  int simulated = 0;  ///< plans so far
  double best = 0;    ///< seconds: least step so far, estimated while none is simulated
  double bound = 0;   ///< as Outcome::bound

  bool operator==(const Round&) const = default;
};

/// What a search found out.
struct Outcome {
  double plans = 0;      ///< of the space
  Counts counts;         ///< what became of them
  double undecided = 0;  ///< plans that nobody came to, for the search was stopped
  int units = 0;
  int kept = 0;       ///< best plans by the analytic engine that were looked at closer
  int too_large = 0;  ///< of them, those that do not fit after all
  int simulated = 0;  ///< and those that were simulated
  bool stopped = false;
  /// How much slower than alone collectives between nodes were in the plans that were simulated.
  double slowdown = 1;
  /// Those that were simulated, by their step; behind them the others by theirs.
  std::vector<Found> best;
  /// No plan of the space is faster: the least step without contention of those that were not
  /// simulated, or the step of the best. In seconds; infinite: there is no plan.
  double bound = 0;
  std::vector<Round> rounds;

  /// Whether the best is known to be: no plan can undercut it.
  bool proven() const { return !best.empty() && bound >= best.front().step(); }
  /// By which share of its step another plan could still undercut the best.
  double gap() const { return best.empty() ? 1 : 1 - bound / best.front().step(); }
};

/// The best plans of a space by the analytic engine, found exactly by branch and bound. Since it
/// knows no contention, the best two are simulated; what that did to their collectives between
/// nodes is assumed of all plans, the space is searched again, and so on until the best are plans
/// that were simulated already. What the analytic engine says without contention stays the floor:
/// when all plans below the best were simulated, nothing can be faster. The answer is the same
/// whatever the crew: work goes out in rounds of fixed size, and what is known when a round begins
/// is what its tasks know.
Outcome search(const Explorer& explorer, const Crew& crew, const Options& options);

}  // namespace sim::search
