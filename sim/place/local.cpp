#include <algorithm>
#include <string_view>
#include <utility>

#include "sim/place/search.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

class Climb {
 public:
  Climb(const Ground& ground, SliceRule rule, const Seating& seating, int block,
        std::int64_t trials)
      : ground_(ground), rule_(rule), block_(block), trials_(trials), loads_(ground) {
    for (int slot = 0; slot < ground.slots(); ++slot)
      loads_.put(slot, seating.site_of_slot[at(slot)]);
    cost_ = loads_.cost();
  }

  Seating run() {
    const int blocks = (ground_.slots() + block_ - 1) / block_;
    for (bool better = true; better && trials_ > 0;) {
      better = false;
      for (int a = 0; a < blocks && trials_ > 0; ++a) {
        for (int b = a + 1; b < blocks; ++b) better |= swap(a, b);
        for (int site = 0; site < static_cast<int>(ground_.sites().size()); ++site)
          better |= leave(a, site);
      }
    }
    Seating made;
    for (int slot = 0; slot < ground_.slots(); ++slot)
      made.site_of_slot.push_back(loads_.site_of(slot));
    made.cost = loads_.cost();
    return made;
  }

 private:
  /// Slots of a block; the last may be short.
  std::pair<int, int> slots_of(int block) const {
    return {block * block_, std::min((block + 1) * block_, ground_.slots())};
  }

  bool swap(int a, int b) {
    const auto [first_a, end_a] = slots_of(a);
    const auto [first_b, end_b] = slots_of(b);
    if (end_a - first_a != end_b - first_b) return false;
    moves_.clear();
    for (int i = 0; i < end_a - first_a; ++i) {
      const int here = loads_.site_of(first_a + i);
      const int there = loads_.site_of(first_b + i);
      if (here == there) continue;
      moves_.emplace_back(first_a + i, there);
      moves_.emplace_back(first_b + i, here);
    }
    return attempt();
  }

  /// The block to free nodes of a site, and where these are too few, of sites in the same domain.
  bool leave(int block, int site) {
    const auto [first, end] = slots_of(block);
    moves_.clear();
    int slot = first;
    const Site& target = ground_.sites()[at(site)];
    if (loads_.left(site) == 0 || loads_.site_of(first) == site) return false;
    for (int other = site; other < static_cast<int>(ground_.sites().size()) && slot < end;
         ++other) {
      const Site& one = ground_.sites()[at(other)];
      if (other != site && (one.home != target.home || one.slice != target.slice)) continue;
      for (int i = 0; i < loads_.left(other) && slot < end; ++i) moves_.emplace_back(slot++, other);
    }
    return slot == end && attempt();
  }

  bool slices_kept() const {
    if (rule_.size == 1) return true;
    for (const auto& [slot, site] : moves_) {
      const int first = slot - slot % rule_.size;
      const int end = std::min(first + rule_.size, ground_.slots());
      for (int i = first; i < end; ++i)
        if (slice_of(i) != slice_of(first)) return false;
    }
    return true;
  }

  int slice_of(int slot) const { return ground_.sites()[at(loads_.site_of(slot))].slice; }

  /// Makes the moves if that is better; whether it did.
  bool attempt() {
    if (moves_.empty() || --trials_ < 0) return false;
    before_.clear();
    for (const auto& [slot, site] : moves_) {
      before_.emplace_back(slot, loads_.site_of(slot));
      loads_.move(slot, site);
    }
    if (slices_kept()) {
      const Cost cost = loads_.cost();
      if (cost.better_than(cost_)) {
        cost_ = cost;
        return true;
      }
    }
    for (const auto& [slot, site] : before_) loads_.move(slot, site);
    return false;
  }

  const Ground& ground_;
  SliceRule rule_;
  int block_;
  std::int64_t trials_;
  Loads loads_;
  Cost cost_;
  std::vector<std::pair<int, int>> moves_;
  std::vector<std::pair<int, int>> before_;
};

}  // namespace

Seating improved(const Ground& ground, SliceRule rule, Seating seating, int block,
                 std::int64_t trials) {
  Seating made = Climb(ground, rule, seating, block, trials).run();
  const bool moved = made.site_of_slot != seating.site_of_slot;
  constexpr std::string_view swaps = ", then swaps";
  made.how = std::move(seating.how);
  if (moved && !made.how.ends_with(swaps)) made.how += swaps;
  return made;
}

}  // namespace sim::place
