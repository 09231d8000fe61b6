// Several jobs on one fabric, worked out by hand. Nodes have one GPU and one NIC of 48 GB/s. Every
// job computes and then sums up 3.2 GB over its four ranks: 2 x 3/4 x 3.2 GB = 4.8 GB out of each
// along a ring, 100 ms when it is alone.

#include "tests/sim/contention_support.hpp"

namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;
using topology::GpuId;

topology::Cluster tree(int nodes, const std::string& fabric) {
  return built(
      fmt::format("nodes: {{node: {{base: dgx-h100, gpus: 1, nics: 1}}, count: {}}}\n"
                  "fabric: {{kind: fat_tree, {}}}\n",
                  nodes, fabric));
}

/// Four leaves of two nodes, each with one uplink of a NIC's rate.
topology::Cluster four_leaves() {
  return tree(8, "nodes_per_leaf: 2, oversubscription: 2, spines: 1");
}

StepGraph computing(double compute_ms) {
  StepBuilder step(1, 1, 4, 1, any_machine(4));
  const std::uint32_t kernels = step.task(0, TaskKind::run, Stream::compute,
                                          step.segment({StepBuilder::piece(compute_ms * 1e-3)}));
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_reduce, Axis::data_shard, 3'200'000'000,
                            cost_of_time(0, 100e-3)),
            {kernels});
  check_step_graph(step.graph());
  return step.graph();
}

struct Job {
  StepGraph graph;
  std::vector<GpuId> gpus;
};

Ensemble play(std::vector<Job> jobs, const topology::Cluster& cluster, int steps,
              const EngineOptions& options = {}) {
  std::vector<PlacedStep> placed;
  for (Job& job : jobs) {
    place_on(job.graph, cluster, job.gpus);
    placed.push_back({job.graph, job.gpus});
  }
  return simulate(placed, cluster, options, steps);
}

TEST_CASE("jobs on leaves of their own do not meet, and are as fast as alone") {
  // In a ring 0-1-2-3 one flow leaves a leaf and one comes in: 48 GB/s, what its uplink carries.
  const topology::Cluster cluster = four_leaves();
  const bool fold = GENERATE(true, false);
  const Ensemble both = play({{computing(100), {0, 1, 2, 3}}, {computing(150), {4, 5, 6, 7}}},
                             cluster, 3, {.fold = fold});
  CHECK(both.met.empty());
  CHECK(both.jobs[0].step.ms() == Approx(200));
  CHECK(both.jobs[1].step.ms() == Approx(250));
  CHECK(both.jobs[1].longest.ms() == Approx(250));
  CHECK(both.jobs[0].steps == 3);  // at 600 ms; 750 ms is in the middle of the fourth
  CHECK(both.jobs[1].steps == 3);
  CHECK(both.jobs[0].timeline.actors == (fold ? 1 : 4));
}

TEST_CASE("jobs that both lie across all leaves take turns on the uplinks") {
  // Each has a flow out of and into every leaf: two of 48 GB/s on an uplink of 48. Both compute
  // 100 ms and then send at half speed for 200: a step of 300 ms, 200 of which both are there.
  const topology::Cluster cluster = four_leaves();
  const Ensemble both =
      play({{computing(100), {0, 2, 4, 6}}, {computing(100), {1, 3, 5, 7}}}, cluster, 4);
  for (const PlayedJob& job : both.jobs) {
    CHECK(job.steps == 4);
    CHECK(job.first.ms() == Approx(300));
    CHECK(job.step.ms() == Approx(300));
    CHECK(job.timeline.step.ms() == Approx(300));
    // The spans are those of one step, from its begin.
    CHECK(job.timeline.span(0, 0).end * 1e3 == Approx(100));
    CHECK(job.timeline.span(3, 1).end * 1e3 == Approx(300));
  }
  REQUIRE(both.met.size() == 8);  // up and down of four leaves
  for (const MetLink& met : both.met) {
    const std::string name = topology::name_of(cluster, met.link);
    INFO(name);
    CHECK(name.find("spine-0") != std::string::npos);
    CHECK(name.find("leaf-") != std::string::npos);
    CHECK(met.bytes == std::vector<double>{4.8e9, 4.8e9});
    CHECK(met.active[0] == Approx(2.0 / 3));
    CHECK(met.active[1] == Approx(2.0 / 3));
    CHECK(met.together == Approx(2.0 / 3));
    CHECK(met.busy == Approx(2.0 / 3));
    // Asked for twice its rate: half of those 200 ms are lost.
    CHECK(both.jobs[0].timeline.link_lost_s[met.link] * 1e3 == Approx(100));
  }
}

