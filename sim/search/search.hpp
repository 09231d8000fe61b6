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
  };
  Kind kind = Kind::floor;
  PlanCode code;
  double limit = 0;     ///< explore: seconds
  base::Bytes reserve;  ///< explore
};

/// What `check` finds in the step of a plan, without simulating it.
struct Check {
  bool fits = false;
  base::Bytes uncounted;  ///< of its peak, what Estimator::memory does not count
  double work = 0;        ///< of a simulation: tasks of all ranks
};

/// What a worker answers: the field of the kind of its task.
struct Answer {
  double floor = 0;
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
  /// Simulations may have so many tasks of ranks together (see Check::work): some 5,000,000 are 20
  /// seconds on one core.
  double simulated_work = 5e6;
  /// Instead: so many plans, whatever they take. 0: the analytic engine has the last word.
  std::optional<int> simulated_plans;
  std::function<void(Step, double share)> progress = [](Step, double) {};
  /// Asked between rounds: whether to end with what is known.
  std::function<bool()> stop = [] { return false; };
};

/// A plan that the search found, and that fits.
struct Found {
  PlanCode code;
  double analytic = 0;  ///< seconds, without contention: a floor of what a simulation says
  std::optional<compare::PlanForecast> simulated;

  double step() const { return simulated ? simulated->step.s() : analytic; }
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
  /// Those that were simulated, by their step; behind them the others by theirs.
  std::vector<Found> best;
  /// No plan of the space is faster: the least analytic step of those that were not simulated, or
  /// the step of the best. In seconds; infinite: there is no plan.
  double bound = 0;

  /// Whether the best is known to be: no plan can undercut it.
  bool proven() const { return !best.empty() && bound >= best.front().step(); }
  /// By which share of its step another plan could still undercut the best.
  double gap() const { return best.empty() ? 1 : 1 - bound / best.front().step(); }
};

/// The best plans of a space by the analytic engine, found exactly by branch and bound; then
/// simulated, the most promising first, until none of the others can be faster, for the analytic
/// step is a floor of the simulated one. The answer is the same whatever the crew: work goes out in
/// rounds of fixed size, and what is known when a round begins is what its tasks know.
Outcome search(const Explorer& explorer, const Crew& crew, const Options& options);

}  // namespace sim::search
