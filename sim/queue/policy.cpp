#include "sim/queue/policy.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.hpp"
#include "sim/place/assign.hpp"
#include "sim/place/rules.hpp"

namespace sim::queue {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

using Nodes = std::vector<int>;
using Found = std::optional<Nodes>;
using Capacities = std::vector<std::vector<int>>;

struct Domain {
  std::size_t level = 0;
  int index = 0;
};

/// The finest level of switches at which one domain holds the job, and there the one that it fills
/// best.
std::optional<Domain> tightest(const Tree& tree, const Capacities& capacities, int nodes) {
  const std::size_t last = tree.levels.size() - 1;
  for (std::size_t level = nodes == 1 ? last : last - 1;; --level) {
    const std::vector<int>& here = capacities[level];
    int best = -1;
    for (int domain = 0; domain < static_cast<int>(here.size()); ++domain)
      if (here[at(domain)] >= nodes && (best < 0 || here[at(domain)] < here[at(best)]))
        best = domain;
    if (best >= 0) return Domain{level, best};
    if (level == 0) return std::nullopt;
  }
}

/// One node with as few free GPUs as will do, of these under the leaf with fewest nodes that fit:
/// so nodes and leaves stay whole.
Found tightest_node(const Occupancy& occupancy, int gpus) {
  const std::size_t above = occupancy.tree().levels.size() - 2;
  const std::vector<int>& leaf_of = occupancy.tree().levels[above].of_node;
  const std::vector<int> fitting = occupancy.capacities(gpus)[above];
  int best = -1;
  std::pair<int, int> best_key;
  for (int node = 0; node < occupancy.nodes(); ++node) {
    if (!occupancy.fits(node, gpus)) continue;
    const std::pair key(occupancy.free_of(node), fitting[at(leaf_of[at(node)])]);
    if (best >= 0 && key >= best_key) continue;
    best = node;
    best_key = key;
  }
  return best < 0 ? Found() : Found(Nodes{best});
}

/// Divides a job over the domains inside one, those with least free nodes first.
void take_crumbs(const Tree& tree, const Capacities& capacities, Domain domain, int nodes,
                 Nodes& taken) {
  if (domain.level + 1 == tree.levels.size()) {
    taken.push_back(domain.index);
    return;
  }
  const std::vector<int>& capacity = capacities[domain.level + 1];
  std::vector<int> order;
  for (const int child : tree.levels[domain.level].children[at(domain.index)])
    if (capacity[at(child)] > 0) order.push_back(child);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return capacity[at(a)] < capacity[at(b)]; });
  for (std::size_t i = 0; nodes > 0; ++i) {
    const int part = std::min(nodes, capacity[at(order[i])]);
    take_crumbs(tree, capacities, {domain.level + 1, order[i]}, part, taken);
    nodes -= part;
  }
}

/// A place on each node that fits, below the domains that have any.
place::RoomTree rooms_of(const Occupancy& occupancy, int gpus) {
  const Tree& tree = occupancy.tree();
  const Capacities capacities = occupancy.capacities(gpus);
  place::RoomTree rooms;
  rooms.depth = static_cast<int>(tree.levels.size()) - 1;
  rooms.vertices.push_back({.parent = -1, .depth = 0, .room = capacities[0][0], .children = {}});
  std::vector<std::pair<int, int>> here{{0, 0}};  // domain of a level, its vertex
  for (std::size_t level = 1; level < tree.levels.size(); ++level) {
    const bool nodes = level + 1 == tree.levels.size();
    std::vector<std::pair<int, int>> next;
    for (const auto& [domain, vertex] : here)
      for (const int child : tree.levels[level - 1].children[at(domain)]) {
        if (capacities[level][at(child)] == 0) continue;
        next.emplace_back(child, static_cast<int>(rooms.vertices.size()));
        rooms.vertices[at(vertex)].children.push_back(next.back().second);
        rooms.vertices.push_back({.parent = vertex,
                                  .depth = static_cast<int>(level),
                                  .room = capacities[level][at(child)],
                                  .children = {},
                                  .node = nodes ? child : -1});
      }
    here = std::move(next);
  }
  return rooms;
}

using Background = std::vector<double>;

Found first_fit(const Occupancy& occupancy, const Profile& job, const Background& /*others*/) {
  const Request& request = job.request;
  Nodes nodes;
  for (int node = 0; node < occupancy.nodes() && static_cast<int>(nodes.size()) < request.nodes;
       ++node)
    if (occupancy.fits(node, request.gpus)) nodes.push_back(node);
  return static_cast<int>(nodes.size()) == request.nodes ? Found(std::move(nodes)) : Found();
}

