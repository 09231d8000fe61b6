// Jobs that slow each other and wait for each other, worked out by hand and against `simulate`.

#include <random>

#include "tests/sim/contention_support.hpp"
#include "tests/sim/queue_support.hpp"

namespace sim::queue {
namespace {

using topology::GpuId;

TEST_CASE("two jobs on one uplink are as slow as the fluid formula says") {
  // Each asks for all of every uplink while it sends: sigma = 1 + a with a = s / (100 + s), s = 100
  // sigma: s^2 - 100 s - 10^4 = 0, s = 161.8 ms.
  const Tree tree = leaves({2, 2, 2, 2});
  Sharing sharing(tree);
  const Profile job = ring(4, 100, 100);
  const std::vector<int> even{0, 2, 4, 6};
  const std::vector<int> odd{1, 3, 5, 7};
  sharing.add(0, job, even, false);
  CHECK(sharing.settle() == std::vector<Sharing::JobId>{0});
  CHECK(sharing.step(0) * 1e3 == Approx(200));
  sharing.add(1, job, odd, false);
  CHECK(sharing.settle() == std::vector<Sharing::JobId>{0, 1});
  CHECK(sharing.step(0) * 1e3 == Approx(261.803));
  CHECK(sharing.step(1) * 1e3 == Approx(261.803));
  CHECK(sharing.step_without_others(1) * 1e3 == Approx(200));
  CHECK(sharing.links_of(0).size() == 8);
  sharing.remove(1);
  CHECK(sharing.settle() == std::vector<Sharing::JobId>{0});
  CHECK(sharing.step(0) * 1e3 == Approx(200));
}

TEST_CASE("jobs under leaves of their own do not slow each other") {
  const Tree tree = leaves({2, 2, 2, 2});
  Sharing sharing(tree);
  const Profile job = ring(4, 100, 100);
  sharing.add(0, job, std::vector<int>{0, 1, 2, 3}, false);
  sharing.add(1, job, std::vector<int>{4, 5, 6, 7}, false);
  sharing.settle();
  CHECK(sharing.step(0) * 1e3 == Approx(200));
  CHECK(sharing.step(1) * 1e3 == Approx(200));
}

TEST_CASE("a job that crosses an uplink twice is slowed by itself, computing hides part of it") {
  // Ring 0-2-1-3 over two leaves: two flows out of each. Alone 100 ms become 200, of which 30 hide
  // behind computing that is there anyway.
  const Tree tree = leaves({2, 2});
  Sharing sharing(tree);
  const Profile job = ring(4, 100, 100, 8, 30);
  sharing.add(0, job, std::vector<int>{0, 2, 1, 3}, false);
  sharing.settle();
  CHECK(sharing.step(0) * 1e3 == Approx(270));
}

/// As in ensemble_test.cpp: computes, then an all-reduce that takes 100 ms alone.
StepGraph computing(double compute_ms) {
  StepBuilder step(1, 1, 4, 1, any_machine(4));
  const std::uint32_t kernels = step.task(0, TaskKind::run, Stream::compute,
                                          step.segment({StepBuilder::piece(compute_ms * 1e-3)}));
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(calibrate::Collective::all_reduce, strategies::Axis::data_shard,
                            3'200'000'000, cost_of_time(0, 100e-3)),
            {kernels});
  return step.graph();
}

TEST_CASE("the fluid formula comes near to steps that are played") {
  const topology::Cluster cluster = built(
      "nodes: {node: {base: dgx-h100, gpus: 1, nics: 1}, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 2, spines: 1}\n");
  const std::vector<GpuId> even{0, 2, 4, 6};
  const std::vector<GpuId> odd{1, 3, 5, 7};
  struct Row {
    double compute_ms;    // of the second job; the first computes 100 ms
    double played_ms[2];  // as in ensemble_test.cpp, and by the same reckoning
    double apart;         // relative, at most
  };
  // Equal jobs begin all their steps together: 300 ms, the worst of all phases. Moved apart by d
  // they take 300 - d, 200 from d = 100 on: 242 on average over all phases, 262 by the formula.
  const Row row = GENERATE(values<Row>({{100, {300, 300}, 0.13}, {200, {700.0 / 3, 350}, 0.05}}));
  StepGraph graphs[] = {computing(100), computing(row.compute_ms)};
  place_on(graphs[0], cluster, even);
  place_on(graphs[1], cluster, odd);
  const PlacedStep jobs[] = {{graphs[0], even}, {graphs[1], odd}};
  const Ensemble played = simulate(jobs, cluster, {}, 3);

  const Tree tree = tree_of(cluster);
  Sharing sharing(tree);
  const Profile first = profile_of(graphs[0], cluster, even, {4, 1});
  const Profile second = profile_of(graphs[1], cluster, odd, {4, 1});
  CHECK(first.alone() * 1e3 == Approx(200));
  CHECK(first.wire * 1e3 == Approx(100));
  CHECK(first.step_at(3) * 1e3 == Approx(400));
  REQUIRE(first.demand.demands.size() == 1);
  CHECK(first.demand.demands[0].bytes() == Approx(4 * 4.8e9));
  sharing.add(0, first, std::vector<int>{0, 2, 4, 6}, false);
  sharing.add(1, second, std::vector<int>{1, 3, 5, 7}, false);
  sharing.settle();
  for (std::uint32_t job = 0; job < 2; ++job) {
    INFO("job " << job);
    CHECK(played.jobs[job].step.ms() == Approx(row.played_ms[job]));
    CHECK(sharing.step(job) * 1e3 == Approx(row.played_ms[job]).epsilon(row.apart));
  }
}

// Waiting ----------------------------------------------------------------------------------------

QueueReport play(const Tree& tree, const std::vector<QueuedJob>& jobs,
                 const std::vector<Profile>& profiles, const char* policy = "best-fit",
                 bool backfill = false) {
  const std::vector<int> gpus(tree.nodes().domains.size(), 8);
  return simulate_queue(jobs, profiles, tree, gpus, *find_policy(policy), {.backfill = backfill});
}

TEST_CASE("jobs wait for all their nodes at once, in order of arrival") {
  // Four nodes. A: 3 nodes for 10 s; B: 2 nodes, comes at 1 s, 5 s long; C: 1 node, at 2 s, 4 s.
  // C could run beside A, but B is first: B and C begin at 10 s.
  const Tree tree = leaves({2, 2});
  const std::vector<Profile> profiles{ring(3, 1000, 0), ring(2, 1000, 0), ring(1, 1000, 0)};
  const std::vector<QueuedJob> jobs{{"a", 0, 10, 0, 0}, {"b", 1, 5, 0, 1}, {"c", 2, 4, 0, 2}};
  const QueueReport fifo = play(tree, jobs, profiles);
  CHECK(fifo.jobs[1].begin == Approx(10));
  CHECK(fifo.jobs[2].begin == Approx(10));
  CHECK(fifo.makespan == Approx(15));
  CHECK(fifo.queued_mean == Approx((0 + 9 + 8) / 3.0));
  CHECK(fifo.queued_median == Approx(8));
  CHECK(fifo.queued_p95 == Approx(9));
  CHECK(fifo.slowdown_mean == Approx(1));
  // 3 x 10 + 2 x 5 + 1 x 4 node seconds of 4 x 15.
  CHECK(fifo.utilisation == Approx(44.0 / 60));

  // With backfill C runs from 2 to 6 s: it ends before B could begin.
  const QueueReport filled = play(tree, jobs, profiles, "best-fit", true);
  CHECK(filled.jobs[2].begin == Approx(2));
  CHECK(filled.jobs[1].begin == Approx(10));
  CHECK(filled.makespan == Approx(15));

  // A C of 20 s would not end in time, but when A ends three nodes are free, and B needs two.
  std::vector<QueuedJob> longer = jobs;
  longer[2].steps = 20;
  CHECK(play(tree, longer, profiles, "best-fit", true).jobs[2].begin == Approx(2));
  // Of four nodes that B needs it would take one.
  std::vector<Profile> wide = profiles;
  wide[1] = ring(4, 1000, 0);
  const QueueReport held = play(tree, longer, wide, "best-fit", true);
  CHECK(held.jobs[1].begin == Approx(10));
  CHECK(held.jobs[2].begin == Approx(15));
}

TEST_CASE("more priority goes first") {
  const Tree tree = leaves({2});
  const std::vector<Profile> profiles{ring(2, 1000, 0)};
  const QueueReport report =
      play(tree, {{"a", 0, 10, 0, 0}, {"b", 1, 10, 0, 0}, {"c", 2, 10, 5, 0}}, profiles);
  CHECK(report.jobs[2].begin == Approx(10));
  CHECK(report.jobs[1].begin == Approx(20));
}

TEST_CASE("a job goes on at another speed when its neighbour ends") {
  // As above: 200 ms a step alone, 261.8 ms together. A has 100 steps, B comes at once with 50. B
  // ends at 50 x 0.2618 = 13.09 s, when A has done 50, too; its last 50 take 10 s.
  const Tree tree = leaves({2, 2, 2, 2});
  const std::vector<Profile> profiles{ring(4, 100, 100), ring(1, 1000, 0)};
  // Four small jobs hold a node under every leaf for an instant, so that A is spread.
  const QueueReport report =
      play(tree, {{"a", 0, 100, 0, 0}, {"b", 0, 50, 0, 0}}, profiles, "first-fit");
  CHECK(report.jobs[0].end == Approx(20));  // nodes 0 to 3, and B 4 to 7: they do not meet
  CHECK(report.links.empty());

  std::vector<QueuedJob> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back({"s", 0, i % 2 == 0 ? 1.0 : 2.0, 0, 1});
  jobs.push_back({"a", 0.5, 100, 0, 0});
  jobs.push_back({"b", 0.5, 50, 0, 0});
  const QueueReport spread = play(tree, jobs, profiles, "first-fit");
  CHECK(spread.jobs[8].begin == Approx(1));  // nodes 0, 2, 4, 6
  CHECK(spread.jobs[9].begin == Approx(2));  // 1, 3, 5, 7
  // A has done 5 steps by then. B: 50 x 0.2618 s; A: 45 left, 9 s.
  const double together = 50 * 0.261803;
  CHECK(spread.jobs[9].end == Approx(2 + together));
  CHECK(spread.jobs[8].end == Approx(2 + together + 45 * 0.2));
  CHECK(spread.jobs[9].ran() / spread.jobs[9].alone == Approx(1.309015));
  REQUIRE(spread.links_contended == 8);
  CHECK(spread.links[0].level == "leaf");
  CHECK(spread.links[0].seconds == Approx(together));
  CHECK(spread.links[0].jobs_at_once == 2);
}

TEST_CASE("fragmentation is what the largest free domain has of all free nodes") {
  // Leaves of 4 and 2 nodes. A takes the two: 4 of 4. B then takes 3 of the four, 1 of 1, until A
  // ends at 10 s: 2 of 3. At 20 s B ends.
  const Tree tree = leaves({4, 2});
  const std::vector<Profile> profiles{ring(2, 1000, 0), ring(3, 1000, 0)};
  const QueueReport report = play(tree, {{"a", 0, 10, 0, 0}, {"b", 4, 16, 0, 1}}, profiles);
  REQUIRE(report.fragmentation.size() == 1);
  CHECK(report.fragmentation[0].level == "leaf");
  CHECK(report.fragmentation[0].mean == Approx((4 * 1 + 6 * 1 + 10 * 2.0 / 3) / 20));
  CHECK(report.fragmentation[0].least == Approx(2.0 / 3));
}

TEST_CASE("of a long queue at most 200 samples are kept, evenly in time") {
  // One node for a second, every two seconds, a thousand times.
  const Tree tree = leaves({2});
  std::vector<QueuedJob> jobs;
  for (int i = 0; i < 1000; ++i) jobs.push_back({"j", 2.0 * i, 1, 0, 0});
  const QueueReport report = play(tree, jobs, {ring(1, 1000, 0)});
  CHECK(report.samples.size() <= 200);
  REQUIRE(report.samples.size() >= 100);
  const double apart = 2000.0 / static_cast<double>(report.samples.size());
  for (std::size_t i = 0; i < report.samples.size(); ++i) {
    CHECK(report.samples[i].time == Approx(apart * static_cast<double>(i)).margin(2 * apart));
    CHECK(report.samples[i].fragmentation.size() == 1);
  }
  CHECK(report.utilisation == Approx(1000.0 / (2 * 1999)));
}

TEST_CASE("whatever comes, every job runs once, in whole, and as long as it must") {
  const int seed = GENERATE(range(0, 20));
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto any = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  const Tree tree = tree_of(
      built("nodes: {type: dgx-h100, count: 15}\n"
            "fabric: {kind: fat_tree, nodes_per_leaf: 4, oversubscription: 4, spines: 1}\n"));
  std::vector<Profile> profiles;
  for (int nodes : {1, 2, 3, 5, 8, 15}) profiles.push_back(ring(nodes, 100, nodes > 1 ? 80 : 0));
  profiles.push_back(ring(1, 100, 0, 3));
  std::vector<QueuedJob> jobs;
  for (int i = 0; i < 60; ++i)
    jobs.push_back({"j", any(0, 2000) * 0.1, static_cast<double>(any(1, 400)), any(0, 2),
                    static_cast<std::size_t>(any(0, 6))});
  for (const Policy& policy : policies())
    for (const bool backfill : {false, true}) {
      INFO(policy.name << (backfill ? ", backfill" : "") << ", seed " << seed);
      const QueueReport report = play(tree, jobs, profiles, policy.name.data(), backfill);
      double area = 0;
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        const JobOutcome& job = report.jobs[i];
        CHECK(job.begin >= jobs[i].arrival);
        CHECK(job.ran() >= job.alone * (1 - 1e-9));
        CHECK(job.ran() >= job.spread * (1 - 1e-9));
        CHECK(job.ran() <= job.alone * 20);
        area += job.ran() * job.gpus;
      }
      CHECK(report.utilisation == Approx(area / (15 * 8 * report.makespan)));
      CHECK(report.utilisation <= 1);
      CHECK(report.samples.size() <= 200);
      for (const Fragmentation& level : report.fragmentation) {
        CHECK(level.mean <= 1);
        CHECK(level.least <= level.mean);
      }
    }
}

}  // namespace
}  // namespace sim::queue
