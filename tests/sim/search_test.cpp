#include "sim/search/search.hpp"

#include <algorithm>
#include <map>

#include "calibrate/hardware_profile.hpp"
#include "sim/search/summary.hpp"
#include "tests/sim/random_step.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace sim::search {
namespace {

const std::string scenarios = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/";

/// A model on a cluster, with prices, and a plan to begin with.
struct Subject {
  explicit Subject(const std::string& name, std::int64_t batch)
      : model(strategies::shipped_model(name)),
        cluster(*topology::cluster_from("nodes: {type: dgx-h100, count: 2}\n"
                                        "fabric: {kind: rail_optimized}\n")),
        profile(std::move(*calibrate::make_hardware_profile(
            cluster.gpu_spec(0), scenarios + "hardware", {.step_gpus = 16}))) {
    base.global_batch = batch;
    base.sequence = 2048;
    REQUIRE(!base::has_errors(strategies::check_plan(base, model, 16, {})));
  }
  Space space() const { return default_space(model, base, cluster, 16); }

  strategies::ModelSpec model;
  topology::Cluster cluster;
  std::unique_ptr<calibrate::Profile> profile;
  strategies::Plan base;
};

/// Does tasks here, and makes up simulations: each plan takes a share longer than the analytic
/// engine says, `slower(code)`.
struct Team {
  Team(const Subject& of, const Space& in)
      : subject(of),
        space(in),
        gpus(in_order(of.cluster.gpu_count())),
        explorer(space, subject.model, subject.cluster, *subject.profile, gpus),
        estimator(subject.model, subject.cluster, *subject.profile, gpus) {}

  double analytic(const PlanCode& code) {
    strategies::Plan plan = space.plan(code);
    REQUIRE(!base::has_errors(strategies::check_plan(plan, subject.model, 16, {})));
    return estimator.step(plan).s();
  }

  Answer answer(const Task& task) {
    Answer made;
    ++asked[task.kind];
    switch (task.kind) {
      case Task::Kind::floor: made.number = explorer.floor(task.code); break;
      case Task::Kind::explore:
        made.unit = explorer.explore(task.code, task.limit, task.reserve, task.slowdown);
        break;
      case Task::Kind::slow: made.number = explorer.slowdown(task.code, task.limit); break;
      case Task::Kind::check: made.check = {fits(task.code), uncounted, 1000}; break;
      case Task::Kind::confirm:
        made.forecast.fits = true;
        made.forecast.step = base::Seconds::from_s(analytic(task.code) * slower(task.code));
        break;
    }
    return made;
  }
  Crew crew() {
    return [this](const std::vector<Task>& tasks) {
      std::vector<Answer> answers(tasks.size());
      // Not in order: nothing may depend on who comes first.
      for (std::size_t i = tasks.size(); i-- > 0;) answers[i] = answer(tasks[i]);
      return answers;
    };
  }

