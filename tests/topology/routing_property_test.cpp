// Laws that hold for routes in every fabric, whatever is down: random fabrics, random faults.

#include <limits>
#include <map>
#include <random>
#include <set>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

using Random = std::mt19937;

int pick(Random& random, int from, int to) {
  return from + static_cast<int>(random() % static_cast<unsigned>(to - from + 1));
}

std::string random_cluster(Random& random) {
  const int gpus = pick(random, 1, 4);
  const int nics = gpus % 2 == 0 && pick(random, 0, 1) == 0 ? gpus / 2 : gpus;
  const char* const base =
      std::array{"dgx-h100", "g5.48xlarge", "mi300x-8"}[static_cast<unsigned>(pick(random, 0, 2))];
  std::string fabric;
  switch (pick(random, 0, 3)) {
    case 0:
      fabric = fmt::format(
          "kind: dragonfly, routers_per_group: {}, nodes_per_leaf: 1, "
          "global_links_per_router: 4",
          pick(random, 1, 3));
      break;
    case 1: fabric = "kind: single_switch"; break;
    default: {
      const int ports = pick(random, 1, 2);
      fabric = fmt::format(
          "kind: {}, nodes_per_leaf: {}, oversubscription: {}, nic_ports: {}, planes: {}",
          pick(random, 0, 1) == 0 ? "fat_tree" : "rail_optimized", pick(random, 1, 3),
          pick(random, 1, 3), ports, pick(random, 0, 1) == 0 ? 1 : ports);
      if (pick(random, 0, 2) > 0) fabric += fmt::format(", spines: {}", pick(random, 2, 4));
      if (pick(random, 0, 1) == 0)
        fabric += fmt::format(", leaves_per_pod: {}", pick(random, 1, 4) * gpus);
      else
        fabric += fmt::format(", uplink_rate: {} Gbit/s", 100 * pick(random, 1, 4));
    }
  }
  return fmt::format(
      "nodes: {{node: {{base: {}, gpus: {}, nics: {}, nic_rate: 400 Gbit/s}}, count: {}}}\n"
      "fabric: {{{}}}\n",
      base, gpus, nics, pick(random, 2, 6), fabric);
}

/// Some cables of the cluster, by name.
std::string random_faults(Random& random, const Cluster& whole) {
  const auto cable = [&] {
    const auto cables = static_cast<int>(whole.link_count() / 2);
    return fmt::format("'{}'",
                       name_of(whole, static_cast<LinkId>(2 * pick(random, 0, cables - 1))));
  };
  std::string text = "link_down: [" + cable();
  for (int i = pick(random, 0, 3); i > 0; --i) text += ", " + cable();
  const std::string slow = cable();
  return text + "]\nlink_degraded: {" + slow + ": 0.5}\n";
}

std::vector<LinkId> links_of(const Cluster& cluster, const Router& router, std::uint32_t hop) {
  if (hop < cluster.link_count()) return {hop};
  return router.bundles().at(hop - cluster.link_count()).links;
}

/// Follows the hops from device set to device set. A hop that contains the one before it is a share
/// in a larger bundle and goes nowhere.
void check_connects(const Cluster& cluster, const Router& router, const Route& route, GpuId from,
                    GpuId to) {
  std::set<DeviceId> at{cluster.gpu(from)};
  std::vector<LinkId> before;
  for (const std::uint32_t hop : route.hops) {
    const std::vector<LinkId> links = links_of(cluster, router, hop);
    REQUIRE(std::is_sorted(links.begin(), links.end()));
    if (!before.empty() &&
        std::includes(links.begin(), links.end(), before.begin(), before.end())) {
      REQUIRE(links.size() > before.size());
      continue;
    }
    std::set<DeviceId> left;
    std::set<DeviceId> reached;
    for (const LinkId id : links) {
      REQUIRE_FALSE(cluster.link(id).down);
      left.insert(cluster.link(id).from);
      reached.insert(cluster.link(id).to);
    }
    REQUIRE(left == at);
    at = std::move(reached);
    before = links;
  }
  REQUIRE(at == std::set<DeviceId>{cluster.gpu(to)});
}

void check_routes(const Cluster& cluster, const Router& router) {
  const auto gpus = static_cast<GpuId>(cluster.gpu_count());
  for (GpuId from = 0; from < gpus; ++from)
    for (GpuId to = 0; to < gpus; ++to) {
      std::vector<Route> routes;
      REQUIRE(router.route(from, to, routes));
      double sum = 0;
      for (const Route& route : routes) {
        check_connects(cluster, router, route, from, to);
        REQUIRE(route.share > 0);
        sum += route.share;
      }
      REQUIRE(sum == Approx(1));
    }
  std::set<std::vector<LinkId>> seen;
  for (const Bundle& bundle : router.bundles()) {
    REQUIRE(bundle.links.size() > 1);
    REQUIRE(seen.insert(bundle.links).second);
    base::BytesPerSecond rate;
    for (const LinkId link : bundle.links) rate += cluster.link(link).rate;
    REQUIRE(bundle.rate.byte() == Approx(rate.byte()));
  }
}

/// A transfer as a simulator sees it: what part of it crosses which hop between switches.
struct Flow {
  std::map<std::uint32_t, double> shares;
  std::map<DeviceId, double> out;  ///< of edge switches, to other switches
  std::map<DeviceId, double> in;
  double rate = 0;
};

