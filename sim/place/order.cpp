#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "sim/place/search.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Axes along which slots differ, and the slots' places on them.
struct SlotGrid {
  std::vector<strategies::Axis> axes;
  std::vector<std::vector<int>> coordinates;  // by slot, axis
  std::vector<int> extents;                   // by axis

  SlotGrid(const strategies::RankGrid& grid, int slots, int ranks_per_slot) {
    std::vector<strategies::RankGrid::Coordinates> first;
    for (int slot = 0; slot < slots; ++slot)
      first.push_back(grid.coordinates(slot * ranks_per_slot));
    coordinates.resize(at(slots));
    for (int axis = 0; axis < strategies::dimension_count; ++axis) {
      std::set<int> seen;
      for (const auto& one : first) seen.insert(one[at(axis)]);
      if (seen.size() < 2) continue;
      axes.push_back(static_cast<strategies::Axis>(axis));
      extents.push_back(static_cast<int>(seen.size()));
      for (int slot = 0; slot < slots; ++slot)
        coordinates[at(slot)].push_back(first[at(slot)][at(axis)]);
    }
  }
};

/// Free nodes of each domain in multiples of a unit that fit below, and how they are dealt out.
class Filling {
 public:
  Filling(const Ground& ground, int unit) : ground_(ground), unit_(unit) {
    const std::vector<topology::NetworkDomain>& domains = ground.tree().domains;
    children_.resize(domains.size());
    sites_.resize(domains.size());
    room_.assign(domains.size(), 0);
    for (std::size_t i = 1; i < domains.size(); ++i)
      children_[at(domains[i].parent)].push_back(static_cast<int>(i));
    for (std::size_t i = 0; i < ground.sites().size(); ++i)
      sites_[at(ground.sites()[i].home)].push_back(static_cast<int>(i));
    for (std::size_t i = domains.size(); i-- > 0;) {
      int own = 0;
      for (const int site : sites_[i]) own += free_of(site);
      room_[i] += own / unit * unit;
      if (i > 0) room_[at(domains[i].parent)] += room_[i];
    }
  }

  bool fits() const { return room_[0] >= ground_.slots(); }

  /// Sites in the order in which slots take their nodes.
  std::vector<int> sequence(bool evenly) {
    sequence_.clear();
    fill(0, ground_.slots(), evenly);
    return sequence_;
  }

 private:
  int free_of(int site) const { return static_cast<int>(ground_.sites()[at(site)].nodes.size()); }

  /// Takes `count` from a domain: from one child alone if it can be, the tightest; else from the
  /// fewest, the roomiest first and the last one the tightest that suffices.
  void fill(int domain, int count, bool evenly) {
    if (count == 0) return;
    int own = 0;
    for (const int site : sites_[at(domain)]) own += free_of(site);
    own = own / unit_ * unit_;
    std::vector<int> open = children_[at(domain)];
    std::stable_sort(open.begin(), open.end(),
                     [&](int a, int b) { return room_[at(a)] > room_[at(b)]; });
    const int from_own = open.empty() ? count : std::min(own, count_beyond(open, count, own));
    take_own(domain, from_own);
    int rest = count - from_own;
    if (evenly) return fill_evenly(open, rest);
    while (rest > 0) {
      // The tightest that takes all of the rest, else the roomiest.
      auto chosen = open.begin();
      for (auto one = open.begin(); one != open.end() && room_[at(*one)] >= rest; ++one)
        chosen = one;
      const int here = std::min(rest, room_[at(*chosen)]);
      fill(*chosen, here, evenly);
      rest -= here;
      open.erase(chosen);
    }
  }

  /// What cannot be had below.
  int count_beyond(const std::vector<int>& open, int count, int own) const {
    int below = 0;
    for (const int child : open) below += room_[at(child)];
    return own >= count ? count : std::max(0, count - below);
  }

  /// Equal shares, in units, of the fewest domains that suffice.
  void fill_evenly(const std::vector<int>& open, int count) {
    std::size_t used = 0;
    for (int room = 0; room < count; ++used) room += room_[at(open[used])];
    int rest = count;
    std::vector<int> share(used, 0);
    for (std::size_t i = used; i-- > 0;) {  // the tightest first: what it lacks the others have
      const int parts = static_cast<int>(i) + 1;
      const int units = (rest + unit_ - 1) / unit_;
      share[i] = std::min({room_[at(open[i])], units / parts * unit_, rest});
      if (i == 0) share[i] = rest;
      rest -= share[i];
    }
    if (share.empty()) return;
    for (std::size_t i = 0; i < used; ++i)  // rounding may leave the first with too much
      if (share[i] > room_[at(open[i])]) {
        const int excess = share[i] - room_[at(open[i])];
        share[i] -= excess;
        for (std::size_t j = 0, left = static_cast<std::size_t>(excess); j < used && left > 0;
             ++j) {
          const auto more = std::min(left, at(room_[at(open[j])] - share[j]));
          share[j] += static_cast<int>(more);
          left -= more;
        }
      }
    for (std::size_t i = 0; i < used; ++i) fill(open[i], share[i], true);
  }