  const Subject& subject;
  const Space& space;
  std::vector<topology::GpuId> gpus;
  Explorer explorer;
  Estimator estimator;
  std::function<double(const PlanCode&)> slower = [](const PlanCode&) { return 1.01; };
  std::function<bool(const PlanCode&)> fits = [](const PlanCode&) { return true; };
  base::Bytes uncounted;
  std::map<Task::Kind, int> asked;
};

/// Every plan of the space, each once, by going through all codes: the slow and obvious way.
std::vector<Candidate> all_plans(const Space& space, Team& team, base::Bytes capacity,
                                 double& count) {
  std::vector<Candidate> found;
  PlanCode code;
  const std::function<void(int, strategies::Plan)> go = [&](int next,
                                                            const strategies::Plan& so_far) {
    if (next == axis_count) {
      ++count;
      strategies::Plan plan = so_far;
      if (base::has_errors(strategies::check_plan(plan, team.subject.model, 16, {}))) return;
      if (team.estimator.memory(plan) > capacity) return;
      found.push_back({code, team.estimator.step(plan).s()});
      return;
    }
    const auto axis = static_cast<Axis>(next);
    for (int i = 0; i < (matters(axis, so_far) ? space.size(axis) : 1); ++i) {
      strategies::Plan plan = so_far;
      space.apply(axis, i, plan);
      code[axis] = static_cast<std::uint16_t>(i);
      go(next + 1, plan);
    }
    code[axis] = 0;
  };
  strategies::Plan plan = space.base;
  plan.data = 0;
  go(0, plan);
  std::sort(found.begin(), found.end());
  return found;
}

/// One order of ranks, so that no two codes are one plan.
Space small_space(const Subject& subject) {
  Space space = subject.space();
  space.of(Axis::rank_order).resize(1);
  space.of(Axis::micro_batch) = {1, 2};
  space.of(Axis::virtual_stages) = {2, 4};
  space.of(Axis::data_replicate) = {1, 2};
  space.of(Axis::bucket) = {0, 25 << 20};
  return space;
}

TEST_CASE("a search finds the best plans of a space that was gone through one by one") {
  const auto [name, batch] = GENERATE(std::pair("llama-3.1-8b", 32), std::pair("mixtral-8x7b", 64));
  const Subject subject(name, batch);
  const Space space = small_space(subject);
  Team team(subject, space);
  double count = 0;
  const std::vector<Candidate> all =
      all_plans(space, team, subject.cluster.gpu_spec(0).memory, count);
  REQUIRE(all.size() > kept_candidates);

  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 0});
  CHECK(outcome.plans == count);
  CHECK(outcome.counts.all() == count);
  CHECK(outcome.counts.estimated < static_cast<double>(all.size()));  // or nothing was pruned
  CHECK(outcome.proven());
  REQUIRE(outcome.best.size() == kept_candidates);
  for (std::size_t i = 0; i < outcome.best.size(); ++i) {
    CHECK(outcome.best[i].code == all[i].code);
    CHECK(outcome.best[i].estimated == Approx(all[i].step));
  }
}

TEST_CASE("simulating goes on until no other plan can be faster") {
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  // The best one by the analytic engine loses a tenth to contention, the others nothing.
  const Outcome plain = search(team.explorer, team.crew(), {.simulated_plans = 0});
  const PlanCode first = plain.best.front().code;
  team.slower = [&](const PlanCode& code) { return code == first ? 1.1 : 1.0; };
  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 64});
  CHECK(outcome.proven());
  CHECK(outcome.gap() == 0);
  CHECK(outcome.best.front().code == plain.best[1].code);
  CHECK(outcome.best.front().step() == Approx(plain.best[1].estimated));
  CHECK(outcome.simulated < 64);  // the second best is soon unbeatable
}

TEST_CASE("what was not simulated is in the gap") {
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  team.slower = [](const PlanCode&) { return 1.25; };
  const Outcome plain = search(team.explorer, team.crew(), {.simulated_plans = 0});
  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 2});
  CHECK(outcome.simulated == 2);
  CHECK_FALSE(outcome.proven());
  // The third takes at least its time without contention, t3; the best took 1.25 t1.
  CHECK(outcome.bound == plain.best[2].estimated);
  CHECK(outcome.gap() == Approx(1 - plain.best[2].estimated / (1.25 * plain.best[0].estimated)));
  CHECK(verdict(summarise(space, outcome)).find("% from the best of the space") !=
        std::string::npos);
  // Work instead of a number: a thousand a plan here, and at most a third of all for one.
  CHECK(search(team.explorer, team.crew(), {.simulated_work = 3500}).simulated == 3);
  CHECK(search(team.explorer, team.crew(), {.simulated_work = 2900}).simulated == 0);
}

TEST_CASE("contention that simulations show decides what is simulated next") {
  // What goes between them takes three times as long in every plan. The search then
  // comes to the plan that is best with collectives between nodes three times slower.
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  Estimator contended(subject.model, subject.cluster, *subject.profile, team.gpus);
  contended.slow_network(3);
  const auto step = [&](const PlanCode& code) {
    strategies::Plan plan = space.plan(code);
    REQUIRE(!base::has_errors(strategies::check_plan(plan, subject.model, 16, {})));
    return contended.step(plan).s();
  };
  team.slower = [&](const PlanCode& code) { return step(code) / team.analytic(code); };
  double count = 0;
  double best = std::numeric_limits<double>::infinity();
  for (const Candidate& one : all_plans(space, team, subject.cluster.gpu_spec(0).memory, count))
    best = std::min(best, step(one.code));
  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 20});
  CHECK(outcome.best.front().step() == Approx(best));
  CHECK(outcome.slowdown == Approx(3).epsilon(0.02));
}

