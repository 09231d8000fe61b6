// Exact search against all placements one by one, search by rule against exact, rules of a request.

#include <algorithm>
#include <numeric>

#include "tests/sim/place_support.hpp"

namespace sim::place {
namespace {

/// A cluster of some pods with some racks of one to four nodes.
std::vector<std::string> random_paths(std::mt19937& random, int nodes) {
  std::vector<std::string> paths;
  const int pods = 1 + static_cast<int>(random() % 3);
  while (static_cast<int>(paths.size()) < nodes) {
    const int pod = static_cast<int>(random()) & 0xff;
    const std::string rack = fmt::format("p{}/r{}", pod % pods, random() % 3);
    const std::size_t size =
        std::min<std::size_t>(1 + random() % 4, static_cast<std::size_t>(nodes) - paths.size());
    paths.insert(paths.end(), size, rack);
  }
  return paths;
}

StepDemand random_demand(std::mt19937& random, int slots) {
  StepDemand all;
  all.step = 1;
  all.slots = slots;
  for (int d = 0; d < 2; ++d) {
    std::vector<Edge> edges;
    for (int a = 0; a < slots; ++a)
      for (int b = 0; b < slots; ++b)
        if (a != b && random() % 3 == 0)
          edges.push_back({a, b, static_cast<double>(random() % 100) * 1e9});
    all.demands.push_back(plain_demand(std::move(edges), 0.02));
  }
  return all;
}

Request everything(const topology::Cluster& cluster) {
  Request request;
  request.free = first_nodes(static_cast<int>(cluster.nodes().size()));
  return request;
}

/// The least cost of all ways to give each slot a node, one by one.
Cost least_cost(const StepDemand& demand, const topology::Cluster& cluster,
                const topology::NetworkTree& tree) {
  std::vector<Site> sites;
  for (int node = 0; node < static_cast<int>(cluster.nodes().size()); ++node)
    sites.push_back({tree.home[static_cast<std::size_t>(node)], -1, -1, {node}});
  const Ground ground(demand, cluster, tree, sites);
  std::vector<int> nodes = first_nodes(static_cast<int>(sites.size()));
  const auto slots = static_cast<std::ptrdiff_t>(demand.slots);
  Cost least{1e300, 0};
  do {
    const Cost cost = cost_of(ground, {nodes.begin(), nodes.begin() + slots});
    if (cost.better_than(least)) least = cost;
    std::reverse(nodes.begin() + slots, nodes.end());  // the rest is not asked for
  } while (std::next_permutation(nodes.begin(), nodes.end()));
  return least;
}

TEST_CASE("small jobs get the best of all placements, and never a worse one than in order") {
  std::mt19937 random(7);
  int moved = 0;
  for (int round = 0; round < 60; ++round) {
    const int nodes = 4 + static_cast<int>(random() % 5);
    const int slots = std::min(nodes, 2 + static_cast<int>(random() % 5));
    const topology::Cluster cluster = tree_cluster(random_paths(random, nodes));
    const topology::NetworkTree tree = topology::network_tree(cluster);
    const StepDemand demand = random_demand(random, slots);
    INFO("round " << round << ": " << slots << " of " << nodes);
    const auto answer = assign(demand, cluster, tree, everything(cluster), row_of(slots), 1);
    REQUIRE(answer);
    CHECK(answer->all_seen);
    CHECK(answer->proven);
    const Cost least = least_cost(demand, cluster, tree);
    CHECK(answer->best.cost.step == Approx(least.step).epsilon(1e-9));
    CHECK(answer->best.cost.crossing == Approx(least.crossing).epsilon(1e-9));
    CHECK_FALSE(answer->in_order.cost.better_than(answer->best.cost));
    moved += answer->best.cost.better_than(answer->in_order.cost) ? 1 : 0;
    // Each slot its own node, and the cost is that of these nodes.
    std::vector<int> sorted = answer->best.nodes;
    std::sort(sorted.begin(), sorted.end());
    CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
  }
  CHECK(moved > 20);
}

TEST_CASE("the bound is never above the best, and met by a ring that must leave its rack") {
  std::mt19937 random(11);
  for (int round = 0; round < 40; ++round) {
    const int nodes = 4 + static_cast<int>(random() % 5);
    const int slots = std::min(nodes, 2 + static_cast<int>(random() % 5));
    const topology::Cluster cluster = tree_cluster(random_paths(random, nodes));
    const topology::NetworkTree tree = topology::network_tree(cluster);
    const StepDemand demand = random_demand(random, slots);
    const Ground ground(demand, cluster, tree, sites_of(first_nodes(nodes), cluster, tree, {}));
    INFO("round " << round);
    CHECK(lower_bound(ground) <= least_cost(demand, cluster, tree).step * (1 + 1e-9));
  }
  // Racks of 2 nodes x 8 NICs x 50 GB/s x efficiency, a quarter of that upwards. A ring of 4 slots
  // with 1 TB a hop crosses once each way: 1e12 / up seconds, alone 1 s.
  const topology::Cluster cluster = tree_cluster({"p/a", "p/a", "p/b", "p/b"});
  const topology::NetworkTree tree = topology::network_tree(cluster);
  StepDemand demand;
  demand.step = 3;
  demand.slots = 4;
  std::vector<Edge> edges;
  add_ring(edges, {0, 2, 1, 3}, 1e12);
  demand.demands.push_back(plain_demand(edges, 1));
  const double up = 2 * 8 * 50e9 * cluster.nodes()[0].type->nic_efficiency / 4;
  const auto answer = assign(demand, cluster, tree, everything(cluster), row_of(4), 1);
  REQUIRE(answer);
  CHECK(answer->best.cost.step == Approx(3 + (1e12 / up - 1)));
  const Ground ground(demand, cluster, tree, sites_of(first_nodes(4), cluster, tree, {}));
  CHECK(lower_bound(ground) == Approx(answer->best.cost.step));
  // In order, slots 0 and 1 share a rack and every hop leaves it.
  CHECK(answer->in_order.cost.step == Approx(3 + (2e12 / up - 1)));
}

TEST_CASE("rules of a request are kept") {
  // Racks of 3, 4 and 5 nodes in one pod, one of 6 in another.
  std::vector<std::string> paths;
  for (const auto& [rack, nodes] :
       std::vector<std::pair<std::string, int>>{{"p/a", 3}, {"p/b", 4}, {"p/c", 5}, {"q/d", 6}})
    paths.insert(paths.end(), static_cast<std::size_t>(nodes), rack);
  const topology::Cluster cluster = tree_cluster(paths);
  const topology::NetworkTree tree = topology::network_tree(cluster);
  const std::vector<topology::Level> levels = topology::named_levels(cluster);
  StepDemand demand;
  demand.step = 1;
  demand.slots = 4;
  std::vector<Edge> edges;
  add_ring(edges, {0, 1, 2, 3}, 1e12);
  demand.demands.push_back(plain_demand(edges, 1));
  Request request = everything(cluster);
  const auto racks = [&](const Assigned& assigned) {
    std::vector<int> out;
    for (const int node : assigned.nodes)
      out.push_back(levels[1].domain_of[static_cast<std::size_t>(node)]);
    return out;
  };
  const auto ask = [&] { return assign(demand, cluster, tree, request, row_of(demand.slots), 1); };

  request.within = {&levels[1]};
  request.anywhere = false;
  auto answer = ask();
  REQUIRE(answer);
  CHECK(racks(answer->best) == std::vector<int>{1, 1, 1, 1});  // the tightest of equals
  CHECK(answer->best.domain == "p/b of level rack");

  request.spares = 1;
  answer = ask();
  REQUIRE(answer);
  CHECK(racks(answer->best) == std::vector<int>{2, 2, 2, 2});
  REQUIRE(answer->best.spares.size() == 1);
  CHECK(levels[1].domain_of[static_cast<std::size_t>(answer->best.spares[0])] == 2);

  request.spares = 3;
  answer = ask();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason ==
        "7 nodes are needed in one domain of level rack, 3 of them spares");
  CHECK(answer.error().nearest == "the largest, q/d of level rack, has 6 free nodes");

