#include "sim/search/search.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.hpp"

namespace sim::search {

namespace {

/// Tasks that go out at once: with more of them they would know less of each other, with fewer
/// workers would be idle.
constexpr std::size_t explored_at_once = 16;
constexpr std::size_t simulated_at_once = 8;

struct Unit {
  PlanCode code;
  double floor = 0;
};

/// A candidate that was looked at closer.
struct Checked {
  Candidate candidate;
  Check check;
};

class Search {
 public:
  Search(const Explorer& explorer, const Crew& crew, const Options& options)
      : explorer_(explorer), crew_(crew), options_(options) {}

  Outcome run() {
    outcome_.bound = std::numeric_limits<double>::infinity();
    const std::vector<Unit> units = units_by_floor();
    outcome_.units = static_cast<int>(units.size());
    Best best = explore(units, {});
    std::vector<Checked> fitting = check(best);
    if (fitting.empty() && best.count() > 0 && !outcome_.stopped) {
      // All that looked best fail by what a floor of memory cannot see. What lies between them and
      // those that keep that much free is not decided.
      not_below(best.limit());
      best = explore(units, uncounted_);
      fitting = check(best);
    }
    outcome_.plans = outcome_.counts.all() + outcome_.undecided;
    not_below(best.limit());
    simulate(fitting);
    return std::move(outcome_);
  }

 private:
  std::vector<Answer> ask(const std::vector<Task>& tasks) {
    std::vector<Answer> answers = crew_(tasks);
    CHECK_INVARIANT(answers.size() == tasks.size());
    return answers;
  }

  /// Plans that nobody looks at any more take at least so long.
  void not_below(double step) { outcome_.bound = std::min(outcome_.bound, step); }

  bool stopped() { return outcome_.stopped = outcome_.stopped || options_.stop(); }

  std::vector<Unit> units_by_floor() {
    options_.progress(Step::bounding, 0);
    const std::vector<PlanCode> codes = explorer_.units(refused_);
    std::vector<Task> tasks;
    for (const PlanCode& code : codes) tasks.push_back({Task::Kind::floor, code, 0, {}});
    const std::vector<Answer> answers = ask(tasks);
    std::vector<Unit> units;
    for (std::size_t i = 0; i < codes.size(); ++i) units.push_back({codes[i], answers[i].floor});
    std::stable_sort(units.begin(), units.end(),
                     [](const Unit& a, const Unit& b) { return a.floor < b.floor; });
    return units;
  }

  /// The best candidates of all units, those with the least floor first.
  Best explore(const std::vector<Unit>& units, base::Bytes reserve) {
    outcome_.counts = refused_;
    Best best;
    std::size_t next = 0;
    while (next < units.size() && units[next].floor <= best.limit() && !stopped()) {
      options_.progress(Step::exploring,
                        static_cast<double>(next) / static_cast<double>(units.size()));
      std::vector<Task> tasks;
      for (; next < units.size() && tasks.size() < explored_at_once &&
             units[next].floor <= best.limit();
           ++next)
        tasks.push_back({Task::Kind::explore, units[next].code, best.limit(), reserve});
      for (const Answer& answer : ask(tasks)) {
        outcome_.counts += answer.unit.counts;
        for (int i = 0; i < answer.unit.best.count(); ++i) best.add(answer.unit.best[i]);
      }
    }
    const bool done = next == units.size() || units[next].floor > best.limit();
    if (!done) not_below(units[next].floor);
    for (; next < units.size(); ++next)
      (done ? outcome_.counts.slower : outcome_.undecided) +=
          explorer_.plans_of_unit(units[next].code);
    return best;
  }

  /// Those that fit.
  std::vector<Checked> check(const Best& best) {
    options_.progress(Step::checking, 0);
    outcome_.kept += best.count();
    std::vector<Task> tasks;
    for (int i = 0; i < best.count(); ++i)
      tasks.push_back({Task::Kind::check, best[i].code, 0, {}});
    const std::vector<Answer> answers = ask(tasks);
    std::vector<Checked> fitting;
    for (int i = 0; i < best.count(); ++i) {
      const Check& seen = answers[static_cast<std::size_t>(i)].check;
      uncounted_ = std::max(uncounted_, seen.uncounted);
      if (seen.fits)
        fitting.push_back({best[i], seen});
      else
        ++outcome_.too_large;
    }
    return fitting;
  }

  bool affordable(const Checked& one) const {
    return options_.simulated_plans ? outcome_.simulated < *options_.simulated_plans
                                    : work_ + one.check.work <= options_.simulated_work;
  }

  /// From the best on, until none of the others can be faster.
  void simulate(const std::vector<Checked>& fitting) {
    double fastest = std::numeric_limits<double>::infinity();
    std::size_t next = 0;
    const auto worthwhile = [&] {
      return next < fitting.size() && fitting[next].candidate.step < fastest &&
             affordable(fitting[next]);
    };
    while (worthwhile() && !stopped()) {
      options_.progress(Step::simulating, share_simulated(next, fitting.size()));
      std::vector<Task> tasks;
      const std::size_t first = next;
      for (; worthwhile() && tasks.size() < simulated_at_once; ++next, ++outcome_.simulated) {
        tasks.push_back({Task::Kind::confirm, fitting[next].candidate.code, 0, {}});
        work_ += fitting[next].check.work;
      }
      std::vector<Answer> answers = ask(tasks);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        compare::PlanForecast& seen = answers[i].forecast;
        // Ranks that wait for each other may hold more than the analytic engine sees.
        if (!seen.fits) {
          ++outcome_.too_large;
          continue;
        }
        fastest = std::min(fastest, seen.step.s());
        const Candidate& candidate = fitting[first + i].candidate;
        outcome_.best.push_back({candidate.code, candidate.step, std::move(seen)});
      }
    }
    std::stable_sort(outcome_.best.begin(), outcome_.best.end(),
                     [](const Found& a, const Found& b) { return a.step() < b.step(); });
    if (next < fitting.size()) not_below(fitting[next].candidate.step);
    for (; next < fitting.size(); ++next)
      outcome_.best.push_back(
          {fitting[next].candidate.code, fitting[next].candidate.step, std::nullopt});
    if (!outcome_.best.empty()) not_below(outcome_.best.front().step());
  }

  double share_simulated(std::size_t next, std::size_t candidates) const {
    return options_.simulated_plans ? static_cast<double>(next) / static_cast<double>(candidates)
                                    : work_ / options_.simulated_work;
  }

  const Explorer& explorer_;
  const Crew& crew_;
  const Options& options_;
  Outcome outcome_;
  Counts refused_;  // before anything is explored
  base::Bytes uncounted_;
  double work_ = 0;  // of all simulations so far
};

}  // namespace

std::string_view name_of(Step step) {
  switch (step) {
    case Step::bounding: return "bounding";
    case Step::exploring: return "exploring";
    case Step::checking: return "checking";
    case Step::simulating: return "simulating";
  }
  return "?";
}

Outcome search(const Explorer& explorer, const Crew& crew, const Options& options) {
  return Search(explorer, crew, options).run();
}

}  // namespace sim::search
