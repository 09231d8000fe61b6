// Laws of time on shared links: random clusters, faults, placements, algorithms and prices.

#include <cmath>
#include <map>
#include <memory>
#include <numeric>

#include "sim/collective_sweep.hpp"
#include "sim/collectives/collectives.hpp"
#include "tests/sim/contention_support.hpp"
#include "tests/sim/random_step.hpp"

namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;
using topology::GpuId;
using topology::LinkId;
using topology::Routing;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Any of some words.
template <std::size_t N>
std::string one_of(Dice& pick, const std::array<const char*, N>& words) {
  return words[at(pick(static_cast<int>(N)))];
}

/// A network for nodes that are joined: one switch, a dragonfly, or a tree with any shortage above.
std::string random_fabric(Dice& pick) {
  const int kind = pick(6);
  if (kind == 0) return "kind: single_switch";
  if (kind == 1)
    return fmt::format(
        "kind: dragonfly, routers_per_group: {}, nodes_per_leaf: 1, global_links_per_router: 5",
        1 + pick(3));
  const int ports = kind == 2 ? 2 : 1;
  const std::string tree = one_of<2>(pick, {"fat_tree", "rail_optimized"});
  const int nodes = 1 + pick(3);
  const std::string shortage = one_of<4>(pick, {"1", "2", "4", "7"});
  return fmt::format(
      "kind: {}, nodes_per_leaf: {}, oversubscription: {}, nic_ports: {}, planes: {}", tree, nodes,
      shortage, ports, pick(2) == 0 ? 1 : ports);
}

/// Two to six nodes of one to four GPUs under any fabric, and some faults that leave all reachable.
topology::Cluster random_cluster(Dice& pick) {
  const int gpus = 1 + pick(4);
  const int nics = gpus % 2 == 0 && pick(2) == 0 ? gpus / 2 : gpus;
  const int nodes = 2 + pick(5);
  const std::string base = one_of<4>(pick, {"dgx-h100", "dgx-h100", "mi300x-8", "g5.48xlarge"});
  const std::string yaml = fmt::format(
      "nodes: {{node: {{base: {}, gpus: {}, nics: {}, nic_rate: 400 Gbit/s}}, count: {}}}\n"
      "fabric: {{{}}}\n",
      base, gpus, nics, nodes, random_fabric(pick));
  topology::Cluster whole = built(yaml);
  if (pick(2) == 0) return whole;
  const auto cable = [&] {
    const auto cables = static_cast<int>(whole.link_count() / 2);
    return fmt::format("'{}'", topology::name_of(whole, static_cast<LinkId>(2 * pick(cables))));
  };
  const int tenths = 1 + pick(9);
  std::string faults = fmt::format("link_degraded: {{{}: 0.{}}}\n", cable(), tenths);
  if (pick(2) == 0) faults += "link_down: " + cable() + "\n";
  base::Result<topology::Cluster> faulty = topology::cluster_from(yaml, faults);
  return faulty ? std::move(*faulty) : whole;
}

/// A step on a cluster: rank r sits on gpus[r].
struct Case {
  topology::Cluster cluster;
  topology::RoutingOptions routing;
  StepGraph graph;
  std::vector<GpuId> gpus;
  std::string words;
};

struct Choice {
  base::CollectiveAlgorithm algorithm;
  Collective op;
};

/// All that algorithms offer.
std::vector<Choice> choices() {
  std::vector<Choice> all;
  for (const collectives::Algorithm& algorithm : collectives::algorithms())
    for (const auto& [name, op] : base::collective_names)
      if (algorithm.supports(op)) all.push_back({algorithm.id, op});
  return all;
}

/// Prices from 1 ns, as of a library that is faster than any link, to 1 s, as of one that leaves
/// all links idle.
calibrate::CollectiveCost random_price(Dice& pick) {
  const double latency = 1e-6 * pick(20);
  return cost_of_time(latency, latency + std::pow(10.0, -9 + pick(10)));
}