  request.within = {&levels[1], &levels[0]};
  answer = ask();
  REQUIRE(answer);
  CHECK(answer->best.domain == "p of level pod");

  request = everything(cluster);
  request.spares = 20;
  answer = ask();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason == "24 nodes are needed, 20 of them spares, 18 are free");

  // 3 + 4 + 5 + 6 nodes hold 1 + 2 + 2 + 3 pairs.
  request = everything(cluster);
  request.slice = 2;
  request.slice_level = &levels[1];
  demand.slots = 16;
  edges.clear();
  add_ring(edges, first_nodes(16), 1e12);
  demand.demands = {plain_demand(edges, 1)};
  answer = ask();
  REQUIRE(answer);
  for (std::size_t i = 0; i < 16; i += 2)
    CHECK(racks(answer->best)[i] == racks(answer->best)[i + 1]);
  request.slice = 4;
  answer = ask();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().reason ==
        "4 slices of 4 nodes are needed, each in one domain of level rack");
  CHECK(answer.error().nearest == "3 fit");
}

TEST_CASE("the same request gets the same answer") {
  std::mt19937 random(3);
  const topology::Cluster cluster = tree_cluster(random_paths(random, 40));
  const topology::NetworkTree tree = topology::network_tree(cluster);
  const StepDemand demand = random_demand(random, 24);
  const auto first = assign(demand, cluster, tree, everything(cluster), row_of(24), 1);
  const auto second = assign(demand, cluster, tree, everything(cluster), row_of(24), 1);
  REQUIRE((first && second));
  CHECK(first->best.nodes == second->best.nodes);
  CHECK(first->bound == second->bound);
}

TEST_CASE("what other jobs take of a way out is not there") {
  // Two racks with room for the job each; the first one's way out is half taken by others.
  const topology::Cluster cluster = tree_cluster({"p/a", "p/a", "p/b", "p/b", "p/c", "p/c"}, 4);
  const topology::NetworkTree tree = topology::network_tree(cluster);
  StepDemand demand;
  demand.step = 1;
  demand.slots = 4;
  std::vector<Edge> edges;
  add_ring(edges, {0, 1, 2, 3}, 1e12);
  demand.demands.push_back(plain_demand(edges, 1));
  std::vector<double> background(tree.domains.size(), 0);
  background[static_cast<std::size_t>(tree.home[0])] = 0.5 * tree.domains[1].up.byte();
  const auto answer = assign(demand, cluster, tree, everything(cluster), row_of(4), 1, background);
  REQUIRE(answer);
  for (const int node : answer->best.nodes) CHECK(node >= 2);
}

}  // namespace
}  // namespace sim::place