TEST_CASE("rounds tell what was assumed, and how far apart the best and the bound still are") {
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  team.slower = [](const PlanCode&) { return 1.25; };
  const Outcome plain = search(team.explorer, team.crew(), {.simulated_plans = 0});
  REQUIRE(plain.rounds.size() == 1);  // nothing is simulated: the analytic engine has the last word
  CHECK(plain.rounds[0] ==
        Round{1, plain.counts, 0, 0, plain.best[0].estimated, plain.best[0].estimated});
  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 6});
  REQUIRE(outcome.rounds.size() > 1);
  CHECK(outcome.rounds[0].slowdown == 1);
  CHECK(outcome.rounds[0].simulated == 2);
  CHECK(outcome.rounds[0].counts == outcome.counts);
  // After the first round: the best took 1.25 t1, the third takes at least t3 without contention.
  CHECK(outcome.rounds[0].best == Approx(1.25 * plain.best[0].estimated));
  CHECK(outcome.rounds[0].bound == plain.best[2].estimated);
  for (std::size_t i = 1; i < outcome.rounds.size(); ++i) {
    const Round& round = outcome.rounds[i];
    CHECK(round.slowdown > 1);
    CHECK(round.counts.all() + round.undecided == outcome.plans);
    CHECK(round.simulated >= outcome.rounds[i - 1].simulated);
    CHECK(round.best <= outcome.rounds[i - 1].best);
    CHECK(round.bound >= outcome.rounds[i - 1].bound);
  }
  CHECK(outcome.rounds.back().simulated == outcome.simulated);
  CHECK(outcome.rounds.back().best == outcome.best.front().step());
  CHECK(outcome.rounds.back().bound == outcome.bound);
}

TEST_CASE("plans that do not fit after all make room for others") {
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  team.uncounted = base::Bytes::from_gib(20);
  const base::Bytes capacity = subject.cluster.gpu_spec(0).memory;
  team.fits = [&](const PlanCode& code) {
    strategies::Plan plan = space.plan(code);
    REQUIRE(!base::has_errors(strategies::check_plan(plan, subject.model, 16, {})));
    return team.estimator.memory(plan) + team.uncounted <= capacity;
  };
  const Outcome outcome = search(team.explorer, team.crew(), {.simulated_plans = 64});
  REQUIRE_FALSE(outcome.best.empty());
  for (const Found& one : outcome.best) CHECK(team.fits(one.code));
  double count = 0;
  for (const Candidate& one : all_plans(space, team, capacity - team.uncounted, count)) {
    CHECK(outcome.best.front().code == one.code);
    break;
  }
}

TEST_CASE("a search that is stopped tells what it did not come to") {
  const Subject subject("llama-3.1-8b", 32);
  const Space space = small_space(subject);
  Team team(subject, space);
  const Outcome whole = search(team.explorer, team.crew(), {.simulated_plans = 0});
  const Outcome outcome =
      search(team.explorer, team.crew(), {.simulated_plans = 0, .stop = [] { return true; }});
  CHECK(outcome.stopped);
  CHECK(outcome.best.empty());
  CHECK(outcome.undecided > 0);
  CHECK(outcome.plans == outcome.counts.all() + outcome.undecided);
  CHECK(outcome.plans == whole.plans);
  // All that is known then: floors.
  CHECK(outcome.bound > 0);
  CHECK(outcome.bound <= whole.best.front().step());
}

