#include <cmath>
#include <map>
#include <numeric>

#include "sim/engine.hpp"
#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/routes.hpp"

/// What shared links do to collectives, worked out by hand on clusters as users describe them.
namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;

constexpr double gb = 1e9;

/// A price that asks for far more than any link has: the links alone decide.
const calibrate::CollectiveCost at_once = cost_of_time(0, 1e-9);

topology::Cluster cluster_of(const std::string& yaml, const std::string& network = "") {
  const auto cluster = topology::cluster_from(yaml, network);
  INFO((cluster ? "" : topology::text_of(cluster.error())));
  REQUIRE(cluster);
  return *cluster;
}

/// What payload gets of a NIC of the cluster, bytes a second.
double nic_of(const topology::Cluster& cluster) {
  const topology::NodeType& type = *cluster.nodes().front().type;
  return (type.nic_rate * type.nic_efficiency).byte();
}

double busiest(const std::vector<double>& seconds) {
  return *std::max_element(seconds.begin(), seconds.end());
}

/// A step of one collective over data-parallel groups of `data` ranks; ranks of a group are
/// `tensor` apart.
StepBuilder rings(int tensor, int data, const Machine& machine, Collective op, std::int64_t bytes,
                  const calibrate::CollectiveCost& cost) {
  StepBuilder step(tensor, 1, data, 1, machine);
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(op, Axis::data_shard, bytes, cost));
  return step;
}

double play_on(const StepBuilder& step, const topology::Cluster& cluster,
               const EngineOptions& options) {
  return simulate(step.graph(), cluster, in_order(step.graph().grid.size()), options).step.s();
}

