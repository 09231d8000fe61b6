#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/stoer_wagner_min_cut.hpp>
#include <limits>
#include <map>
#include <utility>

#include "sim/place/search.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Domains and sites that cannot be told apart while they are empty have one number.
class Likeness {
 public:
  explicit Likeness(const Ground& ground) : ground_(ground) {
    const std::vector<topology::NetworkDomain>& domains = ground.tree().domains;
    children_.resize(domains.size());
    sites_below_.resize(domains.size());
    for (std::size_t i = 1; i < domains.size(); ++i)
      children_[at(domains[i].parent)].push_back(static_cast<int>(i));
    std::map<int, int> homes_of_accelerator;
    for (const Site& site : ground.sites())
      if (site.accelerator >= 0) ++homes_of_accelerator[site.accelerator];
    for (std::size_t i = 0; i < ground.sites().size(); ++i) {
      const Site& site = ground.sites()[i];
      sites_below_[at(site.home)].push_back(static_cast<int>(i));
      // What belongs to a domain of another kind that reaches beyond its home is like nothing else.
      const bool own = site.accelerator < 0 || homes_of_accelerator[site.accelerator] == 1;
      const double mark = own && site.slice < 0 ? -1 : static_cast<double>(i);
      site_kind_.push_back(number(
          {0, static_cast<double>(site.nodes.size()), mark, site.accelerator < 0 ? 0.0 : 1.0}));
    }
    domain_kind_.resize(domains.size());
    for (std::size_t i = domains.size(); i-- > 0;) {
      std::vector<double> inside;
      for (const int child : children_[i]) inside.push_back(domain_kind_[at(child)]);
      for (const int site : sites_below_[i]) inside.push_back(-1.0 - site_kind_[at(site)]);
      std::sort(inside.begin(), inside.end());
      inside.push_back(ground.seconds_per_byte(static_cast<int>(i)));
      domain_kind_[i] = number(std::move(inside));
    }
  }

  /// Whether another empty domain or site stands for this one.
  bool has_stand_in(int site, const std::vector<int>& slots_in_domain,
                    const std::vector<int>& slots_in_site) const {
    const int home = ground_.sites()[at(site)].home;
    if (slots_in_site[at(site)] == 0)
      for (const int other : sites_below_[at(home)]) {
        if (other == site) break;
        if (slots_in_site[at(other)] == 0 && site_kind_[at(other)] == site_kind_[at(site)])
          return true;
      }
    for (int domain = home; domain > 0; domain = ground_.tree().domains[at(domain)].parent) {
      if (slots_in_domain[at(domain)] > 0) break;
      for (const int other : children_[at(ground_.tree().domains[at(domain)].parent)]) {
        if (other == domain) break;
        if (slots_in_domain[at(other)] == 0 && domain_kind_[at(other)] == domain_kind_[at(domain)])
          return true;
      }
    }
    return false;
  }

 private:
  int number(std::vector<double> what) {
    return numbers_.emplace(std::move(what), static_cast<int>(numbers_.size())).first->second;
  }

  const Ground& ground_;
  std::vector<std::vector<int>> children_;
  std::vector<std::vector<int>> sites_below_;
  std::vector<int> site_kind_;
  std::vector<int> domain_kind_;
  std::map<std::vector<double>, int> numbers_;
};

class Branching {
 public:
  Branching(const Ground& ground, SliceRule rule, const Seating& start, std::int64_t steps)
      : ground_(ground),
        rule_(rule),
        likeness_(ground),
        loads_(ground),
        in_domain_(ground.tree().domains.size(), 0),
        in_site_(ground.sites().size(), 0),
        best_(start),
        steps_(steps) {}

  std::optional<Seating> run() {
    seat(0);
    if (steps_ < 0) return std::nullopt;
    best_.how = "every placement was looked at";
    return best_;
  }

 private:
  void count(int site, int sign) {
    in_site_[at(site)] += sign;
    for (int domain = ground_.sites()[at(site)].home; domain >= 0;
         domain = ground_.tree().domains[at(domain)].parent)
      in_domain_[at(domain)] += sign;
  }

  bool allowed(int slot, int site) const {
    if (loads_.left(site) == 0) return false;
    if (rule_.size > 1 && slot % rule_.size != 0 &&
        ground_.sites()[at(site)].slice != ground_.sites()[at(loads_.site_of(slot - 1))].slice)
      return false;
    return !likeness_.has_stand_in(site, in_domain_, in_site_);
  }

  void seat(int slot) {
    if (--steps_ < 0) return;
    const Cost cost = loads_.cost();
    if (!cost.better_than(best_.cost)) return;
    if (slot == ground_.slots()) {
      best_.cost = cost;
      for (int i = 0; i < slot; ++i) best_.site_of_slot[at(i)] = loads_.site_of(i);
      return;
    }
    for (int site = 0; site < static_cast<int>(ground_.sites().size()) && steps_ >= 0; ++site) {
      if (!allowed(slot, site)) continue;
      loads_.put(slot, site);
      count(site, 1);
      seat(slot + 1);
      count(site, -1);
      loads_.take(slot);
    }
  }

