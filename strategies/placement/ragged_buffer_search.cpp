// Why the search is exact. Let t be a tensor's size, g its block.
//
// 1. For a fixed order and S, placing each tensor as early as it fits is optimal: an earlier end
//    leaves the next tensor every start that a later one does.
// 2. A tensor with one boundary inside needs S + g * floor(S / g) >= t. One with two needs g | S.
//    So below its threshold tau = min {S : S + g * floor(S / g) >= t} a tensor forces g | S.
//    Between two thresholds the possible S are the multiples of one modulus: the least common
//    multiple of the alignment and the blocks still forced. This holds for any order, hence the
//    lower bound.
// 3. Let some tensors be allowed two or more boundaries (`spannable`: those whose g divides a
//    number m), S range over multiples of m between two thresholds, and all others be allowed one
//    boundary at most. Then the state after each tensor, (shard, offset in it), is
//    lexicographically no later for a larger S: the fit is monotone, and bisection finds the least
//    S. The true rule lets those span whose g divides S; so the least S is the least over all m
//    that are least common multiples of the modulus and some blocks.
// 4. With all tensors spannable and only the first boundary inside each on a block, the fit is
//    monotone for the same reason, and necessary: it narrows the range before blocks are combined.

#include "strategies/placement/ragged_buffer_search.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "base/check.hpp"

namespace strategies::placement {

namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Least common multiple; `limit` where it would be at least that.
std::int64_t lcm_below(std::int64_t a, std::int64_t b, std::int64_t limit) {
  const std::int64_t factor = b / std::gcd(a, b);
  return factor > limit / a ? limit : std::min(a * factor, limit);
}

/// The least S for which the tensor has room with one boundary inside: S + g * floor(S / g) >= t.
std::int64_t threshold(const Extent& tensor) {
  // With S = q g + r, 0 <= r < g: 2 q g + r >= t.
  const std::int64_t pair = 2 * tensor.block;
  const std::int64_t whole = tensor.elements / pair;
  const std::int64_t rest = tensor.elements % pair;
  return whole * tensor.block + std::min(rest, tensor.block);
}

}  // namespace

BufferSearch::BufferSearch(std::vector<Extent> tensors, int ranks, std::int64_t alignment)
    : tensors_(std::move(tensors)), ranks_(ranks) {
  std::int64_t total = 0;
  for (const Extent& tensor : tensors_) total += tensor.elements;
  upper_bound_ = std::max(round_up(total, alignment), alignment);
  // Blocks are never cut, so of the C blocks of at least g some shard has ceil(C / ranks).
  std::int64_t bound = std::max((total + ranks - 1) / ranks, std::int64_t{1});
  std::vector<Extent> by_block = tensors_;
  std::sort(by_block.begin(), by_block.end(),
            [](const Extent& a, const Extent& b) { return a.block > b.block; });
  std::int64_t count = 0;
  for (const Extent& tensor : by_block) {
    count += tensor.elements / tensor.block;
    bound = std::max(bound, (count + ranks - 1) / ranks * tensor.block);
  }

  std::vector<std::pair<std::int64_t, std::int64_t>> forced;  // threshold, block; latest last
  for (const Extent& tensor : tensors_) forced.emplace_back(threshold(tensor), tensor.block);
  std::sort(forced.begin(), forced.end());
  const std::int64_t beyond = upper_bound_ + 1;
  std::int64_t modulus = alignment;
  std::int64_t end = beyond;
  for (std::size_t i = forced.size(); i-- > 0 && end > bound;) {
    if (forced[i].first < end) {
      ranges_.push_back({std::max(forced[i].first, bound), end, modulus});
      end = forced[i].first;
    }
    modulus = lcm_below(modulus, forced[i].second, beyond);
  }
  if (end > bound) ranges_.push_back({bound, end, modulus});
  std::reverse(ranges_.begin(), ranges_.end());
  std::erase_if(ranges_, [](const Range& r) { return round_up(r.begin, r.modulus) >= r.end; });
  CHECK_INVARIANT(!ranges_.empty());  // the upper bound is in the last one
  lower_bound_ = round_up(ranges_.front().begin, ranges_.front().modulus);
  std::set<std::int64_t> blocks;
  for (const Extent& tensor : tensors_)
    if (tensor.elements > lower_bound_) blocks.insert(tensor.block);
  blocks_.assign(blocks.begin(), blocks.end());
}

