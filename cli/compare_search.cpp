#include "cli/compare_search.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <csignal>
#include <memory>
#include <set>
#include <utility>

#include "base/quantity.hpp"
#include "cli/crew/crew.hpp"
#include "cli/forecast.hpp"
#include "cli/plan_search.hpp"
#include "cli/progress.hpp"
#include "cli/search_journal.hpp"

namespace cli {

namespace {

using sim::compare::PlanForecast;
using sim::search::Found;
using sim::search::Outcome;
using sim::search::Space;

// --- interruption --------------------------------------------------------------------------------

volatile std::sig_atomic_t interrupted = 0;

/// While it lives, the first SIGINT is only noted; a second one ends the program.
class Interruption {
 public:
  Interruption() {
    interrupted = 0;
    struct sigaction note {};
    note.sa_handler = [](int) { interrupted = 1; };
    note.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &note, &before_);
  }
  ~Interruption() { sigaction(SIGINT, &before_, nullptr); }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

 private:
  struct sigaction before_ {};
};

// --- what is told --------------------------------------------------------------------------------

std::string text_of(const Space& space) {
  std::string text;
  for (int i = 0; i < sim::search::axis_count; ++i) {
    const auto axis = static_cast<sim::search::Axis>(i);
    text += fmt::format("{}: {}\n", key_of(axis), fmt::join(space.of(axis), " "));
  }
  return text;
}

/// What a search varies most, in few words: "tp 4 + sp, pp 4 x 8, dp 32, zero 2, mb 2, selective".
std::string short_name(const strategies::Plan& plan) {
  std::string name = fmt::format("tp {}{}, pp {}", plan.tensor,
                                 plan.sequence_parallel ? " + sp" : "", plan.pipeline);
  if (plan.virtual_stages > 1) name += fmt::format(" x {}", plan.virtual_stages);
  if (plan.context.degree > 1) name += fmt::format(", cp {}", plan.context.degree);
  if (plan.expert.degree > 1) name += fmt::format(", ep {}", plan.expert.degree);
  name += fmt::format(", dp {}", plan.data);
  if (plan.data_replicate > 1) name += fmt::format(" / {}", plan.data_replicate);
  name += fmt::format(", zero {}, mb {}", plan.zero, plan.micro_batch);
  if (plan.recompute == strategies::Recompute::selective) name += ", selective";
  if (plan.recompute == strategies::Recompute::full) name += ", full";
  if (plan.pipeline > 1 && plan.schedule != strategies::ScheduleKind::one_f_one_b &&
      plan.schedule != strategies::ScheduleKind::interleaved)
    name += fmt::format(", {}", name_of(plan.schedule));
  strategies::Plan usual = plan;
  usual.bucket = {};
  strategies::choose_buckets(usual);
  if (plan.zero < 3 && plan.bucket != usual.bucket)
    name += fmt::format(", bucket {}", base::format_bytes(plan.bucket));
  if (!plan.overlap.gradient_reduce) name += ", reduced at the end";
  if (plan.zero > 0 && !plan.overlap.parameter_gather) name += ", gathered late";
  return name;
}

FoundPlans found_plans(const PlanSearch& search, const Outcome& outcome, std::size_t shown) {
  FoundPlans found;
  found.summary = summarise(search.space(), outcome);
  std::set<std::string> names;
  for (const Found& one : outcome.best) {
    const strategies::Plan plan = search.plan(one.code);
    const std::string name = short_name(plan);
    if (one.simulated) {
      PlanForecast forecast = *one.simulated;
      forecast.plan = plan;
      forecast.name = name;
      found.simulated.push_back(std::move(forecast));
    } else if (found.simulated.empty() && found.estimated.size() < shown &&
               names.insert(name).second) {  // of plans that differ in trifles the best is enough
      found.estimated.push_back(
          {.name = name, .plan = plan, .gpu_hour = {}, .where = {}, .combination = true});
    }
  }
  return found;
}

sim::search::Options options_of(const SearchOptions& options, sim::Fidelity fidelity,
                                std::unique_ptr<Progress>& bar) {
  sim::search::Options made;
  made.simulated_plans = fidelity == sim::Fidelity::analytic ? 0 : options.simulate;
  made.progress = [&bar, at = std::optional<sim::search::Step>()](sim::search::Step step,
                                                                  double share) mutable {
    if (at != step) {
      bar.reset();  // wipes its line off before the next one draws
      bar = std::make_unique<Progress>(std::string(name_of(step)));
    }
    at = step;
    bar->update(share);
  };
  made.stop = [] { return interrupted != 0; };
  return made;
}

}  // namespace

std::string program_identity() {
  struct stat file {};
  if (stat("/proc/self/exe", &file) != 0) return FORESHARD_VERSION;
  return fmt::format("{} {} {}.{}", FORESHARD_VERSION, file.st_size, file.st_mtim.tv_sec,
                     file.st_mtim.tv_nsec);
}

base::Result<std::optional<FoundPlans>> search_plans(const sim::Scenario& scenario,
                                                     const calibrate::Calibrations& calibrations,
                                                     Space space, sim::Fidelity fidelity,
                                                     std::size_t shown,
                                                     const SearchOptions& options) {
  const auto profile = profile_for(scenario, calibrations);
  if (!profile) return tl::unexpected(profile.error());
  const std::string identity = options.identity + text_of(space);
  PlanSearch search(scenario, calibrations, *profile->profile, std::move(space), fidelity);
  const Work work = [&search](const std::string& piece) { return search.perform(piece); };
  const std::optional<CrewMember> member = CrewMember::join();
  if (member && !member->leads()) {
    member->follow(work);
    member->leave();
    return std::optional<FoundPlans>();
  }
  std::optional<SearchJournal> journal;
  if (!options.state.empty()) {
    auto opened = SearchJournal::open(options.state, identity);
    if (!opened) {
      if (member) member->leave();
      return tl::unexpected(opened.error());
    }
    journal = std::move(*opened);
  }
  Workers workers = member ? member->workers() : workers_here(work);
  if (journal) workers = journal->before(std::move(workers));
  std::unique_ptr<Progress> bar;
  const Interruption interruption;
  const Outcome outcome = search.run(workers, options_of(options, fidelity, bar));
  bar.reset();
  if (member) member->leave();
  return std::optional(found_plans(search, outcome, shown));
}

}  // namespace cli
