#include "strategies/placement/ragged_buffer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "base/check.hpp"
#include "base/mix.hpp"
#include "strategies/placement/ragged_buffer_search.hpp"

namespace strategies::placement {

namespace {

using Order = std::vector<std::size_t>;

constexpr std::int64_t orders_tried_max = 5040;  // 7!
constexpr std::int64_t placed_max = 20'000'000;  // tensors placed in trials: below half a second
constexpr std::size_t moves_max = 20'000;

base::Diagnostics check(const std::vector<BufferTensor>& tensors, int ranks, std::int64_t alignment,
                        const base::SourceRef& where) {
  constexpr std::int64_t elements_max = std::int64_t{1} << 60;
  base::Diagnostics problems;
  const auto report = [&](std::string message, std::string hint) {
    problems.push_back({where, std::move(message), std::move(hint)});
  };
  if (ranks < 1) report(fmt::format("a buffer over {} ranks", ranks), "at least 1");
  if (alignment < 1) report(fmt::format("an alignment of {} elements", alignment), "at least 1");
  if (tensors.empty()) report("a buffer without tensors", "name at least one");
  std::int64_t total = 0;
  for (const BufferTensor& tensor : tensors) {
    if (tensor.elements < 1)
      report(fmt::format("tensor '{}' has {} elements", tensor.name, tensor.elements),
             "at least 1");
    if (tensor.block < 1)
      report(fmt::format("tensor '{}' has blocks of {} elements", tensor.name, tensor.block),
             "at least 1; 1 where it may be cut anywhere");
    total +=
        std::clamp(tensor.elements, std::int64_t{0}, elements_max - std::min(total, elements_max));
  }
  // The search multiplies shards by ranks.
  if (problems.empty() && total > elements_max / ranks - alignment)
    report(fmt::format("{} elements on {} ranks are beyond 2^60", total, ranks), "");
  return problems;
}

BufferSearch search_of(const std::vector<BufferTensor>& tensors, int ranks,
                       std::int64_t alignment) {
  std::vector<Extent> extents;
  for (const BufferTensor& tensor : tensors)
    extents.push_back({tensor.elements, std::min(tensor.block, tensor.elements)});
  return {std::move(extents), ranks, alignment};
}

BufferPlan finish(const BufferSearch& search, Order order, std::int64_t shard, int ranks) {
  BufferPlan plan;
  plan.starts = search.starts(order, shard);
  plan.order = std::move(order);
  plan.ranks = ranks;
  plan.shard = shard;
  plan.padding = ranks * shard;
  for (const Extent& tensor : search.tensors()) plan.padding -= tensor.elements;
  plan.lower_bound = search.lower_bound();
  plan.optimal = shard == plan.lower_bound;
  return plan;
}

/// The best order so far.
class Best {
 public:
  explicit Best(BufferSearch& search) : search_(search), order_(search.tensors().size()) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    shard_ = *search_.least_shard(order_, search_.upper_bound() + 1);
  }

  const Order& order() const { return order_; }
  std::int64_t shard() const { return shard_; }
  bool proven() const { return shard_ == search_.lower_bound(); }
  /// More trials are worth their time.
  bool open() const { return !proven() && search_.placed() < placed_max; }

  /// Takes `order` if it is better; with `sideways` also if it is as good.
  void offer(const Order& order, bool sideways) {
    if (const auto shard = search_.least_shard(order, shard_ + (sideways ? 1 : 0))) {
      shard_ = *shard;
      order_ = order;
    }
  }