TEST_CASE("jobs of different rhythm meet in some of their steps only") {
  // A computes 100 ms, B 200 ms; sending takes 100 ms alone. In ms:
  //   A  compute 0-100, send -200 | -300, -400 | -500, send beside B -700 | -800, -900 | …
  //   B  compute 0-200, send -300 | -500, send beside A -700 | -900, send -1000
  // Both send from 500 to 700. B ends its third step at 1000, in which time A has ended four:
  // 200, 200, 300, 200. After the first: 700 / 3 and (400 + 300) / 2. On an uplink A has sent 100 +
  // 100 + 200 + 100 ms and, in the step that is cut off, nothing; B 100 + 200 + 100.
  const Ensemble both =
      play({{computing(100), {0, 2, 4, 6}}, {computing(200), {1, 3, 5, 7}}}, four_leaves(), 3);
  CHECK(both.jobs[0].steps == 4);
  CHECK(both.jobs[0].first.ms() == Approx(200));
  CHECK(both.jobs[0].step.ms() == Approx(700.0 / 3));
  CHECK(both.jobs[0].shortest.ms() == Approx(200));
  CHECK(both.jobs[0].longest.ms() == Approx(300));
  CHECK(both.jobs[1].steps == 3);
  CHECK(both.jobs[1].step.ms() == Approx(350));
  CHECK(both.jobs[0].timeline.step.ms() == Approx(300));  // its third
  CHECK(both.jobs[1].timeline.step.ms() == Approx(300));
  REQUIRE(!both.met.empty());
  CHECK(both.met[0].active[0] == Approx(0.5));
  CHECK(both.met[0].active[1] == Approx(0.4));
  CHECK(both.met[0].together == Approx(0.2));
}

TEST_CASE("jobs meet on bundles of sprayed cables, each of which is told") {
  // Four leaves of four nodes, two uplinks each, over which packets are sprayed. Four jobs with a
  // node under every leaf: four flows of 48 GB/s out of a leaf over 96 GB/s. Two jobs fit.
  const topology::Cluster cluster = tree(16, "nodes_per_leaf: 4, oversubscription: 2, spines: 2");
  const EngineOptions sprayed{.routing = {.kind = topology::Routing::adaptive}};
  std::vector<Job> jobs;
  for (GpuId first = 0; first < 4; ++first)
    jobs.push_back({computing(100), {first, first + 4, first + 8, first + 12}});
  const Ensemble four = play(jobs, cluster, 2, sprayed);
  for (const PlayedJob& job : four.jobs) CHECK(job.step.ms() == Approx(300));
  REQUIRE(four.met.size() == 16);
  for (const MetLink& met : four.met) {
    for (const double bytes : met.bytes) CHECK(bytes == Approx(2.4e9));  // half on each cable
    CHECK(met.together == Approx(2.0 / 3));
  }
  jobs.resize(2);
  const Ensemble two = play(jobs, cluster, 2, sprayed);
  for (const PlayedJob& job : two.jobs) CHECK(job.step.ms() == Approx(200));
  CHECK(two.met.empty());
}

TEST_CASE("who meets somebody plays whole, a third job is folded") {
  const topology::Cluster cluster = tree(12, "nodes_per_leaf: 2, oversubscription: 2, spines: 1");
  const Ensemble three = play({{computing(100), {0, 2, 4, 6}},
                               {computing(100), {8, 9, 10, 11}},
                               {computing(100), {1, 3, 5, 7}}},
                              cluster, 2);
  CHECK(three.jobs[0].timeline.actors == 4);
  CHECK(three.jobs[1].timeline.actors == 1);
  CHECK(three.jobs[0].step.ms() == Approx(300));
  CHECK(three.jobs[1].step.ms() == Approx(200));
  CHECK(three.jobs[2].step.ms() == Approx(300));
  for (const MetLink& met : three.met) CHECK(met.bytes[1] == 0);
}

TEST_CASE("in flow fidelity jobs on one node share what it has") {
  // Two jobs of four GPUs each on two nodes of four GPUs and one NIC: each sends in and out of the
  // node at 48 GB/s alone.
  const topology::Cluster cluster = built(
      "nodes: {node: {base: dgx-h100, gpus: 4, nics: 1}, count: 2}\n"
      "fabric: {kind: single_switch}\n");
  for (const Fidelity fidelity : {Fidelity::hybrid, Fidelity::flow}) {
    const Ensemble both = play({{computing(100), {0, 1, 4, 5}}, {computing(100), {2, 3, 6, 7}}},
                               cluster, 2, {.fidelity = fidelity});
    for (const PlayedJob& job : both.jobs) CHECK(job.step.ms() == Approx(300));
  }
}

}  // namespace
}  // namespace sim