/// A tensor with more than one boundary inside has a block that divides `spannable`, a divisor of
/// `shard`; or all may (`spannable` 0), a relaxation.
bool BufferSearch::place(const std::vector<std::size_t>& order, std::int64_t shard,
                         std::int64_t spannable, std::vector<std::int64_t>* starts) const {
  std::int64_t begin = 0;   // of the shard of the cursor
  std::int64_t offset = 0;  // of the cursor in it
  const std::int64_t end = ranks_ * shard;
  for (const std::size_t index : order) {
    const Extent& tensor = tensors_[index];
    if (offset + tensor.elements > shard) {  // the next boundary is inside or before it
      std::int64_t before = (shard - offset) / tensor.block * tensor.block;
      const bool spans = tensor.elements - before > shard;
      if (spans && spannable % tensor.block != 0) {
        // One boundary at most: from the next shard, as much of it as blocks fill.
        begin += shard;
        before = shard / tensor.block * tensor.block;
        if (tensor.elements - before > shard) return false;
      }
      offset = shard - before;
    }
    if (starts != nullptr) (*starts)[index] = begin + offset;
    const std::int64_t last = begin + offset + tensor.elements;
    if (last > end) return false;
    const std::int64_t moved = (last - 1) / shard * shard;  // the shard of its last element
    offset = last - moved;
    begin = moved;
  }
  return true;
}

bool BufferSearch::fits(const std::vector<std::size_t>& order, std::int64_t shard,
                        std::int64_t spannable) {
  placed_ += static_cast<std::int64_t>(order.size());
  return place(order, shard, spannable, nullptr);
}

std::optional<std::int64_t> BufferSearch::least_multiple(const std::vector<std::size_t>& order,
                                                         std::int64_t begin, std::int64_t end,
                                                         std::int64_t modulus) {
  std::int64_t low = (begin + modulus - 1) / modulus;  // in multiples
  std::int64_t high = (end - 1) / modulus;
  if (low > high || !fits(order, high * modulus, modulus)) return std::nullopt;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (fits(order, middle * modulus, modulus))
      high = middle;
    else
      low = middle + 1;
  }
  return low * modulus;
}

std::optional<std::int64_t> BufferSearch::least_in_range(const std::vector<std::size_t>& order,
                                                         const Range& range, std::int64_t limit) {
  std::int64_t begin = range.begin;
  std::int64_t end = std::min(range.end, limit);
  if (!fits(order, end - 1, 0)) return std::nullopt;
  for (std::int64_t enough = end - 1; begin < enough;) {
    const std::int64_t middle = begin + (enough - begin) / 2;
    if (fits(order, middle, 0))
      enough = middle;
    else
      begin = middle + 1;
  }
  std::optional<std::int64_t> best;
  std::set<std::int64_t> tried{range.modulus};
  std::vector<std::int64_t> open{range.modulus};
  while (!open.empty()) {
    const std::int64_t modulus = open.back();
    open.pop_back();
    if (const std::optional<std::int64_t> found = least_multiple(order, begin, end, modulus)) {
      best = found;
      end = *found;
    }
    for (const std::int64_t block : blocks_) {
      const std::int64_t finer = lcm_below(modulus, block, end);
      if (round_up(begin, finer) < end && tried.insert(finer).second) open.push_back(finer);
    }
  }
  return best;
}

std::optional<std::int64_t> BufferSearch::least_shard(const std::vector<std::size_t>& order,
                                                      std::int64_t limit) {
  for (const Range& range : ranges_) {
    if (range.begin >= limit) break;
    if (const std::optional<std::int64_t> found = least_in_range(order, range, limit)) return found;
  }
  return std::nullopt;
}

std::vector<std::int64_t> BufferSearch::starts(const std::vector<std::size_t>& order,
                                               std::int64_t shard) const {
  std::vector<std::int64_t> starts(tensors_.size(), 0);
  CHECK_INVARIANT(place(order, shard, shard, &starts));
  return starts;
}

}  // namespace strategies::placement