TEST_CASE("data-parallel groups of a job share the NICs of a node that has fewer than GPUs") {
  // Two nodes of eight GPUs, tensor parallel 8 inside: eight data-parallel pairs, each an
  // all-gather of 2 GB, 1 GB each way. With 8 NICs a pair has its own: 1 GB / NIC. With 4 NICs two
  // pairs share one, with one NIC all eight do.
  const int nics = GENERATE(8, 4, 1);
  const bool fold = GENERATE(true, false);
  const auto cluster = cluster_of("nodes: {node: {base: dgx-h100, nics: " + std::to_string(nics) +
                                  "}, count: 2}\nfabric: {kind: single_switch}\n");
  const StepBuilder step = rings(8, 2, {2, 8}, Collective::all_gather, 2'000'000'000, at_once);
  const double seconds = play_on(step, cluster, {.fold = fold});
  CHECK(seconds == Approx(8 / nics * gb / nic_of(cluster)).epsilon(1e-6));
}

TEST_CASE("the gradients of a TP 2 job go by the NICs of the whole node at once") {
  // Four nodes of eight GPUs and four NICs, tensor parallel 2: two groups of 16 ranks, four members
  // a node each. GPUs 2i and 2i+1 share NIC i, so each NIC has a member of either. An all-reduce of
  // 16 GB over 16: 2 x 15/16 x 16 = 30 GB go round; each of the four rings of a group carries a
  // quarter, 7.5 GB a NIC; two groups: 15 GB.
  const auto cluster = cluster_of(
      "nodes: {node: {base: dgx-h100, nics: 4}, count: 4}\nfabric: {kind: single_switch}\n");
  const StepBuilder step = rings(2, 16, {4, 8}, Collective::all_reduce, 16'000'000'000, at_once);
  const Fidelity fidelity = GENERATE(Fidelity::hybrid, Fidelity::flow);
  CHECK(play_on(step, cluster, {.fidelity = fidelity}) ==
        Approx(15 * gb / nic_of(cluster)).epsilon(1e-6));
}

TEST_CASE("a tensor-parallel group over two nodes is as slow as their NICs, two such twice") {
  // 16 ranks on two nodes in rank order: an all-reduce of 8 GB, 2 x 15/16 x 8 = 15 GB round, an
  // eighth on each of eight NICs: 1.875 GB. NVLink would have taken 15 GB / 370 GB/s = 40 ms.
  // Two groups of 16 on every other GPU of four nodes: each has four NICs of a node to itself, and
  // 15 GB over four are 3.75.
  const auto two = cluster_of("nodes: {type: dgx-h100, count: 2}\nfabric: {kind: single_switch}\n");
  const StepBuilder alone = rings(1, 16, {2, 8}, Collective::all_reduce, 8'000'000'000, at_once);
  CHECK(play_on(alone, two, {}) == Approx(1.875 * gb / nic_of(two)).epsilon(1e-6));
  const auto four =
      cluster_of("nodes: {type: dgx-h100, count: 4}\nfabric: {kind: single_switch}\n");
  const StepBuilder both = rings(2, 16, {4, 8}, Collective::all_reduce, 8'000'000'000, at_once);
  CHECK(play_on(both, four, {}) == Approx(3.75 * gb / nic_of(four)).epsilon(1e-6));
}

TEST_CASE("an all-to-all through an oversubscribed spine takes what the uplinks let through") {
  // 14 nodes, seven under each set of eight rail leaves; oversubscribed 7 to 1, a leaf has one
  // uplink for its seven NICs. All-to-all of 56 GB among the 14 ranks of one rail (tensor parallel
  // 8 inside, so eight such groups): 4 GB a pair; from the seven nodes of a leaf to the other seven
  // 7 x 7 x 4 = 196 GB through one cable. Alone a NIC sends 13 x 4 = 52 GB.
  const std::string nodes = "nodes: {type: dgx-h100, count: 14}\n";
  const auto fat = cluster_of(nodes + "fabric: {kind: rail_optimized, nodes_per_leaf: 7}\n");
  const auto thin = cluster_of(
      nodes + "fabric: {kind: rail_optimized, nodes_per_leaf: 7, oversubscription: 7}\n");
  const StepBuilder step = rings(8, 14, {14, 8}, Collective::all_to_all, 56'000'000'000, at_once);
  const EngineOptions adaptive{.routing = {.kind = topology::Routing::adaptive}};
  const double nic = nic_of(fat);
  CHECK(play_on(step, fat, adaptive) == Approx(52 * gb / nic).epsilon(1e-4));
  // Hashed flows collide on some of the seven uplinks: never better than balanced ones.
  CHECK(play_on(step, fat, {}) >= 52 * gb / nic * (1 - 1e-6));
  const Timeline through = simulate(step.graph(), thin, in_order(112), adaptive);
  CHECK(through.step.s() == Approx(196 * gb / nic).epsilon(1e-4));
  // The links that lose most time are those between leaf and spine.
  const auto worst = static_cast<topology::LinkId>(
      std::max_element(through.link_lost_s.begin(), through.link_lost_s.end()) -
      through.link_lost_s.begin());
  const std::string name = topology::name_of(thin, worst);
  INFO(name);
  CHECK(name.find("spine-") != std::string::npos);
  CHECK(through.link_busy_s[worst] == Approx(through.step.s()).epsilon(1e-3));
}

TEST_CASE("oversubscription slows an exchange between leaves once uplinks bind") {
  // Eight nodes, four under a set of leaves: node i exchanges with node i + 4 (all-gather of 2 GB
  // in pairs), four flows of 1 GB a rail up and down. 4 / o uplinks a leaf: time x o.
  const int over = GENERATE(1, 2, 4);
  const auto cluster = cluster_of(
      "nodes: {type: dgx-h100, count: 8}\nfabric: {kind: rail_optimized, "
      "nodes_per_leaf: 4, oversubscription: " +
      std::to_string(over) + "}\n");
  const StepBuilder step = rings(32, 2, {8, 8}, Collective::all_gather, 2'000'000'000, at_once);
  CHECK(play_on(step, cluster, {.routing = {.kind = topology::Routing::adaptive}}) ==
        Approx(over * gb / nic_of(cluster)).epsilon(1e-4));
}

TEST_CASE("flows that hash to one spine share it, sprayed ones do not") {
  // Two nodes of one GPU each under each of two leaves, two spines: nodes 0 and 1 send to 2 and 3.
  // Where the hash gives both flows the same spine, 1 GB each takes twice as long.
  const auto cluster = cluster_of(
      "nodes: {node: {base: dgx-h100, nics: 1}, count: 4, usable_gpus: 1}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2}\n");
  const StepBuilder step = rings(2, 2, {4, 1}, Collective::all_gather, 2'000'000'000, at_once);
  const double alone = gb / nic_of(cluster);
  bool together = false;
  bool apart = false;
  for (std::uint64_t seed = 0; seed < 32; ++seed) {
    const topology::RoutingOptions ecmp{.ecmp_seed = seed};
    const topology::Router router(cluster, ecmp);
    std::map<std::uint32_t, int> uses;  // links of the four flows, both ways
    for (const auto& [from, to] : {std::pair{0U, 2U}, {1U, 3U}, {2U, 0U}, {3U, 1U}}) {
      std::vector<topology::Route> routes;
      REQUIRE(router.route(from, to, routes));
      for (const std::uint32_t hop : routes.front().hops) ++uses[hop];
    }
    int most = 0;
    for (const auto& [link, flows] : uses) most = std::max(most, flows);
    (most > 1 ? together : apart) = true;
    CHECK(play_on(step, cluster, {.routing = ecmp}) == Approx(most * alone).epsilon(1e-6));
  }
  CHECK((together && apart));
  CHECK(play_on(step, cluster, {.routing = {.kind = topology::Routing::adaptive}}) ==
        Approx(alone).epsilon(1e-6));
}

TEST_CASE("a NIC at half its rate, or down, holds up the ring that goes through it") {
  // All-reduce of 16 ranks on two nodes, 8 GB: 1.875 GB on each of eight NICs each way. At half its
  // rate one of them takes twice as long; without it a neighbour carries both. A NIC of two ports
  // with one leaf down has half.
  const std::string nodes = "nodes: {type: dgx-h100, count: 2}\n";
  const std::string rails = "fabric: {kind: rail_optimized}\n";
  const std::string ports = "fabric: {kind: rail_optimized, nic_ports: 2, planes: 2}\n";
  const auto [fabric, network, factor] = GENERATE_COPY(table<std::string, std::string, double>({
      {rails, "", 1.0},
      {rails, "link_degraded: {node-1/nic-3: 0.5}", 2.0},
      {rails, "link_degraded: {node-*/nic-3: 0.25}", 4.0},
      {rails, "link_down: node-1/nic-3", 2.0},
      {rails, "link_down: [node-1/nic-3, node-1/nic-4, node-1/nic-5]", 2.0},
      {ports, "", 1.0},
      {ports, "link_down: node-0/nic-2 -> leaf-4", 2.0},
  }));
  const auto cluster = cluster_of(nodes + fabric, network);
  const StepBuilder step = rings(1, 16, {2, 8}, Collective::all_reduce, 8'000'000'000, at_once);
  INFO(fabric << network);
  const bool fold = GENERATE(true, false);
  const double seconds =
      play_on(step, cluster, {.routing = {.kind = topology::Routing::adaptive}, .fold = fold});
  if (network.find("nic-5") != std::string::npos)  // three GPUs move to other NICs
    CHECK(seconds >= factor * 1.875 * gb / nic_of(cluster) * (1 - 1e-6));
  else
    CHECK(seconds == Approx(factor * 1.875 * gb / nic_of(cluster)).epsilon(1e-4));
}

TEST_CASE("a stage's message and a ring on the same NIC halve each other while both are there") {
  // Two stages of two ranks, a GPU a node: ranks 0 and 1, 2 and 3. Stage 0 all-gathers 10 GB
  // between nodes 0 and 1 (5 GB each way, NIC 50 GB/s: 100 ms alone); at 40 ms rank 0 and 1 send 1
  // GB to 2 and 3 (20 ms alone). Until 40 ms 2 GB have moved. Then 25 GB/s each: the messages end
  // at 80 ms, by when another 1 GB has; the last 2 GB take 40 ms: 120 ms.
  const Machine machine{4, 1};
  StepBuilder step(1, 1, 2, 2, machine);
  const int gather = step.collective(Collective::all_gather, Axis::data_shard, 10'000'000'000,
                                     cost_of_time(0, 0.1));
  step.task(0, TaskKind::collective, Stream::data_comm, gather);
  const auto work =
      step.task(0, TaskKind::run, Stream::compute, step.segment({StepBuilder::piece(0.04)}));
  const auto price = cost_of_time(0, 0.02);
  step.task(0, TaskKind::send, Stream::send,
            step.message("activation", 1, 1'000'000'000, price, price), {work}, 0);
  const auto received =
      step.task(1, TaskKind::receive, Stream::receive,
                step.message("activation", 0, 1'000'000'000, price, price), {}, 0);
  const bool fold = GENERATE(true, false);
  const Timeline timeline = play(step, machine, {.fold = fold});
  CHECK(timeline.span(2, received).end == Approx(0.08).epsilon(1e-6));
  CHECK(timeline.span(0, 0).end == Approx(0.12).epsilon(1e-6));
  CHECK(timeline.link_busy_s[machine.port(0, Machine::Port::nic_out)] ==
        Approx(0.04).epsilon(1e-6));
}

TEST_CASE("cables of a bundle carry together what crossed it") {
  // The exchange of node i with node i + 4 again: 4 GB a rail and direction through four uplinks.
  const auto cluster = cluster_of(
      "nodes: {type: dgx-h100, count: 8}\nfabric: {kind: rail_optimized, nodes_per_leaf: 4}\n");
  const StepBuilder step = rings(32, 2, {8, 8}, Collective::all_gather, 2'000'000'000, at_once);
  const Timeline timeline = simulate(step.graph(), cluster, in_order(64),
                                     {.routing = {.kind = topology::Routing::adaptive}});
  std::map<std::pair<topology::DeviceKind, topology::DeviceKind>, double> carried;
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id)
    carried[{cluster.device(cluster.link(id).from).kind,
             cluster.device(cluster.link(id).to).kind}] += timeline.link_bytes[id];
  using topology::DeviceKind;
  // 64 ranks send 1 GB each, all of it through leaf and spine.
  CHECK(carried[{DeviceKind::nic, DeviceKind::leaf}] == Approx(64 * gb));
  CHECK(carried[{DeviceKind::leaf, DeviceKind::spine}] == Approx(64 * gb));
  CHECK(carried[{DeviceKind::spine, DeviceKind::leaf}] == Approx(64 * gb));
  CHECK(carried[{DeviceKind::leaf, DeviceKind::nic}] == Approx(64 * gb));
  CHECK(busiest(timeline.link_bytes) == Approx(gb));  // evenly
}

}  // namespace
}  // namespace sim