  void take_own(int domain, int count) {
    for (const int site : sites_[at(domain)]) {
      const int here = std::min(count, free_of(site));
      sequence_.insert(sequence_.end(), at(here), site);
      count -= here;
    }
  }

  const Ground& ground_;
  int unit_;
  std::vector<std::vector<int>> children_;
  std::vector<std::vector<int>> sites_;
  std::vector<int> room_;
  std::vector<int> sequence_;
};

}  // namespace

Cost cost_of(const Ground& ground, const std::vector<int>& site_of_slot) {
  Loads loads(ground);
  for (int slot = 0; slot < ground.slots(); ++slot) loads.put(slot, site_of_slot[at(slot)]);
  return loads.cost();
}

bool keeps_slices(const Ground& ground, const std::vector<int>& site_of_slot, SliceRule rule) {
  const auto slice = [&](std::size_t slot) { return ground.sites()[at(site_of_slot[slot])].slice; };
  for (std::size_t slot = 0; slot < site_of_slot.size(); ++slot)
    if (slice(slot) != slice(slot - slot % at(rule.size))) return false;
  return true;
}

std::vector<Seating> ordered_seatings(const Ground& ground, SliceRule rule,
                                      const strategies::RankGrid& grid, int ranks_per_slot) {
  const int slots = ground.slots();
  const SlotGrid slot_grid(grid, slots, ranks_per_slot);
  std::vector<std::size_t> axes(slot_grid.axes.size());  // fastest first
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  std::vector<Seating> seatings;
  std::set<std::vector<int>> seen;
  do {
    std::vector<int> order(at(slots));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
        const int left = slot_grid.coordinates[at(a)][*axis];
        const int right = slot_grid.coordinates[at(b)][*axis];
        if (left != right) return left < right;
      }
      return false;
    });
    std::string packed;
    std::vector<int> units{rule.size};
    for (const std::size_t axis : axes) {
      packed += fmt::format("{}{}", packed.empty() ? "" : ", then ",
                            strategies::name_of(slot_grid.axes[axis]));
      const int unit = units.back() * slot_grid.extents[axis];
      if (unit <= slots) units.push_back(unit);
    }
    for (const int unit : units) {
      Filling filling(ground, unit);
      if (!filling.fits()) continue;
      for (const bool evenly : {false, true}) {
        const std::vector<int> sequence = filling.sequence(evenly);
        if (static_cast<int>(sequence.size()) != slots) continue;
        Seating made;
        made.site_of_slot.resize(at(slots));
        for (int i = 0; i < slots; ++i) made.site_of_slot[at(order[at(i)])] = sequence[at(i)];
        if (!keeps_slices(ground, made.site_of_slot, rule)) continue;
        if (!seen.insert(made.site_of_slot).second) continue;
        made.cost = cost_of(ground, made.site_of_slot);
        made.how = fmt::format(
            "{} packed lowest, domains filled {}{}", packed.empty() ? "ranks in order" : packed,
            evenly ? "evenly" : "tightly", unit > 1 ? fmt::format(" by {} nodes", unit) : "");
        seatings.push_back(std::move(made));
      }
    }
  } while (std::next_permutation(axes.begin(), axes.end()));
  std::stable_sort(seatings.begin(), seatings.end(), [](const Seating& a, const Seating& b) {
    return a.cost.step != b.cost.step ? a.cost.step < b.cost.step
                                      : a.cost.crossing < b.cost.crossing;
  });
  return seatings;
}

std::optional<Seating> in_cluster_order(const Ground& ground, SliceRule rule) {
  std::vector<std::pair<int, int>> nodes;  // and their sites
  for (std::size_t site = 0; site < ground.sites().size(); ++site)
    for (const int node : ground.sites()[site].nodes)
      nodes.emplace_back(node, static_cast<int>(site));
  std::sort(nodes.begin(), nodes.end());
  const auto slice = [&](std::size_t i) { return ground.sites()[at(nodes[i].second)].slice; };
  Seating made;
  std::vector<bool> taken(nodes.size(), false);
  while (made.site_of_slot.size() < at(ground.slots())) {
    const std::size_t wanted =
        std::min(at(rule.size), at(ground.slots()) - made.site_of_slot.size());
    std::vector<std::size_t> block;
    for (std::size_t first = 0; first < nodes.size() && block.size() < wanted; ++first) {
      if (taken[first]) continue;
      block.clear();
      for (std::size_t i = first; i < nodes.size() && block.size() < wanted; ++i)
        if (!taken[i] && slice(i) == slice(first)) block.push_back(i);
    }
    if (block.size() < wanted) return std::nullopt;
    for (const std::size_t i : block) {
      taken[i] = true;
      made.site_of_slot.push_back(nodes[i].second);
    }
  }
  made.cost = cost_of(ground, made.site_of_slot);
  made.how = "free nodes in the order of the cluster";
  return made;
}

}  // namespace sim::place
