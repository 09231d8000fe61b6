#include "sim/place/assign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "sim/place/search.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Jobs up to this size are tried in every way that differs, for at most so many steps.
constexpr int exact_slots_max = 16;
constexpr double exact_steps = 400'000;

/// Work of the local search of one request, in numbers added up; a few seconds.
constexpr double local_work = 2.5e9;

/// Domains of a level that are searched, and starts in each.
constexpr std::size_t domains_max = 12;
constexpr std::size_t starts_max = 3;

/// The nodes of a request that are in one domain of a level, or all of them.
struct Area {
  std::string name;
  std::vector<int> free;
};

/// Seatings of one area, with the ground that they stand on.
struct Searched {
  const Area* area = nullptr;
  std::vector<Site> sites;
  std::vector<Seating> seatings;  // best first
  Seating in_order;
  double bound = 0;
  bool all_seen = false;
};

class Assigning {
 public:
  Assigning(const StepDemand& demand, const topology::Cluster& cluster,
            const topology::NetworkTree& tree, const Request& request,
            const strategies::RankGrid& grid, int ranks_per_slot,
            const std::vector<double>& background)
      : demand_(demand),
        cluster_(cluster),
        tree_(tree),
        request_(request),
        grid_(grid),
        ranks_per_slot_(ranks_per_slot),
        background_(background) {}

  tl::expected<Assignment, Refusal> run() {
    if (static_cast<int>(request_.free.size()) < needed()) return tl::unexpected(too_few());
    std::vector<Area> areas = areas_with_room();
    if (areas.empty()) return tl::unexpected(no_domain());
    std::erase_if(areas, [&](const Area& area) { return slices_in(area) < slices(); });
    if (areas.empty()) return tl::unexpected(no_slices());
    return combine(search(areas));
  }

 private:
  int needed() const { return demand_.slots + request_.spares; }
  int slices() const { return (demand_.slots + request_.slice - 1) / request_.slice; }

  // Areas -----------------------------------------------------------------------------------------

  std::vector<Area> domains_of(const topology::Level& level) const {
    std::vector<Area> areas;
    for (const std::string& name : level.domain_names)
      areas.push_back({fmt::format("{} of level {}", name, level.name), {}});
    for (const int node : request_.free)
      if (level.domain_of[at(node)] >= 0) areas[at(level.domain_of[at(node)])].free.push_back(node);
    return areas;
  }

  std::vector<Area> areas_with_room() const {
    for (const topology::Level* level : request_.within) {
      std::vector<Area> areas = domains_of(*level);
      std::erase_if(
          areas, [&](const Area& area) { return static_cast<int>(area.free.size()) < needed(); });
      if (!areas.empty()) return areas;
    }
    if (!request_.within.empty() && !request_.anywhere) return {};
    return {{"", request_.free}};
  }

  int slices_in(const Area& area) const {
    if (request_.slice_level == nullptr) return slices();
    std::map<int, int> free;
    for (const int node : area.free) ++free[request_.slice_level->domain_of[at(node)]];
    int fit = 0;
    int rest = 0;
    const int last = demand_.slots % request_.slice;
    for (const auto& [domain, count] : free) {
      if (domain < 0) continue;
      fit += count / request_.slice;
      rest += last > 0 && count % request_.slice >= last ? 1 : 0;
    }
    return fit + std::min(rest, 1);
  }

  Refusal too_few() const {
    return {fmt::format("{} nodes are needed{}, {} are free", needed(), with_spares(),
                        request_.free.size()),
            ""};
  }

  std::string with_spares() const {
    return request_.spares > 0 ? fmt::format(", {} of them spares", request_.spares) : "";
  }

  Refusal no_domain() const {
    const topology::Level& level = *request_.within.back();
    const std::vector<Area> areas = domains_of(level);
    const auto largest = std::max_element(
        areas.begin(), areas.end(),
        [](const Area& a, const Area& b) { return a.free.size() < b.free.size(); });
    Refusal refusal{fmt::format("{} nodes are needed in one domain of level {}{}", needed(),
                                level.name, with_spares()),
                    "no free node is in any"};
    if (largest != areas.end() && !largest->free.empty())
      refusal.nearest =
          fmt::format("the largest, {}, has {} free nodes", largest->name, largest->free.size());
    return refusal;
  }

  Refusal no_slices() const {
    int most = 0;
    for (const Area& area : areas_with_room()) most = std::max(most, slices_in(area));
    return {fmt::format("{} slices of {} nodes are needed, each in one domain of level {}",
                        slices(), request_.slice, request_.slice_level->name),
            fmt::format("{} fit", most)};
  }

  // Search ----------------------------------------------------------------------------------------

  std::vector<Searched> search(std::vector<Area>& areas) const {
    // The tightest first: they leave the larger domains whole.
    std::vector<const Area*> order;
    for (const Area& area : areas) order.push_back(&area);
    std::stable_sort(order.begin(), order.end(),
                     [](const Area* a, const Area* b) { return a->free.size() < b->free.size(); });
    std::vector<Searched> all;
    const double share = 1.0 / static_cast<double>(std::min(order.size(), domains_max));
    for (const Area* area : order) {
      Searched one;
      one.area = area;
      const std::vector<int> no_slices;
      one.sites = sites_of(area->free, cluster_, tree_,
                           request_.slice_level ? request_.slice_level->domain_of : no_slices);
      if (request_.slice_level)
        std::erase_if(one.sites, [](const Site& site) { return site.slice < 0; });
      const Ground ground(demand_, cluster_, tree_, one.sites, background_);
      one.bound = lower_bound(ground);
      if (all.size() < domains_max && !search_area(ground, share, one)) continue;
      all.push_back(std::move(one));
    }
    return all;
  }

