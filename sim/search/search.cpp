#include "sim/search/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
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

class Search {
 public:
  Search(const Explorer& explorer, const Crew& crew, const Options& options)
      : explorer_(explorer), crew_(crew), options_(options) {}

  Outcome run() {
    const std::vector<Unit> units = units_by_floor();
    outcome_.units = static_cast<int>(units.size());
    std::vector<Candidate> fitting = fitting_of(units);
    const std::vector<Candidate> alone = fitting;  // what they take without contention
    outcome_.plans = outcome_.counts.all() + outcome_.undecided;
    const Counts counts = outcome_.counts;
    bool goes_on = simulate(fitting);
    end_round(alone, fitting);
    while (goes_on && !stopped()) {
      outcome_.slowdown = slowdown();
      fitting = fitting_of(units);
      goes_on = simulate(fitting);
      end_round(alone, fitting);
    }
    const int simulated = outcome_.simulated;
    simulate_what_may_be_faster(alone);
    if (outcome_.simulated > simulated) end_round(alone, fitting);
    outcome_.counts = counts;
    finish(alone, fitting);
    return std::move(outcome_);
  }

 private:
  std::vector<Answer> ask(const std::vector<Task>& tasks) {
    std::vector<Answer> answers = crew_(tasks);
    CHECK_INVARIANT(answers.size() == tasks.size());
    return answers;
  }

  bool stopped() { return outcome_.stopped = outcome_.stopped || options_.stop(); }

  std::vector<Unit> units_by_floor() {
    options_.progress(Step::bounding, 0);
    const std::vector<PlanCode> codes = explorer_.units(refused_);
    std::vector<Task> tasks;
    for (const PlanCode& code : codes) tasks.push_back({Task::Kind::floor, code});
    const std::vector<Answer> answers = ask(tasks);
    std::vector<Unit> units;
    for (std::size_t i = 0; i < codes.size(); ++i) units.push_back({codes[i], answers[i].number});
    std::stable_sort(units.begin(), units.end(),
                     [](const Unit& a, const Unit& b) { return a.floor < b.floor; });
    return units;
  }

  /// The best candidates of all units, those with the least floor first.
  Best explore(const std::vector<Unit>& units, base::Bytes reserve) {
    outcome_.counts = refused_;
    outcome_.undecided = 0;
    Best best;
    std::size_t next = 0;
    while (next < units.size() && units[next].floor <= best.limit() && !stopped()) {
      options_.progress(Step::exploring,
                        static_cast<double>(next) / static_cast<double>(units.size()));
      std::vector<Task> tasks;
      for (; next < units.size() && tasks.size() < explored_at_once &&
             units[next].floor <= best.limit();
           ++next)
        tasks.push_back(
            {Task::Kind::explore, units[next].code, best.limit(), reserve, outcome_.slowdown});
      for (const Answer& answer : ask(tasks)) {
        outcome_.counts += answer.unit.counts;
        for (int i = 0; i < answer.unit.best.count(); ++i) best.add(answer.unit.best[i]);
      }
    }
    const bool done = next == units.size() || units[next].floor > best.limit();
    if (!done) not_seen_ = std::min(not_seen_, units[next].floor);
    if (outcome_.slowdown == 1) not_seen_ = std::min(not_seen_, best.limit());
    for (; next < units.size(); ++next)
      (done ? outcome_.counts.slower : outcome_.undecided) +=
          explorer_.plans_of_unit(units[next].code);
    return best;
  }

  /// The best candidates that fit. When all that look best fail by what a floor of memory cannot
  /// see, those that keep as much free; what lies between is not seen.
  std::vector<Candidate> fitting_of(const std::vector<Unit>& units) {
    Best best = explore(units, reserve_);
    std::vector<Candidate> fitting = check(best);
    if (!fitting.empty() || best.count() == 0 || outcome_.stopped) return fitting;
    reserve_ = uncounted_;
    return check(explore(units, reserve_));
  }

