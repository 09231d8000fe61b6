// What shared links make of steps, worked out by hand. A NIC of a DGX H100 carries 400 Gbit/s =
// 50 GB/s, of which 96 % are payload: 48 GB/s each way.

#include "sim/collectives/price.hpp"
#include "tests/sim/contention_support.hpp"

namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;
using topology::GpuId;
using topology::LinkId;
using topology::Routing;

/// `count` nodes with some of the GPUs and NICs of a DGX H100.
std::string nodes(int gpus, int nics, int count) {
  return fmt::format("nodes: {{node: {{base: dgx-h100, gpus: {}, nics: {}}}, count: {}}}\n", gpus,
                     nics, count);
}

std::string fabric(const std::string& what) { return "fabric: {kind: " + what + "}\n"; }

/// All GPUs are in one group.
StepBuilder lone(int ranks, Collective op, std::int64_t bytes, double price_ms) {
  return data_step(1, ranks, op, bytes, cost_of_time(0, price_ms * 1e-3));
}

// Rings on NICs ----------------------------------------------------------------------------------

TEST_CASE("two rings on one rail take twice the time of one") {
  // Four nodes of two GPUs on one NIC; tensor parallel 2 inside, so GPU 0 of every node is in one
  // ring and GPU 1 in another. All-reduce of 3.2 GB: 2 x 3/4 x 3.2 GB = 4.8 GB out of and into each
  // member, at 48 GB/s 100 ms. Both rings: 9.6 GB, 200 ms.
  const std::string kind =
      GENERATE("single_switch", "rail_optimized", "rail_optimized, nodes_per_leaf: 2");
  const topology::Cluster cluster = built(nodes(2, 1, 4) + fabric(kind));
  StepBuilder step =
      data_step(2, 4, Collective::all_reduce, 3'200'000'000, cost_of_time(0, 100e-3));
  check_step_ms(step, cluster, 200);
  for (const int rank : {1, 3, 5, 7}) step.own_program(rank).tasks.clear();
  check_step_ms(step, cluster, 100);
}

TEST_CASE("a link that one of several collectives crowds is shared in that one only") {
  // The same two rings. A fast all-reduce: 200 ms. A slow all-gather of 6.4 GB, 4.8 GB out of each
  // member in 400 ms: 12 GB/s each, for which the NIC is wide enough. Last an all-reduce of half
  // the bytes in half the time: 100 ms. 700 ms in either order.
  const bool slow_first = GENERATE(false, true);
  const topology::Cluster cluster = built(nodes(2, 1, 4) + fabric("single_switch"));
  StepBuilder step(2, 1, 4, 1, any_machine(8));
  const auto add = [&](Collective op, std::int64_t bytes, double price_ms) {
    return step.collective(op, Axis::data_shard, bytes, cost_of_time(0, price_ms * 1e-3));
  };
  const int fast = add(Collective::all_reduce, 3'200'000'000, 100);
  const int slow = add(Collective::all_gather, 6'400'000'000, 400);
  const int half = add(Collective::all_reduce, 1'600'000'000, 50);
  for (const int use : {slow_first ? slow : fast, slow_first ? fast : slow, half})
    step.task(0, TaskKind::collective, Stream::data_comm, use);
  check_step_ms(step, cluster, 700);
}

TEST_CASE("rings of all data-parallel groups share the NICs of their node") {
  // Two nodes of eight GPUs, all-reduce of 1.92 GB in every one of T data-parallel groups of
  // n = 16 / T. A ring takes W = 2 (n - 1) / n x 1.92 GB from node to node, T rings T x W over the
  // NICs of a node, each of which serves 8 / NICs of the GPUs. Prices are those of a NIC for each
  // GPU: W / (8 / T) / 48 GB/s, so that 4 NICs take twice and one eight times as long.
  struct Row {
    int tensor;
    int nics;
    double price_ms;
    double ms;
  };
  const Row row = GENERATE(values<Row>({
      {1, 8, 9.375, 9.375},  // 1 x 3.6 GB over 8 x 48 GB/s
      {1, 4, 9.375, 18.75},
      {2, 8, 17.5, 17.5},  // 2 x 3.36 GB over 8 x 48 GB/s
      {2, 4, 17.5, 35},    // two rings on each NIC: 2 x 3.36 / 4 = 1.68 GB at 48 GB/s
      {2, 1, 17.5, 140},   // 8 GPUs on the NIC: 6.72 GB at 48 GB/s
      {8, 4, 40, 80},      // n = 2, W = 1.92 GB; two of the eight rings on each NIC
      {8, 1, 40, 320},     // all eight rings on it: 15.36 GB
  }));
  INFO("tensor " << row.tensor << ", NICs " << row.nics);
  const topology::Cluster cluster = built(nodes(8, row.nics, 2) + fabric("single_switch"));
  const StepBuilder step = data_step(row.tensor, 16 / row.tensor, Collective::all_reduce,
                                     1'920'000'000, cost_of_time(0, row.price_ms * 1e-3));
  check_step_ms(step, cluster, row.ms);
}

/// Two tensor-parallel groups of 16, each on eight GPUs of each of two nodes, one on each NIC.
calibrate::CollectiveCost price_on_two_nodes(base::CollectiveAlgorithm algorithm,
                                             const topology::Cluster& cluster, std::int64_t bytes) {
  std::vector<GpuId> gpus;
  std::vector<collectives::Member> members;
  for (GpuId i = 0; i < 16; ++i) {
    gpus.push_back(i / 8 * 16 + i % 8 * 2);
    members.push_back({static_cast<int>(i / 8), static_cast<int>(i % 8)});
  }
  const base::Bytes size = base::Bytes::from_count(bytes);
  return collectives::price(collectives::algorithm(algorithm), {Collective::all_reduce, size, {}},
                            members, shape_of(gpus, cluster));
}

TEST_CASE("tensor-parallel groups across two nodes are limited by NVLink or by NICs") {
  // Nodes of 16 GPUs and 8 NICs. All-reduce of 3.84 GB among 8 + 8, NVLink 450 GB/s x 0.824 =
  // 370.8 GB/s.
  //   hierarchical: inside 2 x 7/8 x 3.84 = 6.72 GB out of each GPU, 18.123 ms; across 1/8 of
  //     3.84 GB out of each NIC, 10 ms. Two groups: 20 ms on the NICs, which now limit.
  //   ring: W = 2 x 15/16 x 3.84 = 7.2 GB, 7/8 of it inside, 16.990 ms; W/8 out of each NIC,
  //     18.75 ms. Two groups: 37.5 ms.
  struct Row {
    base::CollectiveAlgorithm algorithm;
    double alone_ms;
    double both_ms;
  };
  const Row row = GENERATE(values<Row>({
      {base::CollectiveAlgorithm::hierarchical, 6720 / 370.8, 20},
      {base::CollectiveAlgorithm::ring, 18.75, 37.5},
  }));
  const topology::Cluster cluster = built(nodes(16, 8, 2) + fabric("single_switch"));
  const calibrate::CollectiveCost cost = price_on_two_nodes(row.algorithm, cluster, 3'840'000'000);
  CHECK(cost.wire_time() == Approx(row.alone_ms * 1e-3).epsilon(1e-6));
  StepBuilder step(16, 1, 2, 1, any_machine(32));
  step.task(0, TaskKind::collective, Stream::compute,
            step.collective(Collective::all_reduce, Axis::tensor, 3'840'000'000, cost));
  std::vector<GpuId> gpus;
  for (GpuId rank = 0; rank < 32; ++rank)
    gpus.push_back(rank % 16 / 8 * 16 + rank % 8 * 2 + rank / 16);
  for (const bool both : {true, false}) {
    if (!both)
      for (int rank = 16; rank < 32; ++rank) step.own_program(rank).tasks.clear();
    in_every_way(step.graph(), cluster, gpus, {}, [&](const Timeline& timeline) {
      CHECK(timeline.step.ms() ==
            Approx(cost.latency.ms() + (both ? row.both_ms : row.alone_ms)).epsilon(1e-4));
    });
  }
}

// Oversubscribed spines --------------------------------------------------------------------------

/// The links that were ever asked for more than their rate, by the kinds of their ends.
void check_only_uplinks_busy(const topology::Cluster& cluster, const Timeline& timeline,
                             double busy_ms, double lost_ms) {
  using topology::DeviceKind;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const DeviceKind from = cluster.device(cluster.link(id).from).kind;
    const DeviceKind to = cluster.device(cluster.link(id).to).kind;
    INFO(topology::name_of(cluster, id));
    const bool trunk = from == DeviceKind::spine || to == DeviceKind::spine;
    CHECK(timeline.link_busy_s[id] == Approx(trunk ? busy_ms * 1e-3 : 0).epsilon(1e-4));
    CHECK(timeline.link_lost_s[id] == Approx(trunk ? lost_ms * 1e-3 : 0).epsilon(1e-4));
  }
}

/// 28 GPUs under two leaves of 14, each with two uplinks.
topology::Cluster seven_to_one() {
  return built(nodes(1, 1, 28) +
               fabric("fat_tree, nodes_per_leaf: 14, oversubscription: 7, spines: 2"));
}

constexpr std::int64_t mb48 = 48'000'000;

TEST_CASE("an all-to-all takes what leaves a leaf over the rate of its uplinks") {
  // 48 MB from each of 28 GPUs to each other one: 27 x 48 MB over a NIC, 27 ms, which is the price.
  // On the fat tree 14 x 14 x 48 MB leave a leaf, over 2 x 48 GB/s 98 ms. With two rails of 7 nodes
  // under each leaf, and PXN: 14 GPUs send to 7 of the other unit over the one uplink of a rail,
  // 98 x 48 MB at 48 GB/s: 98 ms, too. Uplinks were asked for 98/27 of their rate all the time,
  // so 98 x (1 - 27/98) = 71 ms were lost on them, and nowhere else.
  const bool rails = GENERATE(false, true);
  const topology::Cluster cluster =
      rails ? built(nodes(2, 2, 14) +
                    fabric("rail_optimized, nodes_per_leaf: 7, oversubscription: 7"))
            : seven_to_one();
  const StepBuilder step = lone(28, Collective::all_to_all, 28 * mb48, 27);
  in_every_way(step.graph(), cluster, in_order(28), {.kind = Routing::adaptive},
               [&](const Timeline& timeline) {
                 CHECK(timeline.step.ms() == Approx(98).epsilon(1e-4));
                 check_only_uplinks_busy(cluster, timeline, 98, 71);
                 // Cables of a bundle carry alike, together all that crossed.
                 const double leaf = (rails ? 98.0 : 196.0) * mb48;
                 const int leaves = rails ? 4 : 2;
                 CHECK(bytes_between(cluster, timeline, "leaf-0", "spine") == Approx(leaf));
                 CHECK(bytes_between(cluster, timeline, "leaf-", "spine") == Approx(leaves * leaf));
                 CHECK(bytes_between(cluster, timeline, "spine", "leaf-") == Approx(leaves * leaf));
                 CHECK(bytes_between(cluster, timeline, "leaf-0", "spine-0") ==
                       Approx(rails ? leaf : leaf / 2));
               });
}

TEST_CASE("an all-to-all with ECMP is as slow as the uplink with the most flows") {
  // All flows are equal, so those on the fullest link have the smallest share to the very end.
  const topology::Cluster cluster = seven_to_one();
  const StepBuilder step = lone(28, Collective::all_to_all, 28 * mb48, 27);
  double slowest = 0;
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    in_every_way(
        step.graph(), cluster, in_order(28), {.ecmp_seed = seed}, [&](const Timeline& timeline) {
          INFO("seed " << seed);
          double fullest = 0;
          for (LinkId id = 0; id < cluster.link_count(); ++id)
            fullest = std::max(fullest, timeline.link_bytes[id] / cluster.link(id).rate.byte());
          CHECK(timeline.step.s() == Approx(fullest).epsilon(1e-4));
          CHECK(timeline.step.ms() >= 98 * (1 - 1e-6));
          slowest = std::max(slowest, timeline.step.ms());
          CHECK(bytes_between(cluster, timeline, "leaf-0", "spine") == 196.0 * mb48);
        });
  CHECK(slowest > 98 * 1.02);  // no seed deals 196 flows evenly but by luck
}

TEST_CASE("groups across leaves slow down once the uplinks bind") {
  // Four pairs, each of a node under leaf 0 and one under leaf 1, all-reduce of 4.8 GB: 4.8 GB each
  // way. Four pairs put 19.2 GB on the 4, 2 or 1 uplinks of 48 GB/s: 100, 200, 400 ms. At a price
  // of 200 ms (24 GB/s each) two uplinks are enough.
  struct Row {
    int oversubscription;
    double price_ms;
    double ms;
  };
  const Row row = GENERATE(values<Row>(
      {{1, 100, 100}, {2, 100, 200}, {4, 100, 400}, {1, 200, 200}, {2, 200, 200}, {4, 200, 400}}));
  INFO(row.oversubscription << " to 1, price " << row.price_ms);
  const topology::Cluster cluster =
      built(nodes(1, 1, 8) + fabric(fmt::format("fat_tree, nodes_per_leaf: 4, oversubscription: {}",
                                                row.oversubscription)));
  const StepBuilder step =
      data_step(4, 2, Collective::all_reduce, 4'800'000'000, cost_of_time(0, row.price_ms * 1e-3));
  check_step_ms(step, cluster, row.ms, {.kind = Routing::adaptive});
  // One ring over all eight crosses from leaf to leaf once each way: nothing binds.
  check_step_ms(lone(8, Collective::all_reduce, 4'800'000'000, 200), cluster, 200,
                {.kind = Routing::adaptive});
}

// Rings and messages -----------------------------------------------------------------------------

/// Four nodes of a GPU; ranks 0 and 1 are stage 0, in one ring of 4.8 GB each way at 48 GB/s; rank
/// 2 receives from rank 0, rank 3 from rank 1.
struct RingAndSends {
  StepBuilder step{1, 1, 2, 2, any_machine(4)};
  std::uint32_t ring = 0;
  std::uint32_t send = 0;

  RingAndSends(double wait_ms, std::int64_t bytes, double price_ms) {
    ring = step.task(0, TaskKind::collective, Stream::data_comm,
                     step.collective(Collective::all_reduce, Axis::data_shard, 4'800'000'000,
                                     cost_of_time(0, 100e-3)));
    const auto wait = step.task(0, TaskKind::run, Stream::compute,
                                step.segment({StepBuilder::piece(wait_ms * 1e-3)}));
    const calibrate::CollectiveCost price = cost_of_time(0, price_ms * 1e-3);
    send = step.task(0, TaskKind::send, Stream::send,
                     step.message("activation", 1, bytes, price, price), {wait}, 0);
    step.task(1, TaskKind::receive, Stream::receive,
              step.message("activation", 0, bytes, price, price), {}, 0);
  }

  void check(double ring_ms, double send_ms) const {
    const topology::Cluster cluster = built(nodes(1, 1, 4) + fabric("single_switch"));
    in_every_way(step.graph(), cluster, in_order(4), {}, [&](const Timeline& timeline) {
      for (const int rank : {0, 1}) {
        CHECK(timeline.span(rank, ring).end == Approx(ring_ms * 1e-3).epsilon(1e-4));
        CHECK(timeline.span(rank, send).end == Approx(send_ms * 1e-3).epsilon(1e-4));
        CHECK(timeline.span(rank + 2, 0).end == Approx(send_ms * 1e-3).epsilon(1e-4));
      }
    });
  }
};

TEST_CASE("messages and rings on a NIC have equal shares") {
  // 2.4 GB and 4.8 GB at 24 GB/s each: the message is over at 100 ms, and the ring has 2.4 GB left,
  // 50 ms alone.
  RingAndSends(0, 2'400'000'000, 50).check(150, 100);
}

TEST_CASE("a message that joins a ring half way") {
  // The ring has sent 75 ms x 48 GB/s = 3.6 GB; its last 1.2 GB at 24 GB/s take 50 ms, to 125 ms.
  // By then 1.2 GB of the message are gone; the others take 25 ms alone, to 150 ms.
  RingAndSends(75, 2'400'000'000, 50).check(125, 150);
}

TEST_CASE("a message that asks for less than its share keeps what it asks for") {
  // 1.6 GB at 16 GB/s: 100 ms, as if alone. The ring has the other 32 GB/s: 3.2 GB by then, and
  // 1.6 GB alone take 33.3 ms.
  RingAndSends(0, 1'600'000'000, 100).check(100 + 100.0 / 3, 100);
}

TEST_CASE("a ring is as slow as the one of its hops that meets a message") {
  // Only rank 0 sends: 0 -> 1 is done at 150 ms, 1 -> 0 at 100 ms; the ring is over at 150 ms.
  RingAndSends one(0, 2'400'000'000, 50);
  Program& silent = one.step.own_program(1);
  silent.tasks.pop_back();
  silent.dependencies.clear();
  one.step.own_program(3).tasks.clear();
  const topology::Cluster cluster = built(nodes(1, 1, 4) + fabric("single_switch"));
  in_every_way(one.step.graph(), cluster, in_order(4), {}, [&](const Timeline& timeline) {
    CHECK(timeline.span(0, one.ring).end == Approx(150e-3).epsilon(1e-4));
    CHECK(timeline.span(1, one.ring).end == Approx(150e-3).epsilon(1e-4));
    CHECK(timeline.span(0, one.send).end == Approx(100e-3).epsilon(1e-4));
  });
}

// Faults -----------------------------------------------------------------------------------------

TEST_CASE("a degraded NIC slows the ring through it") {
  // Four nodes in a ring, 4.8 GB out of each at 48 GB/s: 100 ms. One NIC at half rate: 200 ms, and
  // at half a price that asks for only 24 GB/s nothing is in the way.
  const topology::Cluster cluster =
      built(nodes(1, 1, 4) + fabric("single_switch"), "link_degraded: {node-2/nic-0: 0.5}");
  check_step_ms(lone(4, Collective::all_reduce, 3'200'000'000, 100), cluster, 200);
  check_step_ms(lone(4, Collective::all_reduce, 3'200'000'000, 200), cluster, 200);
}

TEST_CASE("a GPU whose NIC is down shares that of another") {
  // Two nodes of two GPUs, two rings of 4.8 GB each way, each on its own NIC: 100 ms. With NIC 1 of
  // node 0 down both are on NIC 0 there: 200 ms.
  const std::string two = nodes(2, 2, 2) + fabric("single_switch");
  const StepBuilder step =
      data_step(2, 2, Collective::all_reduce, 4'800'000'000, cost_of_time(0, 100e-3));
  check_step_ms(step, built(two), 100);
  check_step_ms(step, built(two, "link_down: node-0/nic-1"), 200);
}

TEST_CASE("a NIC that has lost one of two ports has half its rate") {
  // Two ports of 24 GB/s, each to its leaf. 4.8 GB over both 100 ms, over the one that is left
  // 200 ms, whether or not planes are apart.
  const int planes = GENERATE(1, 2);
  const std::string kind = GENERATE("rail_optimized", "fat_tree");
  const std::string two =
      nodes(1, 1, 2) +
      fabric(fmt::format("{}, nodes_per_leaf: 2, nic_ports: 2, planes: {}", kind, planes));
  const StepBuilder step = lone(2, Collective::all_reduce, 4'800'000'000, 100);
  check_step_ms(step, built(two), 100);
  check_step_ms(step, built(two, "link_down: leaf-1"), 200);
  // One end is enough: planes must meet in the port that both have, and with one plane what leaves
  // by both has to come in by one.
  check_step_ms(step, built(two, "link_down: node-1/nic-0 -> leaf-1"), 200);
}

TEST_CASE("cables that are slow or gone count in bundles") {
  // Four leaves with a cable to each of two spines, two GPUs under each. 48 MB from each GPU to
  // each other one: 6 x 48 MB over a NIC to other nodes, 6 ms; 12 x 48 = 576 MB leave a leaf, at
  // 96 GB/s 6 ms. Or two cables of half the rate to each spine, a bundle in a bundle.
  const std::string cable = GENERATE("400 Gbit/s", "200 Gbit/s");
  const std::string four =
      nodes(2, 2, 4) + fabric("fat_tree, nodes_per_leaf: 1, spines: 2, uplink_rate: " + cable);
  const StepBuilder step = lone(8, Collective::all_to_all, 8 * mb48, 6);
  const topology::RoutingOptions adaptive{.kind = Routing::adaptive};
  check_step_ms(step, built(four), 6, adaptive);
  // Leaf 1 has half of its cables left: 576 MB at 48 GB/s, 12 ms.
  const topology::Cluster torn = built(four, "link_down: leaf-1 -> spine-0");
  check_step_ms(step, torn, 12, adaptive);
  // 48 + 12 GB/s to leaf 0: 9.6 ms, and bytes as 4 to 1.
  const topology::Cluster slow = built(four, "link_degraded: {spine-0 -> leaf-0: 0.25}");
  check_step_ms(step, slow, 9.6, adaptive);
  in_every_way(step.graph(), torn, in_order(8), adaptive, [&](const Timeline& timeline) {
    for (const char* leaf : {"leaf-0", "leaf-1", "leaf-2", "leaf-3"}) {
      CHECK(bytes_between(torn, timeline, leaf, "spine") == Approx(12.0 * mb48));
      CHECK(bytes_between(torn, timeline, "spine", leaf) == Approx(12.0 * mb48));
    }
    CHECK(bytes_between(torn, timeline, "leaf-1", "spine-0") == 0);
  });
  in_every_way(step.graph(), slow, in_order(8), adaptive, [&](const Timeline& timeline) {
    CHECK(bytes_between(slow, timeline, "spine-1", "leaf-0") == Approx(460.8e6));
    CHECK(bytes_between(slow, timeline, "spine-0", "leaf-0") == Approx(115.2e6));
  });
}

// ECMP -------------------------------------------------------------------------------------------

/// Uplinks of leaf 0 that the routes of 0 -> 2 and 1 -> 3 begin with.
bool collide(const topology::Cluster& cluster, const topology::RoutingOptions& routing) {
  const topology::Router router(cluster, routing);
  std::vector<topology::Route> routes;
  REQUIRE(router.route(0, 2, routes));
  REQUIRE(router.route(1, 3, routes));
  REQUIRE(routes.size() == 2);
  return routes[0].hops.at(2) == routes[1].hops.at(2);  // GPU, NIC, leaf, spine
}

TEST_CASE("two flows that ECMP puts on one uplink take twice as long") {
  // Two leaves of two nodes, an uplink to each of two spines. Broadcasts of 4.8 GB from node 0 to
  // node 2 and from 1 to 3, one flow each: 100 ms on links of their own, 200 ms on one.
  const topology::Cluster cluster =
      built(nodes(1, 1, 4) + fabric("fat_tree, nodes_per_leaf: 2, spines: 2"));
  const StepBuilder step =
      data_step(2, 2, Collective::broadcast, 4'800'000'000, cost_of_time(0, 100e-3));
  int collisions = 0;
  constexpr int seeds = 16;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const topology::RoutingOptions routing{.ecmp_seed = seed};
    const bool one_link = collide(cluster, routing);
    collisions += one_link ? 1 : 0;
    INFO("seed " << seed);
    check_step_ms(step, cluster, one_link ? 200 : 100, routing);
  }
  CHECK(collisions > 0);
  CHECK(collisions < seeds);
  check_step_ms(step, cluster, 100, {.kind = Routing::adaptive});
}

}  // namespace
}  // namespace sim
