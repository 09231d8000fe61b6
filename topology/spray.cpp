#include "topology/spray.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/check.hpp"
#include "base/mix.hpp"
#include "topology/graph.hpp"

namespace topology {

namespace {

/// More paths than this between two switches of a dragonfly are not told apart from the first ones.
constexpr std::size_t paths_max = 64;

std::uint64_t key_of(std::uint32_t a, std::uint32_t b) {
  return (static_cast<std::uint64_t>(a) << 32) | b;
}

/// Sets of switches that grow together (union-find).
class Sets {
 public:
  explicit Sets(std::uint32_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }
  std::uint32_t find(std::uint32_t at) {
    while (parent_[at] != at) at = parent_[at] = parent_[parent_[at]];
    return at;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[find(a)] = find(b); }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace

std::size_t WordsHash::operator()(const std::vector<std::uint32_t>& words) const {
  std::uint64_t hash = words.size();
  for (const std::uint32_t word : words) hash = base::mix(hash ^ word);
  return hash;
}

Spray::Spray(const Cluster& cluster, SwitchGraph& switches)
    : cluster_(cluster), switches_(switches), class_of_(cluster.link_count(), none) {
  classify();
}

/// In a folded Clos network, shortest paths go up and then down, and all that cross from one tier
/// to the next out of the same subtree are interchangeable: from a leaf to the spines, from the
/// spines of a pod to the cores, and back. So the cables out of a subtree are a class, those into
/// it another. A subtree is what is joined by cables of its tier and below, down ones too: a fault
/// takes cables from a class and does not make new ones. Where switches of one tier are joined
/// (dragonfly), there are no classes.
void Spray::classify() {
  std::map<int, std::vector<LinkId>> upward;   // by upper tier
  std::map<int, std::vector<LinkId>> leaving;  // by lower tier
  for (LinkId id = 0; id < cluster_.link_count(); ++id) {
    const Link& link = cluster_.link(id);
    if (switches_.index_of(link.from) == none || switches_.index_of(link.to) == none) continue;
    const int from = cluster_.device(link.from).tier;
    const int to = cluster_.device(link.to).tier;
    if (from == to) return;
    if (from > to) continue;
    upward[to].push_back(id);
    leaving[from].push_back(id);
  }
  Sets subtrees(switches_.size());
  const auto index = [&](DeviceId device) { return switches_.index_of(device); };
  for (const auto& [tier, links] : leaving) {
    for (auto& [upper, cables] : upward) {
      if (upper > tier) break;
      for (const LinkId id : std::exchange(cables, {}))
        subtrees.join(index(cluster_.link(id).from), index(cluster_.link(id).to));
    }
    std::map<std::uint32_t, std::uint32_t> class_of_root;
    for (const LinkId id : links) {
      const std::uint32_t root = subtrees.find(index(cluster_.link(id).from));
      const auto [at, is_new] =
          class_of_root.emplace(root, static_cast<std::uint32_t>(classes_.size()));
      if (is_new) classes_.resize(classes_.size() + 2);
      class_of_[id] = at->second;
      class_of_[id ^ 1U] = at->second + 1;
      if (cluster_.link(id).down) continue;
      classes_[at->second].push_back(id);
      classes_[at->second + 1].push_back(id ^ 1U);
    }
  }
  for (std::vector<LinkId>& links : classes_) std::sort(links.begin(), links.end());
}

std::uint32_t Spray::front_of(Hops switches) {
  const auto [at, is_new] =
      front_index_.emplace(std::move(switches), static_cast<std::uint32_t>(fronts_.size()));
  if (is_new) fronts_.push_back(at->first);
  return at->second;
}

/// `links` ascending. One link is itself, several are a bundle.
std::uint32_t Spray::hop_of(const std::vector<LinkId>& links) {
  if (links.size() == 1) return links.front();
  const auto [at, is_new] =
      bundle_index_.emplace(links, static_cast<std::uint32_t>(bundles_.size()));
  if (is_new) {
    base::BytesPerSecond rate;
    for (const LinkId link : links) rate += cluster_.link(link).rate;
    bundles_.push_back({links, rate});
  }
  return static_cast<std::uint32_t>(cluster_.link_count()) + at->second;
}

/// A transfer that can use only `used` cables of a class shares them with those that can use more:
/// it counts against the class as a whole, too, so that both together do not exceed it.
void Spray::append_class(LinkId link, std::size_t used, Hops& hops) {
  if (class_of_[link] == none) return;
  const std::vector<LinkId>& whole = classes_[class_of_[link]];
  if (whole.size() > used) hops.push_back(hop_of(whole));
}

const Spray::Level& Spray::level(std::uint32_t front, std::uint32_t to) {
  const auto [at, is_new] = levels_.try_emplace(key_of(front, to));
  Level& level = at->second;
  if (!is_new) return level;
  const std::vector<std::uint16_t>& distance = switches_.distances_to(to);
  std::vector<LinkId> links;
  Hops next;
  for (const std::uint32_t from : fronts_[front])
    for (const Hop& hop : switches_.hops(from)) {
      if (distance[hop.to] + 1 != distance[from]) continue;
      links.push_back(hop.link);
      next.push_back(hop.to);
    }
  CHECK_INVARIANT(!links.empty());
  std::sort(links.begin(), links.end());
  std::sort(next.begin(), next.end());
  next.erase(std::unique(next.begin(), next.end()), next.end());
  level.next = front_of(std::move(next));
  level.plain =
      class_of_[links.front()] != none && std::all_of(links.begin(), links.end(), [&](LinkId link) {
        return class_of_[link] == class_of_[links.front()];
      });
  if (!level.plain) return level;
  level.hops.push_back(hop_of(links));
  append_class(links.front(), links.size(), level.hops);
  return level;
}

bool Spray::append_levels(std::uint32_t from, std::uint32_t to, std::vector<Route>& routes) {
  Route route;
  const std::uint32_t end = front_of({to});
  for (std::uint32_t front = front_of({from}); front != end;) {
    const Level& step = level(front, to);
    if (!step.plain) return false;
    route.hops.insert(route.hops.end(), step.hops.begin(), step.hops.end());
    front = step.next;
  }
  routes.push_back(std::move(route));
  return true;
}

/// Each shortest path by itself, parallel cables as one. Every switch deals what arrives to its
/// next ones in proportion to their rates. For dragonflies, and for detours around faults.
void Spray::append_paths(std::uint32_t from, std::uint32_t to, std::vector<Route>& routes) {
  const std::vector<std::uint16_t>& distance = switches_.distances_to(to);
  struct Walk {
    std::uint32_t at = 0;
    Route route;
  };
  std::vector<Walk> open{{from, {}}};
  double total = 0;
  while (!open.empty() && routes.size() < paths_max) {
    Walk walk = std::move(open.back());
    open.pop_back();
    if (walk.at == to) {
      total += walk.route.share;
      routes.push_back(std::move(walk.route));
      continue;
    }
    std::map<std::uint32_t, std::vector<LinkId>> next;
    base::BytesPerSecond all;
    for (const Hop& hop : switches_.hops(walk.at)) {
      if (distance[hop.to] + 1 != distance[walk.at]) continue;
      next[hop.to].push_back(hop.link);
      all += cluster_.link(hop.link).rate;
    }
    for (auto& [neighbour, links] : next) {
      base::BytesPerSecond rate;
      for (const LinkId link : links) rate += cluster_.link(link).rate;
      Walk longer{neighbour, walk.route};
      longer.route.share *= rate / all;
      std::sort(links.begin(), links.end());
      longer.route.hops.push_back(hop_of(links));
      append_class(links.front(), links.size(), longer.route.hops);
      open.push_back(std::move(longer));
    }
  }
  for (Route& route : routes) route.share /= total;
}

const std::vector<Route>& Spray::between(std::uint32_t from, std::uint32_t to) {
  const auto [at, is_new] = routes_.try_emplace(key_of(from, to));
  std::vector<Route>& routes = at->second;
  if (is_new && !append_levels(from, to, routes)) append_paths(from, to, routes);
  return routes;
}

}  // namespace topology