Flow flow_of(const Cluster& cluster, const Router& router, const std::vector<Route>& routes) {
  Flow flow;
  for (const Route& route : routes) {
    std::vector<DeviceId> edges;
    for (const std::uint32_t hop : route.hops) {
      const Link& link = cluster.link(links_of(cluster, router, hop).front());
      const bool from_switch = cluster.device(link.from).tier > 0;
      const bool to_switch = cluster.device(link.to).tier > 0;
      if (from_switch && to_switch) flow.shares[hop] += route.share;
      if (from_switch != to_switch) edges.push_back(from_switch ? link.from : link.to);
    }
    if (edges.empty() || edges.front() == edges.back()) continue;
    flow.out[edges.front()] += route.share;
    flow.in[edges.back()] += route.share;
  }
  return flow;
}

/// Max-min fair rates: all grow together, and those through a full hop stop.
void fill(const Cluster& cluster, const Router& router, std::vector<Flow>& flows) {
  std::map<std::uint32_t, double> room;
  for (const Flow& flow : flows)
    for (const auto& [hop, share] : flow.shares)
      room[hop] = hop < cluster.link_count()
                      ? cluster.link(hop).rate.byte()
                      : router.bundles().at(hop - cluster.link_count()).rate.byte();
  std::vector<bool> stopped(flows.size());
  while (true) {
    std::map<std::uint32_t, double> growing;
    for (std::size_t i = 0; i < flows.size(); ++i)
      for (const auto& [hop, share] : flows[i].shares)
        if (!stopped[i]) growing[hop] += share;
    if (growing.empty()) return;
    double step = std::numeric_limits<double>::infinity();
    for (const auto& [hop, share] : growing) step = std::min(step, room[hop] / share);
    std::set<std::uint32_t> full;
    for (const auto& [hop, share] : growing)
      if (room[hop] / share <= step * (1 + 1e-9)) full.insert(hop);
    for (const auto& [hop, share] : growing) room[hop] -= step * share;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      if (stopped[i]) continue;
      flows[i].rate += step;
      for (const auto& [hop, share] : flows[i].shares)
        if (full.contains(hop)) stopped[i] = true;
    }
  }
}

/// Transfers of one GPU to or from all others that only cables between switches hold back: no edge
/// switch sends to others, or takes from them, more than its live cables carry.
void check_capacity(const Cluster& cluster, const Router& router, GpuId hot, bool sends) {
  std::vector<Flow> flows;
  for (GpuId other = 0; other < static_cast<GpuId>(cluster.gpu_count()); ++other) {
    std::vector<Route> routes;
    REQUIRE(router.route(sends ? hot : other, sends ? other : hot, routes));
    Flow flow = flow_of(cluster, router, routes);
    if (!flow.shares.empty()) flows.push_back(std::move(flow));
  }
  fill(cluster, router, flows);
  std::map<DeviceId, double> room;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    if (!link.down && cluster.device(link.from).tier > 0 && cluster.device(link.to).tier > 0)
      room[link.from] += link.rate.byte();
  }
  std::map<DeviceId, double> out;
  std::map<DeviceId, double> in;
  for (const Flow& flow : flows) {
    for (const auto& [leaf, share] : flow.out) out[leaf] += share * flow.rate;
    for (const auto& [leaf, share] : flow.in) in[leaf] += share * flow.rate;
  }
  for (const auto& [leaf, rate] : out) REQUIRE(rate <= room[leaf] * (1 + 1e-6));
  for (const auto& [leaf, rate] : in) REQUIRE(rate <= room[leaf] * (1 + 1e-6));
}

TEST_CASE("routes of random fabrics with random faults are walks over live cables") {
  int faulty = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const std::string yaml = random_cluster(random);
    const base::Result<Cluster> whole = cluster_from(yaml);
    INFO("seed " << seed << "\n" << yaml << (whole ? "" : text_of(whole.error())));
    if (!whole) continue;  // such sizes do not go together
    const std::string faults = random_faults(random, *whole);
    const base::Result<Cluster> cut = cluster_from(yaml, faults);
    INFO(faults << (cut ? "" : text_of(cut.error())));
    faulty += cut ? 1 : 0;
    for (const Routing kind : {Routing::ecmp, Routing::adaptive})
      for (const bool pxn : {true, false}) {
        const RoutingOptions options{.kind = kind, .ecmp_seed = seed, .pxn = pxn};
        for (const Cluster* cluster : {&*whole, cut ? &*cut : nullptr}) {
          if (cluster == nullptr) continue;  // nobody can go there any more
          const Router router(*cluster, options);
          check_routes(*cluster, router);
          const auto hot = static_cast<GpuId>(pick(random, 0, cluster->gpu_count() - 1));
          for (const bool sends : {true, false}) check_capacity(*cluster, router, hot, sends);
        }
      }
  }
  CHECK(faulty > 50);
}

TEST_CASE("equal leaves are equal: moving all nodes by one rack moves loads by one leaf") {
  const base::Result<Cluster> cluster = cluster_from(
      "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 1, oversubscription: 2}\n");
  REQUIRE(cluster);
  const Router router(*cluster, {.kind = Routing::adaptive});
  const auto rates = [&](GpuId from, GpuId to) {
    std::vector<Route> routes;
    REQUIRE(router.route(from, to, routes));
    REQUIRE(routes.size() == 1);
    std::vector<double> found;
    for (const std::uint32_t hop : routes[0].hops)
      found.push_back(hop < cluster->link_count()
                          ? cluster->link(hop).rate.byte()
                          : router.bundles().at(hop - cluster->link_count()).rate.byte());
    return found;
  };
  const auto gpus = static_cast<GpuId>(cluster->gpu_count());
  for (GpuId from = 0; from < gpus; ++from)
    for (GpuId to = 0; to < gpus; ++to)
      CHECK(rates(from, to) == rates((from + 2) % gpus, (to + 2) % gpus));
}

}  // namespace
}  // namespace topology