  const Ground& ground_;
  SliceRule rule_;
  Likeness likeness_;
  Loads loads_;
  std::vector<int> in_domain_;
  std::vector<int> in_site_;
  Seating best_;
  std::int64_t steps_;
};

// Bound ----------------------------------------------------------------------------------------

using CutGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property,
                          boost::property<boost::edge_weight_t, double>>;

/// Most edges for which a least cut is looked for: it takes edges times slots.
constexpr std::size_t cut_edges_max = 8192;

/// Edges of one part of a demand.
std::vector<Edge> edges_of(const Demand& demand, int part) {
  std::vector<Edge> edges;
  for (const Edge& edge : demand.edges)
    if (edge.part == part) edges.push_back(edge);
  return edges;
}

/// Slots that edges join.
std::vector<std::vector<int>> joined_by(const std::vector<Edge>& edges, int slots) {
  std::vector<int> part(at(slots));
  for (int i = 0; i < slots; ++i) part[at(i)] = i;
  const auto find = [&](int slot) {
    while (part[at(slot)] != slot) slot = part[at(slot)] = part[at(part[at(slot)])];
    return slot;
  };
  for (const Edge& edge : edges)
    part[at(std::max(find(edge.from), find(edge.to)))] = std::min(find(edge.from), find(edge.to));
  std::map<int, std::vector<int>> parts;
  for (int i = 0; i < slots; ++i) parts[find(i)].push_back(i);
  std::vector<std::vector<int>> out;
  for (auto& [root, members] : parts) out.push_back(std::move(members));
  return out;
}

/// The least bytes, both ways, over any cut of slots that hang together.
double least_cut(const std::vector<Edge>& edges, const std::vector<int>& slots) {
  std::map<int, std::size_t> index;
  for (const int slot : slots) index.emplace(slot, index.size());
  std::map<std::pair<std::size_t, std::size_t>, double> both;
  for (const Edge& edge : edges) {
    const auto from = index.find(edge.from);
    if (from == index.end()) continue;
    const std::size_t to = index.at(edge.to);
    both[std::minmax(from->second, to)] += edge.bytes;
  }
  if (both.size() > cut_edges_max) return 0;
  CutGraph graph(index.size());
  for (const auto& [ends, bytes] : both) boost::add_edge(ends.first, ends.second, bytes, graph);
  return boost::stoer_wagner_min_cut(graph, boost::get(boost::edge_weight, graph));
}

}  // namespace

std::optional<Seating> best_of_all(const Ground& ground, SliceRule rule, const Seating& start,
                                   std::int64_t steps) {
  return Branching(ground, rule, start, steps).run();
}

double lower_bound(const Ground& ground) {
  const std::vector<topology::NetworkDomain>& domains = ground.tree().domains;
  std::vector<int> free(domains.size(), 0);
  for (const Site& site : ground.sites())
    for (int domain = site.home; domain >= 0; domain = domains[at(domain)].parent)
      free[at(domain)] += static_cast<int>(site.nodes.size());
  // NVLink beyond a node carries what a cut would: such clusters have no bound but the step alone.
  if (ground.shared_accelerators()) return ground.demand().step;
  int deepest = 0;
  for (const topology::NetworkDomain& domain : domains) deepest = std::max(deepest, domain.depth);
  std::vector<double> busy(at(ground.rows()), 0);
  for (int d = 0, row = 0; d < ground.demands(); ++d)
    for (int part = 0; part < ground.demand().demands[at(d)].parts; ++part, ++row) {
      const std::vector<Edge> edges = edges_of(ground.demand().demands[at(d)], part);
      const std::vector<std::vector<int>> joined = joined_by(edges, ground.slots());
      const std::vector<int>& largest =
          *std::max_element(joined.begin(), joined.end(),
                            [](const auto& a, const auto& b) { return a.size() < b.size(); });
      double cut = -1;
      for (int depth = 1; depth <= deepest; ++depth) {
        int room = 0;
        int all = 0;
        double quickest = std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < domains.size(); ++i) {
          if (domains[i].depth != depth || free[i] == 0) continue;
          room = std::max(room, free[i]);
          all += free[i];
          quickest = std::min(quickest, ground.seconds_per_byte(d, static_cast<int>(i)));
        }
        // Nodes that hang from above this depth could hold the rest without any way out.
        if (static_cast<int>(largest.size()) <= room || all < free[0]) continue;
        if (cut < 0) cut = least_cut(edges, largest);
        // Some domain has a part of them; the busier direction has half of the cut at least.
        busy[at(row)] = std::max(busy[at(row)], cut / 2 * quickest);
      }
    }
  return ground.step_with(busy);
}

}  // namespace sim::place