  bool search_area(const Ground& ground, double share, Searched& one) const {
    const SliceRule rule{request_.slice};
    const auto in_order = in_cluster_order(ground, rule);
    if (!in_order) return false;
    one.in_order = *in_order;
    std::vector<Seating> starts = ordered_seatings(ground, rule, grid_, ranks_per_slot_);
    // As they are they stay in the list: who simulates the best few gets others than neighbours.
    one.seatings = starts;
    if (starts.size() > starts_max - 1) starts.resize(starts_max - 1);
    starts.push_back(*in_order);
    const double peers = [&] {
      std::size_t sum = 0;
      for (int slot = 0; slot < ground.slots(); ++slot) sum += ground.peers(slot).size();
      return static_cast<double>(sum) / ground.slots();
    }();
    const double work =
        16 * peers + 3.0 * ground.rows() * static_cast<double>(tree_.domains.size());
    const auto trials = static_cast<std::int64_t>(local_work * request_.effort * share /
                                                  static_cast<double>(starts.size()) / (work + 20));
    const auto exact = static_cast<std::int64_t>(exact_steps * request_.effort);
    for (Seating& start : starts) {
      // Whole blocks first, the largest that divide the job; then single nodes.
      Seating made = start;
      for (int block = ground.slots() / 2; block > 1; block /= 2)
        if (ground.slots() % block == 0 && block % rule.size == 0)
          made = improved(ground, rule, std::move(made), block, trials / 8);
      made = improved(ground, rule, std::move(made), 1, trials / 2);
      one.seatings.push_back(std::move(made));
    }
    std::stable_sort(one.seatings.begin(), one.seatings.end(),
                     [](const Seating& a, const Seating& b) { return a.cost.better_than(b.cost); });
    if (ground.slots() <= exact_slots_max)
      if (auto best = best_of_all(ground, rule, one.seatings.front(), exact)) {
        one.all_seen = true;
        if (best->cost.better_than(one.seatings.front().cost))
          one.seatings.insert(one.seatings.begin(), std::move(*best));
      }
    return true;
  }

  // Answer ----------------------------------------------------------------------------------------

  tl::expected<Assignment, Refusal> combine(const std::vector<Searched>& all) const {
    Assignment answer;
    std::vector<Assigned> found;
    answer.all_seen = true;
    answer.bound = all.front().bound;
    int first_node = -1;
    const auto known = [&](const Cost& cost) {
      return std::any_of(found.begin(), found.end(), [&](const Assigned& other) {
        return !cost.better_than(other.cost) && !other.cost.better_than(cost);
      });
    };
    for (const Searched& one : all) {
      answer.bound = std::min(answer.bound, one.bound);
      answer.all_seen = answer.all_seen && one.all_seen;
      for (const Seating& seating : one.seatings) {
        if (!known(seating.cost)) found.push_back(assigned(one, seating));
      }
      if (!one.seatings.empty() && (first_node < 0 || one.area->free.front() < first_node)) {
        first_node = one.area->free.front();
        answer.in_order = assigned(one, one.in_order);
      }
    }
    std::stable_sort(found.begin(), found.end(), [](const Assigned& a, const Assigned& b) {
      return a.cost.better_than(b.cost);
    });
    answer.best = found.front();
    answer.others.assign(found.begin() + 1, found.end());
    if (answer.all_seen) answer.bound = answer.best.cost.step;
    answer.proven = answer.best.cost.step <= answer.bound * (1 + 1e-9);
    return answer;
  }

  Assigned assigned(const Searched& one, const Seating& seating) const {
    Assigned made{{}, {}, seating.cost, seating.how, one.area->name};
    std::vector<std::size_t> next(one.sites.size(), 0);
    for (const int site : seating.site_of_slot)
      made.nodes.push_back(one.sites[at(site)].nodes[next[at(site)]++]);
    made.spares = spares_for(made.nodes, one.area->free);
    return made;
  }

  /// Free nodes that share the lowest domain with nodes of the job, those with most of them first.
  std::vector<int> spares_for(const std::vector<int>& nodes, const std::vector<int>& free) const {
    std::vector<int> inside(tree_.domains.size(), 0);
    for (const int node : nodes)
      for (int domain = tree_.home[at(node)]; domain >= 0;
           domain = tree_.domains[at(domain)].parent)
        ++inside[at(domain)];
    const auto nearness = [&](int node) {
      int domain = tree_.home[at(node)];
      while (inside[at(domain)] == 0) domain = tree_.domains[at(domain)].parent;
      return std::pair(tree_.domains[at(domain)].depth, inside[at(domain)]);
    };
    std::vector<int> left;
    const std::set<int> taken(nodes.begin(), nodes.end());
    for (const int node : free)
      if (!taken.contains(node)) left.push_back(node);
    std::stable_sort(left.begin(), left.end(),
                     [&](int a, int b) { return nearness(a) > nearness(b); });
    left.resize(std::min(left.size(), at(request_.spares)));
    return left;
  }

  const StepDemand& demand_;
  const topology::Cluster& cluster_;
  const topology::NetworkTree& tree_;
  const Request& request_;
  const strategies::RankGrid& grid_;
  int ranks_per_slot_;
  const std::vector<double>& background_;
};

}  // namespace

tl::expected<Assignment, Refusal> assign(const StepDemand& demand, const topology::Cluster& cluster,
                                         const topology::NetworkTree& tree, const Request& request,
                                         const strategies::RankGrid& grid, int ranks_per_slot,
                                         const std::vector<double>& background) {
  return Assigning(demand, cluster, tree, request, grid, ranks_per_slot, background).run();
}

}  // namespace sim::place
