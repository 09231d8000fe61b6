#include "sim/search/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "base/quantity.hpp"

namespace sim::search {

namespace {

/// Tasks that go out at once. More would know less of each other, fewer would leave workers idle.
constexpr std::size_t round_size = 16;

/// Goes through tasks in rounds until `more` says that the next need not be done.
class Rounds {
 public:
  Rounds(const Crew& crew, const std::function<void(const std::string&)>& progress)
      : crew_(crew), progress_(progress) {}

  std::vector<Answer> run(const std::vector<Task>& tasks) {
    const std::vector<Answer> answers = crew_(tasks);
    CHECK_INVARIANT(answers.size() == tasks.size());
    return answers;
  }
  void say(const std::string& text) const {
    if (progress_) progress_(text);
  }

 private:
  const Crew& crew_;
  const std::function<void(const std::string&)>& progress_;
};

struct Unit {
  PlanCode code;
  double floor = 0;
};

/// All units, the one with the least floor first.
std::vector<Unit> units_by_floor(const Explorer& explorer, Rounds& rounds, Outcome& outcome) {
  const std::vector<PlanCode> codes = explorer.units(outcome.counts);
  std::vector<Task> tasks;
  for (const PlanCode& code : codes) tasks.push_back({Task::Kind::floor, code, 0});
  rounds.say(fmt::format("bounding {} parts of the space", codes.size()));
  const std::vector<Answer> answers = rounds.run(tasks);
  std::vector<Unit> units;
  for (std::size_t i = 0; i < codes.size(); ++i) units.push_back({codes[i], answers[i].floor});
  std::stable_sort(units.begin(), units.end(),
                   [](const Unit& a, const Unit& b) { return a.floor < b.floor; });
  return units;
}

/// The best candidates of all units.
Best explore(const Explorer& explorer, const std::vector<Unit>& units, Rounds& rounds,
             Outcome& outcome) {
  Best best;
  std::size_t next = 0;
  while (next < units.size() && units[next].floor <= best.limit()) {
    std::vector<Task> tasks;
    for (; next < units.size() && tasks.size() < round_size; ++next)
      if (units[next].floor <= best.limit())
        tasks.push_back({Task::Kind::explore, units[next].code, best.limit()});
    for (const Answer& answer : rounds.run(tasks)) {
      outcome.counts += answer.unit.counts;
      for (int i = 0; i < answer.unit.best.count(); ++i) best.add(answer.unit.best[i]);
    }
    rounds.say(fmt::format("{} of {} parts explored, best so far {}", next, units.size(),
                           best.count() > 0
                               ? base::format_seconds(base::Seconds::from_s(best[0].step))
                               : std::string("none")));
  }
  outcome.units_skipped = static_cast<double>(units.size() - next);
  for (; next < units.size(); ++next)
    outcome.counts.slower += explorer.plans_of_unit(units[next].code);
  return best;
}

/// Simulates candidates from the best on. Fills `best`, `simulated`, `too_large` and `bound`.
void confirm(const Best& candidates, Rounds& rounds, const Options& options, Outcome& outcome) {
  double fastest = std::numeric_limits<double>::infinity();
  int next = 0;
  while (next < candidates.count() && outcome.simulated < options.confirm &&
         candidates[next].step < fastest) {
    std::vector<Task> tasks;
    const int first = next;
    for (; next < candidates.count() && outcome.simulated < options.confirm &&
           tasks.size() < round_size && candidates[next].step < fastest;
         ++next, ++outcome.simulated)
      tasks.push_back({Task::Kind::confirm, candidates[next].code, 0});
    const std::vector<Answer> answers = rounds.run(tasks);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const Candidate& candidate = candidates[first + static_cast<int>(i)];
      const Confirmation& seen = answers[i].confirmation;
      if (!seen.fits) {
        ++outcome.too_large;
        continue;
      }
      outcome.best.push_back({candidate.code, candidate.step, seen.step});
      fastest = std::min(fastest, seen.step);
    }
    rounds.say(fmt::format("{} plans simulated", outcome.simulated));
  }
  std::stable_sort(outcome.best.begin(), outcome.best.end(),
                   [](const Found& a, const Found& b) { return *a.simulated < *b.simulated; });
  outcome.bound = std::min(fastest, candidates.limit());
  if (next < candidates.count()) outcome.bound = std::min(outcome.bound, candidates[next].step);
  for (; next < candidates.count(); ++next)
    outcome.best.push_back({candidates[next].code, candidates[next].step, std::nullopt});
}

}  // namespace

Outcome search(const Explorer& explorer, const Crew& crew, const Options& options) {
  Outcome outcome;
  Rounds rounds(crew, options.progress);
  const std::vector<Unit> units = units_by_floor(explorer, rounds, outcome);
  outcome.units = static_cast<double>(units.size());
  const Best best = explore(explorer, units, rounds, outcome);
  outcome.plans = outcome.counts.all();
  confirm(best, rounds, options, outcome);
  return outcome;
}

}  // namespace sim::search