/// One to three groups along the data axis do `choice` at once; now and then something else after
/// it, or groups across these something else beside it.
Case random_case(unsigned seed, const Choice& choice) {
  Dice pick(seed);
  topology::Cluster cluster = random_cluster(pick);
  const int overlap = std::min(1 + pick(3), cluster.gpu_count());
  const int data = cluster.gpu_count() / overlap;
  std::vector<GpuId> gpus = in_order(cluster.gpu_count());
  if (pick(2) == 0)
    for (std::size_t i = gpus.size(); i > 1; --i)
      std::swap(gpus[i - 1], gpus[at(pick(static_cast<int>(i)))]);
  gpus.resize(at(overlap * data));

  StepBuilder step(overlap, 1, data, 1, any_machine(overlap * data));
  const auto add = [&](const Choice& what, Axis axis, Stream stream) {
    const std::int64_t bytes = 1000LL * (1 + pick(100'000));
    const int use = step.collective(what.op, axis, bytes, random_price(pick));
    for (calibrate::CollectiveCost& cost : step.graph().collectives[at(use)].cost)
      cost.algorithm = what.algorithm;
    step.task(0, TaskKind::collective, stream, use);
  };
  add(choice, Axis::data_shard, Stream::data_comm);
  const std::vector<Choice> all = choices();
  const auto other = [&] { return all[at(pick(static_cast<int>(all.size())))]; };
  if (pick(4) == 0) add(other(), Axis::data_shard, Stream::data_comm);
  if (pick(2) == 0) add(other(), Axis::tensor, Stream::replica_comm);
  const topology::RoutingOptions routing{.kind = pick(2) == 0 ? Routing::ecmp : Routing::adaptive,
                                         .ecmp_seed = static_cast<std::uint64_t>(pick(1000)),
                                         .pxn = pick(2) == 0};
  Case made{std::move(cluster), routing, step.graph(), std::move(gpus), ""};
  place_on(made.graph, made.cluster, made.gpus);
  made.words =
      fmt::format("seed {}: {} {}, {} groups of {} on {}, {}", seed,
                  base::name_of(choice.algorithm), base::name_of(choice.op), overlap, data,
                  made.cluster.fabric(), routing.kind == Routing::ecmp ? "ECMP" : "adaptive");
  return made;
}

/// Every so many seeds another of all choices.
Case any_case(unsigned seed) {
  const std::vector<Choice> all = choices();
  return random_case(seed, all[seed % all.size()]);
}

double play_s(const Case& one, const engine::Fabric& fabric, bool flow = true) {
  return engine::play_in_child(one.graph, fabric, one.gpus, {.private_as_durations = !flow})
      .step.s();
}

double play_s(const Case& one, bool flow = true) {
  return play_s(one, engine::fabric_of(one.cluster, one.routing), flow);
}

/// In a mesh each member spreads what it sends over all who receive, by what they get.
template <class Visit>
void for_meshed(const std::map<std::pair<int, GpuId>, double>& sent,
                const std::map<std::pair<int, GpuId>, double>& received, Visit visit) {
  for (const auto& [from, bytes] : sent) {
    double others = 0;
    for (const auto& [to, got] : received)
      if (to.first == from.first && to != from) others += got;
    for (const auto& [to, got] : received)
      if (to.first == from.first && to != from) visit(from.second, to.second, bytes * got / others);
  }
}

/// Calls `visit(from, to, bytes)` for what each collective sends from GPU to GPU; without `inside`
/// only from domain to domain.
template <class Visit>
void for_flows(const StepGraph& graph, const engine::Fabric& fabric, const std::vector<GpuId>& gpus,
               bool inside, Visit visit) {
  for (const CollectiveUse& use : graph.collectives)
    for (int group = 0; group < graph.grid.group_count(use.axes); ++group) {
      const std::vector<int> ranks = graph.grid.members(group, use.axes);
      std::vector<collectives::Member> places;
      for (const int rank : ranks)
        places.push_back(
            {fabric.domain_of_gpu[gpus[at(rank)]], fabric.rail_of_gpu[gpus[at(rank)]]});
      const collectives::Expansion sent = collectives::algorithm(use.cost.front().algorithm)
                                              .expand({use.op, use.bytes, use.shares}, places);
      std::map<std::pair<int, GpuId>, double> out;  // by domain and GPU, of meshes
      std::map<std::pair<int, GpuId>, double> in;
      for (const collectives::Flow& flow : sent.flows) {
        const GpuId from = gpus[at(ranks[at(flow.from)])];
        const GpuId to = gpus[at(ranks[at(flow.to)])];
        const int domain = places[at(flow.from)].domain;
        const bool local = domain == places[at(flow.to)].domain;
        if (local && inside && fabric.meshed_gpu[from] &&
            use.cost.front().algorithm != base::CollectiveAlgorithm::direct) {
          out[{domain, from}] += flow.bytes.as_double();
          in[{domain, to}] += flow.bytes.as_double();
        } else if (inside || !local) {
          visit(from, to, flow.bytes.as_double());
        }
      }
      for_meshed(out, in, visit);
    }
}

/// The seconds that the busiest link or bundle needs for all bytes that collectives put on it, and
/// the least latency: no schedule is faster.
double link_bound(const StepGraph& graph, const engine::Fabric& fabric,
                  const std::vector<GpuId>& gpus, bool flow) {
  double latency = graph.collectives.front().cost.front().latency.s();
  for (const CollectiveUse& use : graph.collectives)
    latency = std::min(latency, use.cost.front().latency.s());
  std::vector<double> bytes;
  std::vector<topology::Route> routes;
  for_flows(graph, fabric, gpus, flow, [&](GpuId from, GpuId to, double sent) {
    routes.clear();
    REQUIRE(fabric.route(from, to, routes));
    for (const topology::Route& route : routes)
      for (const std::uint32_t hop : route.hops) {
        if (hop >= bytes.size()) bytes.resize(hop + 1, 0);
        bytes[hop] += sent * route.share;
      }
  });
  double busiest = 0;
  for (std::size_t link = 0; link < bytes.size(); ++link) {
    const double rate = link < fabric.link_rate.size()
                            ? fabric.link_rate[link]
                            : fabric.bundles()[link - fabric.link_rate.size()].rate.byte();
    if (bytes[link] > 0) busiest = std::max(busiest, bytes[link] / rate);
  }
  return busiest > 0 ? latency + busiest : 0;
}

/// What the slowest collective asks for; those of a group of one are nothing.
double price_bound(const StepGraph& graph) {
  double most = 0;
  for (const CollectiveUse& use : graph.collectives)
    if (graph.grid.extent(use.axes) > 1) most = std::max(most, use.cost.front().total.time.s());
  return most;
}

TEST_CASE("no step is faster than its busiest link or its slowest price") {
  int by_links = 0;
  int by_price = 0;
  const std::vector<Choice> all = choices();
  CHECK(all.size() >= 40);
  for (unsigned seed = 0; seed < 6 * all.size(); ++seed) {
    const Case one = any_case(seed);
    for (const bool flow : {true, false}) {
      INFO(one.words << (flow ? ", flow" : ", hybrid"));
      const double time = play_s(one, flow);
      const double links =
          link_bound(one.graph, engine::fabric_of(one.cluster, one.routing), one.gpus, flow);
      const double price = price_bound(one.graph);
      CHECK(time >= links * (1 - 1e-6));
      CHECK(time >= price * (1 - 1e-6));
      by_links += time < links * 1.01 && links > price ? 1 : 0;
      by_price += time < price * 1.01 && price > links ? 1 : 0;
    }
  }
  // Both bounds are often met, so neither is empty words.
  CHECK(by_links > 100);
  CHECK(by_price > 100);
}

TEST_CASE("on real networks folding and leaving out calm links change no time") {
  int folded = 0;
  for (unsigned seed = 1000; seed < 1150; ++seed) {
    const Case one = any_case(seed);
    INFO(one.words);
    const engine::Fabric fabric = engine::fabric_of(one.cluster, one.routing);
    const auto play = [&](bool fold, bool everything) {
      return engine::play_in_child(
          one.graph, fabric, one.gpus,
          {.private_as_durations = false, .fold = fold, .everything_shared = everything});
    };
    const Timeline lean = play(true, false);
    const Timeline full = play(false, true);
    folded += lean.actors < full.actors ? 1 : 0;
    CHECK(lean.link_bytes == full.link_bytes);
    for (int rank = 0; rank < one.graph.grid.size(); ++rank)
      for (std::uint32_t task = 0; task < one.graph.programs.front().tasks.size(); ++task)
        CHECK(lean.span(rank, task).end == Approx(full.span(rank, task).end).epsilon(1e-6));
  }
  CHECK(folded > 50);
}

TEST_CASE("all that goes from node to node leaves a NIC and enters one") {
  using topology::DeviceKind;
  const auto is_switch = [](DeviceKind kind) {
    return kind == DeviceKind::leaf || kind == DeviceKind::spine || kind == DeviceKind::core;
  };
  for (unsigned seed = 2000; seed < 2200; ++seed) {
    const Case one = any_case(seed);
    const engine::Fabric fabric = engine::fabric_of(one.cluster, one.routing);
    const Timeline timeline = engine::play_in_child(one.graph, fabric, one.gpus, {});
    double sent = 0;
    for_flows(one.graph, fabric, one.gpus, false,
              [&](GpuId, GpuId, double bytes) { sent += bytes; });
    double out = 0;
    double in = 0;
    std::vector<double> balance(one.cluster.device_count(), 0);
    for (LinkId id = 0; id < one.cluster.link_count(); ++id) {
      const topology::Link& link = one.cluster.link(id);
      const DeviceKind from = one.cluster.device(link.from).kind;
      const DeviceKind to = one.cluster.device(link.to).kind;
      if (from == DeviceKind::nic && is_switch(to)) out += timeline.link_bytes[id];
      if (to == DeviceKind::nic && is_switch(from)) in += timeline.link_bytes[id];
      balance[link.from] -= timeline.link_bytes[id];
      balance[link.to] += timeline.link_bytes[id];
    }
    INFO(one.words);
    CHECK(out == Approx(sent).epsilon(1e-9));
    CHECK(in == Approx(sent).epsilon(1e-9));
    // NICs and leaves pass on all that they get. Spines of a bundle whose cables differ
    // need not: levels are balanced each for itself.
    for (topology::DeviceId id = 0; id < one.cluster.device_count(); ++id) {
      const DeviceKind kind = one.cluster.device(id).kind;
      if (kind == DeviceKind::nic || kind == DeviceKind::leaf)
        CHECK(std::abs(balance[id]) <= 1e-9 * (sent + 1));
    }
  }
}

/// Rates of links and bundles times `by`.
engine::Fabric faster(engine::Fabric fabric, double by) {
  for (double& rate : fabric.link_rate) rate *= by;
  const auto bundles = std::make_shared<std::vector<topology::Bundle>>();
  fabric.bundles = [plain = fabric.bundles, bundles, by] {
    const std::span<const topology::Bundle> now = plain();
    for (std::size_t i = bundles->size(); i < now.size(); ++i)
      bundles->push_back({now[i].links, now[i].rate * by});
    return std::span<const topology::Bundle>(*bundles);
  };
  return fabric;
}

TEST_CASE("more bytes are never faster, more bandwidth never slower") {
  int slower = 0;
  int faster_count = 0;
  for (unsigned seed = 3000; seed < 3200; ++seed) {
    Case one = any_case(seed);
    INFO(one.words);
    const engine::Fabric fabric = engine::fabric_of(one.cluster, one.routing);
    const double time = play_s(one, fabric);
    const double on_wide = play_s(one, faster(fabric, 1.5));
    CHECK(on_wide <= time * (1 + 1e-6));
    faster_count += on_wide < time * 0.99 ? 1 : 0;
    for (CollectiveUse& use : one.graph.collectives)
      use.bytes = base::Bytes::from_double(use.bytes.as_double() * 1.3);
    const double of_more = play_s(one, fabric);
    CHECK(of_more >= time * (1 - 1e-6));
    slower += of_more > time * 1.01 ? 1 : 0;
  }
  CHECK(faster_count > 50);
  CHECK(slower > 50);
}

TEST_CASE("twice the bytes at twice the rates take the same time without latency") {
  for (unsigned seed = 4000; seed < 4150; ++seed) {
    Case one = any_case(seed);
    INFO(one.words);
    for (CollectiveUse& use : one.graph.collectives)
      for (calibrate::CollectiveCost& cost : use.cost) {
        cost.total.time = cost.total.time - cost.latency;
        cost.latency = base::Seconds{};
      }
    const engine::Fabric fabric = engine::fabric_of(one.cluster, one.routing);
    const double time = play_s(one, fabric);
    for (CollectiveUse& use : one.graph.collectives)
      use.bytes = base::Bytes::from_count(use.bytes.count() * 2);
    CHECK(play_s(one, faster(fabric, 2)) == Approx(time).epsilon(1e-5));  // whole bytes
  }
}

/// 0 to n - 1 in another order.
std::vector<GpuId> shuffled(int n, Dice& pick) {
  std::vector<GpuId> order = in_order(n);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[at(pick(static_cast<int>(i)))]);
  return order;
}

TEST_CASE("other numbers for equal nodes and GPUs change nothing") {
  const std::vector<Choice> all = choices();
  for (unsigned seed = 5000; seed < 5200; ++seed) {
    Dice pick(seed);
    const int nodes = 2 + pick(4);
    const int gpus = 1 + pick(4);
    const topology::Cluster cluster =
        built(fmt::format("nodes: {{node: {{base: dgx-h100, gpus: {0}, nics: {0}}}, count: {1}}}\n"
                          "fabric: {{kind: single_switch}}\n",
                          gpus, nodes));
    const int tensor = gpus % 2 == 0 ? 1 + pick(2) : 1;
    const Choice& choice = all[seed % all.size()];
    const std::int64_t bytes = 1000LL * (1 + pick(100'000));
    StepBuilder step =
        data_step(tensor, nodes * gpus / tensor, choice.op, bytes, random_price(pick));
    for (calibrate::CollectiveCost& cost : step.graph().collectives.front().cost)
      cost.algorithm = choice.algorithm;
    // Rank r on the same GPU of another node, and nodes with GPUs in another order.
    const std::vector<GpuId> node_order = shuffled(nodes, pick);
    const std::vector<GpuId> gpu_order = shuffled(gpus, pick);
    std::vector<GpuId> moved;
    for (const GpuId node : node_order)
      for (const GpuId gpu : gpu_order) moved.push_back(node * static_cast<GpuId>(gpus) + gpu);
    place_on(step.graph(), cluster, moved);
    const engine::Fabric fabric = engine::fabric_of(cluster, {});
    const Timeline one = engine::play_in_child(step.graph(), fabric, in_order(nodes * gpus), {});
    const Timeline other = engine::play_in_child(step.graph(), fabric, moved, {});
    INFO("seed " << seed << ": " << base::name_of(choice.algorithm) << " "
                 << base::name_of(choice.op) << ", " << nodes << " x " << gpus);
    CHECK(other.step.s() == Approx(one.step.s()).epsilon(1e-6));
    for (int rank = 0; rank < nodes * gpus; ++rank)
      CHECK(other.span(rank, 0).end == Approx(one.span(rank, 0).end).epsilon(1e-6));
    CHECK(std::accumulate(other.link_bytes.begin(), other.link_bytes.end(), 0.0) ==
          Approx(std::accumulate(one.link_bytes.begin(), one.link_bytes.end(), 0.0)));
  }
}

/// A chain inside a node hands the whole buffer from GPU to GPU, but broadcasts and reductions
/// between nodes are priced at what the NICs carry:
///   Hopper: 8 x 48 = 384 GB/s, NVLink has 370.8 GB/s, 3.5 % less;
///   RTX 4090: 12 GB/s, but the slot of a GPU has 31.5 x 0.38 = 11.97 GB/s for the whole down the
///     chain and its eighth of it to the NIC: 9/8 of the buffer, 12.8 % slower.
/// NCCL takes Slingshot (Polaris) at its line rate, of which rings were measured to get 0.73; and a
/// chain through the mesh of its node uses links between others than the root more than those to
/// it.
bool asks_too_much(const std::string& type, int nodes, Collective op) {
  const bool chain = op == Collective::broadcast || op == Collective::reduce;
  if (type == "polaris") return nodes > 1 ? op != Collective::all_to_all : chain;
  const bool tight = type == "dgx-h100" || type == "grand-teton-h100" || type == "rtx-4090-8";
  return tight && nodes > 1 && chain;
}

TEST_CASE("large collectives alone take what NCCL says") {
  const auto backend = calibrate::make_backend({});
  REQUIRE(backend);
  const auto bytes = GENERATE(base::Bytes::from_mib(256), base::Bytes::from_gib(4));
  for (const char* type :
       {"dgx-h100", "dgx-a100", "grand-teton-h100", "dgx-b200", "polaris", "dgx-1v", "rtx-4090-8"})
    for (const int count : {1, 2, 3, 4, 8, 16}) {
      const topology::Cluster cluster =
          built(fmt::format("nodes: {{type: {}, count: {}}}\nfabric: {{kind: {}}}\n", type, count,
                            count > 2 ? "rail_optimized" : "single_switch"));
      for (const Collective op :
           {Collective::all_reduce, Collective::all_gather, Collective::reduce_scatter,
            Collective::all_to_all, Collective::broadcast, Collective::reduce}) {
        Case one{cluster, {}, {}, in_order(cluster.gpu_count()), ""};
        one.graph =
            data_step(1, cluster.gpu_count(), op, bytes.count(), cost_of_time(0, 1)).graph();
        place_on(one.graph, cluster, one.gpus);
        const calibrate::CollectiveCost cost =
            (*backend)->cost(op, bytes, one.graph.groups.front().shapes.front());
        one.graph.collectives.front().cost.front() = cost;
        const double links = link_bound(one.graph, engine::fabric_of(cluster, {}), one.gpus, true);
        const double price = cost.total.time.s();
        const std::vector<CollectiveCall> call{{op, bytes}};
        const double played =
            play_collectives(prices_of(**backend), cluster, call).front().time.s();
        INFO(type << ", " << count << " nodes, " << base::name_of(op) << " as "
                  << base::name_of(cost.algorithm) << ": links " << links << ", price " << price);
        CHECK((links > price * 1.02) == asks_too_much(type, count, op));
        CHECK(played == Approx(std::max(links, price)).epsilon(1e-3));
      }
    }
}

}  // namespace
}  // namespace sim