  /// Those that fit. Each plan is looked at once.
  std::vector<Candidate> check(const Best& best) {
    options_.progress(Step::checking, 0);
    std::vector<Task> tasks;
    for (int i = 0; i < best.count(); ++i)
      if (!checks_.contains(best[i].code)) tasks.push_back({Task::Kind::check, best[i].code});
    const std::vector<Answer> answers = ask(tasks);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      checks_.emplace(tasks[i].code, answers[i].check);
      uncounted_ = std::max(uncounted_, answers[i].check.uncounted);
      outcome_.too_large += answers[i].check.fits ? 0 : 1;
    }
    outcome_.kept = static_cast<int>(checks_.size());
    std::vector<Candidate> fitting;
    for (int i = 0; i < best.count(); ++i)
      if (checks_.at(best[i].code).fits) fitting.push_back(best[i]);
    return fitting;
  }

  bool affordable(const PlanCode& code) const {
    if (options_.simulated_plans) return outcome_.simulated < *options_.simulated_plans;
    const double work = checks_.at(code).work;
    return work <= options_.simulated_work / 3 && work_ + work <= options_.simulated_work;
  }

  /// Simulates those of the best two that were not yet, as far as that can be afforded. Whether
  /// there were any.
  bool simulate(const std::vector<Candidate>& fitting) {
    constexpr std::size_t best = 2;
    std::vector<PlanCode> codes;
    for (std::size_t i = 0; i < std::min(best, fitting.size()); ++i) add(fitting[i].code, codes);
    play(codes);
    return !codes.empty();
  }

  void add(const PlanCode& code, std::vector<PlanCode>& codes) {
    if (forecasts_.contains(code) || !affordable(code)) return;
    codes.push_back(code);
    work_ += checks_.at(code).work;
    ++outcome_.simulated;
  }

  void play(const std::vector<PlanCode>& codes) {
    options_.progress(Step::simulating, 0);
    std::vector<Task> tasks;
    for (const PlanCode& code : codes) tasks.push_back({Task::Kind::confirm, code});
    std::vector<Answer> answers = ask(tasks);
    for (std::size_t i = 0; i < codes.size(); ++i)
      forecasts_.emplace(codes[i], std::move(answers[i].forecast));
  }

  double fastest() const {
    double fastest = std::numeric_limits<double>::infinity();
    for (const auto& [code, forecast] : forecasts_)
      if (forecast.fits) fastest = std::min(fastest, forecast.step.s());
    return fastest;
  }

  /// While there is means left: the plans that are faster without contention than the fastest is
  /// with it.
  void simulate_what_may_be_faster(const std::vector<Candidate>& alone) {
    std::size_t next = 0;
    while (next < alone.size() && alone[next].step < fastest() && !stopped()) {
      std::vector<PlanCode> codes;
      for (;
           next < alone.size() && codes.size() < simulated_at_once && alone[next].step < fastest();
           ++next)
        add(alone[next].code, codes);
      if (!codes.empty()) play(codes);
    }
  }

  /// The mean over the plans that were simulated.
  double slowdown() {
    std::vector<Task> tasks;
    for (const auto& [code, forecast] : forecasts_)
      tasks.push_back({Task::Kind::slow, code, forecast.step.s()});
    double sum = 0;
    for (const Answer& answer : ask(tasks)) sum += answer.number;
    return std::max(1.0, sum / static_cast<double>(tasks.size()));
  }

  /// No plan takes less: neither one that was not looked at nor one that was not simulated.
  double bound(const std::vector<Candidate>& alone) const {
    double bound = not_seen_;
    for (const Candidate& one : alone)
      if (!forecasts_.contains(one.code)) bound = std::min(bound, one.step);
    return bound;
  }

  void end_round(const std::vector<Candidate>& alone, const std::vector<Candidate>& fitting) {
    double best = fastest();
    if (std::isinf(best) && !fitting.empty()) best = fitting.front().step;
    outcome_.rounds.push_back({outcome_.slowdown, outcome_.counts, outcome_.undecided,
                               outcome_.simulated, best, std::min(bound(alone), best)});
  }

  void finish(const std::vector<Candidate>& alone, const std::vector<Candidate>& last) {
    for (auto& [code, forecast] : forecasts_) {
      // Ranks that wait for each other may hold more than the analytic engine sees.
      if (!forecast.fits)
        ++outcome_.too_large;
      else
        outcome_.best.push_back({code, forecast.step.s(), forecast});
    }
    std::stable_sort(outcome_.best.begin(), outcome_.best.end(),
                     [](const Found& a, const Found& b) { return a.step() < b.step(); });
    for (const Candidate& one : last)
      if (!forecasts_.contains(one.code)) outcome_.best.push_back({one.code, one.step, {}});
    outcome_.bound = bound(alone);
    if (!outcome_.best.empty())
      outcome_.bound = std::min(outcome_.bound, outcome_.best.front().step());
  }

  const Explorer& explorer_;
  const Crew& crew_;
  const Options& options_;
  Outcome outcome_;
  Counts refused_;  // before anything is explored
  std::map<PlanCode, Check> checks_;
  std::map<PlanCode, compare::PlanForecast> forecasts_;  // of simulations
  base::Bytes uncounted_;                                // the most in any plan
  base::Bytes reserve_;
  double work_ = 0;  // of all simulations so far
  /// Plans that nobody looked at take at least so long, without contention.
  double not_seen_ = std::numeric_limits<double>::infinity();
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