Found best_fit(const Occupancy& occupancy, const Profile& job, const Background& /*others*/) {
  const Request& request = job.request;
  if (request.nodes == 1) return tightest_node(occupancy, request.gpus);
  const Capacities capacities = occupancy.capacities(request.gpus);
  const auto domain = tightest(occupancy.tree(), capacities, request.nodes);
  if (!domain) return std::nullopt;
  Nodes taken;
  take_crumbs(occupancy.tree(), capacities, *domain, request.nodes, taken);
  return taken;
}

/// By a row of place::rules(). Which of the nodes that fit a job of one gets is the same for all.
Found by_rule(std::string_view name, const Occupancy& occupancy, const Request& request) {
  if (request.nodes == 1) return tightest_node(occupancy, request.gpus);
  const auto rules = place::rules();
  const auto rule = std::find_if(rules.begin(), rules.end(),
                                 [&](const place::Rule& one) { return one.name == name; });
  CHECK_INVARIANT(rule != rules.end());
  return place::nodes_by(*rule, rooms_of(occupancy, request.gpus), request.nodes);
}

Found kueue(const Occupancy& occupancy, const Profile& job, const Background& /*others*/) {
  return by_rule("Kueue BestFit", occupancy, job.request);
}

Found slurm_tree(const Occupancy& occupancy, const Profile& job, const Background& /*others*/) {
  return by_rule("Slurm topology/tree", occupancy, job.request);
}

/// Work of one search: of thousands of placements none may take seconds.
constexpr double effort = 0.002;

/// In the smallest domain that holds the job, where and in which order its step is shortest beside
/// those that run. Under one leaf all places are alike.
Found by_cost(const Occupancy& occupancy, const Profile& job, const Background& others) {
  const Tree& tree = occupancy.tree();
  const Request& request = job.request;
  const auto domain = tightest(tree, occupancy.capacities(request.gpus), request.nodes);
  if (!domain) return std::nullopt;
  if (domain->level + 2 >= tree.levels.size() || job.demand.demands.empty())
    return kueue(occupancy, job, others);
  place::Request wanted;
  wanted.effort = effort;
  const std::vector<int>& domain_of = tree.levels[domain->level].of_node;
  const std::vector<topology::NodeInfo>& nodes = tree.cluster->nodes();
  for (int node = 0; node < occupancy.nodes(); ++node)
    if (domain_of[at(node)] == domain->index && occupancy.fits(node, request.gpus) &&
        (wanted.free.empty() || nodes[at(node)].type == nodes[at(wanted.free.front())].type))
      wanted.free.push_back(node);
  const auto found = place::assign(job.demand, *tree.cluster, tree.network, wanted, job.grid,
                                   request.gpus, others);
  return found ? Found(found->best.nodes) : kueue(occupancy, job, others);
}

}  // namespace

Occupancy::Occupancy(const Tree& tree, std::vector<int> gpus)
    : tree_(&tree), gpus_(std::move(gpus)), free_(gpus_) {}

void Occupancy::take(std::span<const int> nodes, int gpus) {
  for (const int node : nodes) {
    CHECK_INVARIANT(fits(node, gpus));
    free_[at(node)] -= gpus;
  }
}

void Occupancy::give(std::span<const int> nodes, int gpus) {
  for (const int node : nodes) {
    free_[at(node)] += gpus;
    CHECK_INVARIANT(free_of(node) <= gpus_of(node));
  }
}

std::vector<std::vector<int>> Occupancy::capacities(int gpus) const {
  std::vector<std::vector<int>> counts;
  for (const Tree::Level& level : tree_->levels) {
    counts.emplace_back(level.domains.size(), 0);
    for (int node = 0; node < nodes(); ++node)
      if (fits(node, gpus)) ++counts.back()[at(level.of_node[at(node)])];
  }
  return counts;
}

std::span<const Policy> policies() {
  static const std::array<Policy, 5> all{{
      {"first-fit", "the first nodes that are free, whatever their switches", first_fit},
      {"best-fit", "the smallest domain that holds the job, crumbs first inside", best_fit},
      {"kueue", "the lowest domain that holds it, fullest first, the last part tight", kueue},
      {"slurm-tree", "leaves near each other, from the one with most free nodes", slurm_tree},
      {"foreshard", "in the smallest domain that holds it, where its step is shortest", by_cost},
  }};
  return all;
}

const Policy* find_policy(std::string_view name) {
  for (const Policy& policy : policies())
    if (policy.name == name) return &policy;
  return nullptr;
}

}  // namespace sim::queue
