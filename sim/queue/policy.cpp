#include "sim/queue/policy.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "sim/place/assign.hpp"

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

/// How a domain's job is divided over the domains inside it.
enum class Split {
  fullest_first,  ///< most free first; the last part into the one that it fills best
  crumbs_first,   ///< least free first
};

class Descent {
 public:
  Descent(const Occupancy& occupancy, const Request& request, Split split)
      : occupancy_(occupancy), capacities_(occupancy.capacities(request.gpus)), split_(split) {}

  Found place(const Request& request) {
    if (request.nodes == 1) return tightest_node(request.gpus);
    const auto domain = tightest(occupancy_.tree(), capacities_, request.nodes);
    if (!domain) return std::nullopt;
    take(*domain, request.nodes);
    return std::move(taken_);
  }

 private:
  /// One with as few free GPUs as will do, of these under the leaf with fewest nodes that fit: so
  /// nodes and leaves stay whole.
  Found tightest_node(int gpus) const {
    const std::size_t above = occupancy_.tree().levels.size() - 2;
    const std::vector<int>& leaf_of = occupancy_.tree().levels[above].of_node;
    int best = -1;
    std::pair<int, int> best_key;
    for (int node = 0; node < occupancy_.nodes(); ++node) {
      if (!occupancy_.fits(node, gpus)) continue;
      const std::pair key(occupancy_.free_of(node), capacities_[above][at(leaf_of[at(node)])]);
      if (best >= 0 && key >= best_key) continue;
      best = node;
      best_key = key;
    }
    return best < 0 ? Found() : Found(Nodes{best});
  }

  void take(Domain domain, int nodes) {
    const Tree& tree = occupancy_.tree();
    if (domain.level + 1 == tree.levels.size()) {
      taken_.push_back(domain.index);
      return;
    }
    const std::vector<int>& capacity = capacities_[domain.level + 1];
    std::vector<int> order;
    for (const int child : tree.levels[domain.level].children[at(domain.index)])
      if (capacity[at(child)] > 0) order.push_back(child);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return split_ == Split::fullest_first ? capacity[at(a)] > capacity[at(b)]
                                            : capacity[at(a)] < capacity[at(b)];
    });
    for (std::size_t i = 0; nodes > 0; ++i) {
      int child = order[i];
      if (split_ == Split::fullest_first)
        for (const int other : order)  // the tightest that holds the rest, if any does
          if (capacity[at(other)] >= nodes && capacity[at(other)] < capacity[at(child)])
            child = other;
      const int part = std::min(nodes, capacity[at(child)]);
      take({domain.level + 1, child}, part);
      nodes -= part;
    }
  }

  const Occupancy& occupancy_;
  Capacities capacities_;
  Split split_;
  Nodes taken_;
};

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
  return Descent(occupancy, job.request, Split::crumbs_first).place(job.request);
}

Found fullest_first(const Occupancy& occupancy, const Profile& job, const Background& /*others*/) {
  return Descent(occupancy, job.request, Split::fullest_first).place(job.request);
}

/// Levels between two nodes and the finest domain that holds both.
int distance(const Tree& tree, int a, int b) {
  int level = static_cast<int>(tree.levels.size()) - 2;
  while (tree.levels[at(level)].of_node[at(a)] != tree.levels[at(level)].of_node[at(b)]) --level;
  return static_cast<int>(tree.levels.size()) - 2 - level;
}

/// Inside the lowest switch that holds the job: the leaf with most free nodes, then always the
/// nearest to those taken, of these the one that the rest fills best, else the one with most.
Found slurm_tree(const Occupancy& occupancy, const Profile& job, const Background& others) {
  const Request& request = job.request;
  const Tree& tree = occupancy.tree();
  const Capacities capacities = occupancy.capacities(request.gpus);
  const auto domain = tightest(tree, capacities, request.nodes);
  if (!domain) return std::nullopt;
  if (request.nodes == 1) return fullest_first(occupancy, job, others);
  const std::size_t leaf_level = tree.levels.size() - 2;
  const Tree::Level& leaves = tree.levels[leaf_level];
  std::vector<Nodes> free(leaves.domains.size());
  for (int node = 0; node < occupancy.nodes(); ++node)
    if (tree.levels[domain->level].of_node[at(node)] == domain->index &&
        occupancy.fits(node, request.gpus))
      free[at(leaves.of_node[at(node)])].push_back(node);
  Nodes taken;
  while (static_cast<int>(taken.size()) < request.nodes) {
    const int left = request.nodes - static_cast<int>(taken.size());
    int best = -1;
    std::tuple<int, bool, int> best_key;
    for (int leaf = 0; leaf < static_cast<int>(free.size()); ++leaf) {
      if (free[at(leaf)].empty()) continue;
      const int count = static_cast<int>(free[at(leaf)].size());
      const bool short_of = count < left;
      int near = 0;
      if (!taken.empty()) {
        near = distance(tree, free[at(leaf)].front(), taken.front());
        for (const int node : taken)
          near = std::min(near, distance(tree, free[at(leaf)].front(), node));
      }
      const bool tight = !taken.empty() && !short_of;
      const std::tuple key(near, !taken.empty() && short_of, tight ? count : -count);
      if (best < 0 || key < best_key) {
        best = leaf;
        best_key = key;
      }
    }
    CHECK_INVARIANT(best >= 0);
    Nodes& here = free[at(best)];
    const std::size_t part = std::min(here.size(), at(left));
    taken.insert(taken.end(), here.begin(), here.begin() + static_cast<std::ptrdiff_t>(part));
    here.clear();
  }
  return taken;
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
    return fullest_first(occupancy, job, others);
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
  return found ? Found(found->best.nodes) : fullest_first(occupancy, job, others);
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
      {"kueue", "the lowest domain that holds it, fullest first, the last part tight",
       fullest_first},
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