 private:
  BufferSearch& search_;
  Order order_;
  std::int64_t shard_ = 0;
};

/// Tensors that are alike may change places: orders of kinds, not of tensors.
std::map<Extent, Order> kinds_of(const std::vector<Extent>& tensors) {
  std::map<Extent, Order> kinds;
  for (std::size_t i = 0; i < tensors.size(); ++i) kinds[tensors[i]].push_back(i);
  return kinds;
}

/// Different orders, or a number above orders_tried_max.
std::int64_t order_count(const std::map<Extent, Order>& kinds) {
  std::int64_t count = 1;
  std::int64_t placed = 0;
  for (const auto& [extent, members] : kinds)
    for (std::size_t i = 1; i <= members.size(); ++i) {
      if (count > orders_tried_max) return count;
      count = count * ++placed / static_cast<std::int64_t>(i);  // a binomial coefficient: whole
    }
  return count;
}

/// False if the budget ended first.
bool try_all_orders(Best& best, const std::map<Extent, Order>& kinds) {
  std::vector<const Order*> sequence;
  for (const auto& [extent, members] : kinds)
    sequence.insert(sequence.end(), members.size(), &members);
  std::map<const Order*, int> number;
  for (const Order* kind : sequence) number.emplace(kind, static_cast<int>(number.size()));
  const auto before = [&](const Order* a, const Order* b) { return number.at(a) < number.at(b); };
  do {
    std::map<const Order*, std::size_t> used;
    Order order;
    for (const Order* kind : sequence) order.push_back((*kind)[used[kind]++]);
    best.offer(order, false);
    if (!best.open()) return best.proven();
  } while (std::next_permutation(sequence.begin(), sequence.end(), before));
  return true;
}

void try_sorted_orders(Best& best, const std::vector<Extent>& tensors) {
  const auto by = [&](auto key, bool descending) {
    Order order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return descending ? key(tensors[b]) < key(tensors[a]) : key(tensors[a]) < key(tensors[b]);
    });
    if (best.open()) best.offer(order, false);
  };
  for (const bool descending : {true, false}) {
    by([](const Extent& t) { return std::pair(t.block, t.elements); }, descending);
    by([](const Extent& t) { return std::pair(t.elements, t.block); }, descending);
  }
}

/// Moves single tensors to other places, as long as S does not grow.
void try_moves(Best& best, std::size_t count) {
  for (std::size_t move = 0; move < moves_max && best.open(); ++move) {
    const std::size_t from = base::mix(2 * move) % count;
    const std::size_t to = base::mix(2 * move + 1) % count;
    if (from == to) continue;
    Order order = best.order();
    const auto at = [&](std::size_t i) { return order.begin() + static_cast<std::ptrdiff_t>(i); };
    if (from < to)
      std::rotate(at(from), at(from + 1), at(to + 1));
    else
      std::rotate(at(to), at(from), at(from + 1));
    best.offer(order, true);
  }
}

}  // namespace

base::Result<BufferPlan> plan_buffer_in_order(const std::vector<BufferTensor>& tensors, int ranks,
                                              std::int64_t alignment,
                                              const base::SourceRef& where) {
  base::Diagnostics problems = check(tensors, ranks, alignment, where);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  BufferSearch search = search_of(tensors, ranks, alignment);
  const Best best(search);
  return finish(search, best.order(), best.shard(), ranks);
}

base::Result<BufferPlan> plan_buffer(const std::vector<BufferTensor>& tensors, int ranks,
                                     std::int64_t alignment, const base::SourceRef& where) {
  base::Diagnostics problems = check(tensors, ranks, alignment, where);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  BufferSearch search = search_of(tensors, ranks, alignment);
  Best best(search);
  const std::map<Extent, Order> kinds = kinds_of(search.tensors());
  try_sorted_orders(best, search.tensors());
  bool all_tried = false;
  if (order_count(kinds) <= orders_tried_max)
    all_tried = try_all_orders(best, kinds);
  else
    try_moves(best, tensors.size());
  BufferPlan plan = finish(search, best.order(), best.shard(), ranks);
  plan.optimal = plan.optimal || all_tried;
  return plan;
}

RaggedShard ragged_shard_of(const BufferPlan& plan, const std::vector<BufferTensor>& tensors,
                            std::size_t index, int dims) {
  CHECK_INVARIANT(index < tensors.size() && plan.starts.size() == tensors.size());
  RaggedShard ragged;
  ragged.dims.resize(static_cast<std::size_t>(dims));
  std::iota(ragged.dims.begin(), ragged.dims.end(), 0);
  const std::int64_t begin = plan.starts[index];
  const std::int64_t end = begin + tensors[index].elements;
  std::int64_t common = 0;
  for (int rank = 0; rank < plan.ranks; ++rank) {
    const std::int64_t from = std::clamp(begin, rank * plan.shard, (rank + 1) * plan.shard);
    const std::int64_t to = std::clamp(end, rank * plan.shard, (rank + 1) * plan.shard);
    ragged.units.push_back(to - from);
    common = std::gcd(common, to - from);
  }
  for (std::int64_t& units : ragged.units) units /= common;
  return ragged;
}

}  // namespace strategies::placement