TEST_CASE("axes of a user take the place of those that are usual") {
  const Subject subject("llama-3.1-8b", 32);
  const auto set = compare::read_plan_set(
      "axes:\n  tensor_parallel: [2, 4]\n  schedule: [1f1b, zb-h1]\n  bucket: [40 MB]\n"
      "  overlap.gradient_reduce: [true]\n",
      "plans.yaml");
  REQUIRE(set);
  const auto space = with_axes(subject.space(), set->axes, set->file);
  REQUIRE(space);
  CHECK(space->of(Axis::tensor_parallel) == std::vector{2, 4});
  CHECK(space->of(Axis::bucket) == std::vector{40'000'000});
  CHECK(text_of(Axis::schedule, space->of(Axis::schedule)[1]) == "zb-h1");

  const auto wrong = compare::read_plan_set(
      "axes:\n  tensor_parallel: [2, many]\n  optimizer.kind: [adam]\n", "plans.yaml");
  REQUIRE(wrong);
  const auto mistakes = with_axes(subject.space(), wrong->axes, wrong->file);
  REQUIRE_FALSE(mistakes);
  REQUIRE(mistakes.error().size() == 2);
  CHECK(mistakes.error()[0].format() == "plans.yaml:2:24: error: 'many' is not a degree");
  CHECK(mistakes.error()[1].message == "a search does not vary 'optimizer.kind'");
}

TEST_CASE("plans of a space are such as a file can have") {
  Subject subject("llama-3.1-8b", 32);
  subject.base.ddp.buckets = strategies::BucketPolicy::best_fit;  // DDP's only
  subject.base.sync = strategies::GradientSync::none;
  subject.base.offload.optimizer = true;  // up to ZeRO-2
  subject.base.recompute = strategies::Recompute::full;
  subject.base.recompute_every = 2;
  subject.base.sequence_parallel = true;
  subject.base.tensor = 2;
  subject.base.overlap.tensor = strategies::TensorOverlap::parts;
  const Space space = subject.space();
  PlanCode code;
  code[Axis::tensor_parallel] = 1;
  code[Axis::recompute] = 2;
  const strategies::Plan ddp = space.plan(code);
  CHECK(ddp.ddp.buckets == strategies::BucketPolicy::best_fit);
  CHECK(ddp.sync == strategies::GradientSync::none);
  CHECK(ddp.recompute_every == 2);
  CHECK(ddp.overlap.tensor == strategies::TensorOverlap::parts);
  code[Axis::zero] = 2;
  code[Axis::recompute] = 0;
  code[Axis::tensor_parallel] = 0;
  const strategies::Plan zero2 = space.plan(code);
  CHECK(zero2.ddp.buckets == strategies::BucketPolicy::megatron);
  CHECK_FALSE(zero2.sync.has_value());
  CHECK(zero2.offload.optimizer);
  CHECK(zero2.recompute_every == 1);
  CHECK(zero2.overlap.tensor == strategies::TensorOverlap::none);
  code[Axis::zero] = 3;
  CHECK_FALSE(space.plan(code).offload.optimizer);
}

TEST_CASE("where cells run at once no floor is made of single ones") {
  Subject subject("mixtral-8x7b", 64);
  subject.base.overlap.expert = true;
  Space space = small_space(subject);
  Team team(subject, space);
  Counts counts;
  CHECK(team.explorer.floor(team.explorer.units(counts).front()) == 0);
  subject.base.overlap.expert = false;
  space = small_space(subject);
  space.of(Axis::schedule) = {static_cast<int>(strategies::ScheduleKind::dualpipe_v)};
  Team pipes(subject, space);
  CHECK(pipes.explorer.floor(pipes.explorer.units(counts).front()) == 0);
}

TEST_CASE("orders of ranks that put them in the same places are one") {
  const Subject subject("llama-3.1-8b", 32);
  Space space = small_space(subject);
  space.of(Axis::rank_order) = subject.space().of(Axis::rank_order);
  REQUIRE(space.size(Axis::rank_order) == 2);
  space.of(Axis::pipeline_parallel) = {1};
  Team team(subject, space);
  Counts counts;
  for (const PlanCode& unit : team.explorer.units(counts)) CHECK(unit[Axis::rank_order] == 0);
}

}  // namespace
}  // namespace sim::search
