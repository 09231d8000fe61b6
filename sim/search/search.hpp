#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/search/explore.hpp"

namespace sim::search {

/// What a worker is asked for. Crosses process and machine borders as it is.
struct Task {
  enum class Kind : std::uint8_t { floor, explore, confirm };
  Kind kind = Kind::floor;
  PlanCode code;     ///< of a unit; confirm: of a plan
  double limit = 0;  ///< explore: seconds
};

/// A plan that was simulated.
struct Confirmation {
  double step = 0;  ///< seconds
  bool fits = false;
};

/// What a worker answers: the field of the kind of its task.
struct Answer {
  double floor = 0;
  UnitAnswer unit;
  Confirmation confirmation;
};

/// Does tasks, on as many workers as there are, and answers in the order of the tasks.
using Crew = std::function<std::vector<Answer>(const std::vector<Task>&)>;

struct Options {
  /// Plans that are simulated at most, from the best on. What then is not simulated is in the gap.
  int confirm = 32;
  /// Hears of the share of the space that is decided, and of the best so far.
  std::function<void(const std::string&)> progress;
};

/// A plan that the search found.
struct Found {
  PlanCode code;
  double analytic = 0;              ///< seconds, without contention: a floor of `simulated`
  std::optional<double> simulated;  ///< seconds; nothing: was not simulated
};

/// What a search found out.
struct Outcome {
  double plans = 0;  ///< of the space
  Counts counts;     ///< add up to `plans`
  double units = 0;
  double units_skipped = 0;  ///< by their floor alone
  int simulated = 0;         ///< plans
  int too_large = 0;         ///< of those, which did not fit after all
  std::vector<Found> best;   ///< that fit: the simulated ones by their step, then by `analytic`
  /// No plan of the space is faster when simulated: the least of what was not looked at closer, and
  /// of the best. Equal to the step of the best: it is proven.
  double bound = 0;

  bool proven() const {
    return !best.empty() && best.front().simulated && bound >= *best.front().simulated;
  }
  /// By how much, of the best, a better plan could still undercut it.
  double gap() const {
    return best.empty() || !best.front().simulated ? 1 : 1 - bound / *best.front().simulated;
  }
};

/// The best plans of a space by the analytic engine, found exactly by branch and bound; then
/// simulated, the most promising first, until none of the others can be faster, for the analytic
/// step is a floor of the simulated one. The answer is the same whatever the crew: work goes out in
/// rounds of fixed size, and what is known at the beginning of a round is what its tasks know.
Outcome search(const Explorer& explorer, const Crew& crew, const Options& options);

}  // namespace sim::search
