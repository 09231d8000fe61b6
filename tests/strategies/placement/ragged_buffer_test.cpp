#include "strategies/placement/ragged_buffer.hpp"

#include <fmt/format.h>

#include "tests/strategies/placement/support.hpp"

namespace strategies::placement {
namespace {

using Sizes = std::vector<std::pair<std::int64_t, std::int64_t>>;  ///< elements, block
using Starts = std::vector<std::int64_t>;

std::vector<BufferTensor> tensors_of(const Sizes& sizes) {
  std::vector<BufferTensor> tensors;
  for (const auto& [elements, block] : sizes)
    tensors.push_back({fmt::format("t{}", tensors.size()), elements, block});
  return tensors;
}

/// Every demand of the header, boundary by boundary.
void check_plan(const BufferPlan& plan, const std::vector<BufferTensor>& tensors,
                std::int64_t alignment) {
  REQUIRE(plan.shard % alignment == 0);
  std::int64_t cursor = 0;
  std::int64_t total = 0;
  for (const std::size_t i : plan.order) {
    const std::int64_t start = plan.starts[i];
    const std::int64_t end = start + tensors[i].elements;
    REQUIRE(start >= cursor);
    for (int k = 1; k < plan.ranks; ++k)
      if (start < k * plan.shard && k * plan.shard < end)
        REQUIRE((k * plan.shard - start) % tensors[i].block == 0);
    cursor = end;
    total += tensors[i].elements;
  }
  REQUIRE(cursor <= plan.ranks * plan.shard);
  REQUIRE(plan.padding == plan.ranks * plan.shard - total);
  REQUIRE(plan.lower_bound <= plan.shard);
  std::vector<std::size_t> all = plan.order;
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i] == i);
}

TEST_CASE("buffers of known size") {
  struct Row {
    Sizes sizes;
    int ranks;
    std::int64_t alignment;
    std::int64_t shard;
    Starts starts;
    std::int64_t padding;
    std::int64_t best;  ///< over orders
  };
  const std::vector<Row> rows{
      {{{12, 1}}, 4, 1, 3, {0}, 0, 3},
      {{{10, 1}}, 4, 1, 3, {0}, 2, 3},
      {{{12, 3}, {12, 4}}, 4, 1, 8, {2, 16}, 8, 8},
      {{{6, 6}, {6, 6}, {6, 6}}, 2, 1, 12, {0, 6, 12}, 6, 12},
      {{{5, 5}, {5, 5}, {6, 3}}, 4, 1, 5, {0, 5, 12}, 4, 5},
      {{{64, 16}, {64, 16}, {8, 1}}, 4, 1, 40, {8, 88, 152}, 24, 36},
      {{{128, 32}, {96, 32}, {8, 1}}, 4, 8, 64, {0, 128, 224}, 24, 64},
      {{{100, 10}, {100, 25}, {7, 1}, {33, 11}}, 4, 1, 75, {5, 125, 225, 232}, 60, 62},
      {{{30, 10}, {30, 10}, {30, 10}, {5, 1}}, 8, 1, 20, {0, 30, 60, 90}, 65, 20},
      {{{6, 2}}, 4, 1, 2, {0}, 2, 2},
  };
  for (const Row& row : rows) {
    const std::vector<BufferTensor> tensors = tensors_of(row.sizes);
    const BufferPlan given = *plan_buffer_in_order(tensors, row.ranks, row.alignment);
    CHECK(given.shard == row.shard);
    CHECK(given.starts == row.starts);
    CHECK(given.padding == row.padding);
    check_plan(given, tensors, row.alignment);
    const BufferPlan best = *plan_buffer(tensors, row.ranks, row.alignment);
    CHECK(best.shard == row.best);
    CHECK(best.optimal);
    check_plan(best, tensors, row.alignment);
  }
}

// --- the slow way: every S, every start ----------------------------------------------------------

bool legal(std::int64_t start, const BufferTensor& tensor, std::int64_t shard) {
  for (std::int64_t boundary = shard; boundary < start + tensor.elements; boundary += shard)
    if (start < boundary && (boundary - start) % tensor.block != 0) return false;
  return true;
}

/// Tries every start of every tensor, not only the earliest.
bool fits_somehow(const std::vector<BufferTensor>& tensors, const std::vector<std::size_t>& order,
                  std::size_t next, std::int64_t cursor, std::int64_t shard, int ranks) {
  if (next == order.size()) return true;
  const BufferTensor& tensor = tensors[order[next]];
  for (std::int64_t start = cursor; start + tensor.elements <= ranks * shard; ++start)
    if (legal(start, tensor, shard) &&
        fits_somehow(tensors, order, next + 1, start + tensor.elements, shard, ranks))
      return true;
  return false;
}

bool fits_earliest(const std::vector<BufferTensor>& tensors, const std::vector<std::size_t>& order,
                   std::int64_t shard, int ranks) {
  std::int64_t cursor = 0;
  for (const std::size_t i : order) {
    while (cursor + tensors[i].elements <= ranks * shard && !legal(cursor, tensors[i], shard))
      ++cursor;
    cursor += tensors[i].elements;
    if (cursor > ranks * shard) return false;
  }
  return true;
}

std::int64_t least_by_scan(const std::vector<BufferTensor>& tensors,
                           const std::vector<std::size_t>& order, int ranks,
                           std::int64_t alignment) {
  std::int64_t shard = alignment;
  while (!fits_earliest(tensors, order, shard, ranks)) shard += alignment;
  return shard;
}

std::vector<BufferTensor> random_tensors(Dice& dice, int count, int size) {
  Sizes sizes;
  for (int i = 0; i < count; ++i) {
    const std::int64_t block = 1 + dice(8);
    // Mostly whole blocks; sometimes a last one that is short.
    sizes.emplace_back(dice(4) == 0 ? 1 + dice(size) : block * (1 + dice(size / 4)), block);
  }
  return tensors_of(sizes);
}

std::vector<std::size_t> as_given(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

TEST_CASE("placing each tensor as early as it fits loses nothing") {
  Dice dice(6);
  for (int i = 0; i < 300; ++i) {
    const std::vector<BufferTensor> tensors = random_tensors(dice, 1 + dice(3), 8);
    const int ranks = 1 + dice(4);
    for (std::int64_t shard = 1; shard < 20; ++shard)
      REQUIRE(fits_earliest(tensors, as_given(tensors.size()), shard, ranks) ==
              fits_somehow(tensors, as_given(tensors.size()), 0, 0, shard, ranks));
  }
}

TEST_CASE("the least shard in a given order is that of a scan over all sizes") {
  Dice dice(7);
  int gaps = 0;  // instances where a smaller S fits than one that does not
  for (int i = 0; i < 20000; ++i) {
    const std::vector<BufferTensor> tensors = random_tensors(dice, 1 + dice(6), 60);
    const int ranks = 1 + dice(9);
    const std::int64_t alignment = dice(3) == 0 ? 1 + dice(4) : 1;
    const BufferPlan plan = *plan_buffer_in_order(tensors, ranks, alignment);
    const std::int64_t want = least_by_scan(tensors, as_given(tensors.size()), ranks, alignment);
    REQUIRE(plan.shard == want);
    check_plan(plan, tensors, alignment);
    if (!fits_earliest(tensors, as_given(tensors.size()), want + alignment, ranks)) ++gaps;
  }
  CHECK(gaps > 500);
}

TEST_CASE("the least shard over orders is that of trying all of them") {
  Dice dice(8);
  for (int i = 0; i < 150; ++i) {
    const std::vector<BufferTensor> tensors =
        random_tensors(dice, 2 + dice(i % 25 == 0 ? 6 : 4), 24);
    const int ranks = 2 + dice(5);
    std::vector<std::size_t> order = as_given(tensors.size());
    std::int64_t want = least_by_scan(tensors, order, ranks, 1);
    while (std::next_permutation(order.begin(), order.end()))
      want = std::min(want, least_by_scan(tensors, order, ranks, 1));
    const BufferPlan plan = *plan_buffer(tensors, ranks);
    REQUIRE(plan.shard == want);
    REQUIRE(plan.optimal);
    REQUIRE(plan.lower_bound <= want);
    check_plan(plan, tensors, 1);
  }
}

TEST_CASE("orders of many tensors: never worse than as given, and valid") {
  Dice dice(9);
  for (int i = 0; i < 20; ++i) {
    const std::vector<BufferTensor> tensors = random_tensors(dice, 12, 40);
    const BufferPlan given = *plan_buffer_in_order(tensors, 4);
    const BufferPlan best = *plan_buffer(tensors, 4);
    CHECK(best.shard <= given.shard);
    CHECK(best.optimal == (best.shard == best.lower_bound));
    check_plan(best, tensors, 1);
  }
}

TEST_CASE("a buffer for a large model on a thousand ranks") {
  // 250 layers like those of Llama-3.1-70B: rows of 8192 or 28672 elements stay whole, norms may
  // be cut. 2,250 tensors.
  std::vector<BufferTensor> tensors;
  for (int layer = 0; layer < 250; ++layer)
    for (const auto& [rows, columns, block] :
         std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>>{{8192, 8192, 8192},
                                                                           {1024, 8192, 8192},
                                                                           {1024, 8192, 8192},
                                                                           {8192, 8192, 8192},
                                                                           {28672, 8192, 8192},
                                                                           {28672, 8192, 8192},
                                                                           {8192, 28672, 28672},
                                                                           {1, 8192, 1},
                                                                           {1, 8192, 1}})
      tensors.push_back({"", rows * columns, block});
  const BufferPlan plan = *plan_buffer(tensors, 1024);
  check_plan(plan, tensors, 1);
  CHECK(static_cast<double>(plan.padding) < 0.01 * 1024.0 * static_cast<double>(plan.shard));
}

TEST_CASE("a buffer of experts in blocks of 128 rows") {
  // 36 layers of 16 experts of 2880 x 2880, 5760 x 2880 and 4096 x 2880, and a norm: 22.5, 45 and
  // 32 blocks of 128 * 2880 = 368,640, so 99 whole ones an expert.
  std::vector<BufferTensor> tensors;
  for (int layer = 0; layer < 36; ++layer) {
    for (int expert = 0; expert < 16; ++expert)
      for (const std::int64_t rows : {2880, 5760, 4096})
        tensors.push_back({"", rows * 2880, 128 * 2880});
    tensors.push_back({"", 2880, 1});
  }
  const BufferPlan plan = *plan_buffer(tensors, 1024, 16);
  check_plan(plan, tensors, 16);
  // 36 * 16 * 99 = 57,024 whole blocks on 1,024 ranks: some rank has 56.
  CHECK(plan.lower_bound == 56 * 368640);
  CHECK(static_cast<double>(plan.padding) < 0.01 * 1024.0 * static_cast<double>(plan.shard));
}

TEST_CASE("a planned tensor is a ragged shard, and no block of it is cut") {
  const std::vector<BufferTensor> tensors = tensors_of({{64, 16}, {64, 16}, {8, 1}});
  const BufferPlan plan = *plan_buffer_in_order(tensors, 4);  // S = 40, starts 8, 88, 152
  // 8..72 is 32 in shard 0 and 32 in shard 1; 88..152 is 32 in shards 2 and 3; 152..160 in shard 3.
  CHECK(ragged_shard_of(plan, tensors, 0, 2) == RaggedShard{{0, 1}, {1, 1, 0, 0}});
  CHECK(ragged_shard_of(plan, tensors, 1, 2) == RaggedShard{{0, 1}, {0, 0, 1, 1}});
  CHECK(ragged_shard_of(plan, tensors, 2, 1) == RaggedShard{{0}, {0, 0, 0, 1}});
  const Layout l{{ragged_shard_of(plan, tensors, 0, 2)}, {}};
  CHECK(check_layout(l, {4, 16}, Mesh({4})).empty());
}

TEST_CASE("buffers that cannot be planned") {
  const auto message = [](const Sizes& sizes, int ranks, std::int64_t alignment) {
    return plan_buffer(tensors_of(sizes), ranks, alignment, {"s.yaml", 1, 1})
        .error()
        .front()
        .format();
  };
  CHECK(message({}, 4, 1) == "s.yaml:1:1: error: a buffer without tensors (name at least one)");
  CHECK(message({{0, 1}}, 4, 1) == "s.yaml:1:1: error: tensor 't0' has 0 elements (at least 1)");
  CHECK_THAT(message({{4, 0}}, 4, 1), Catch::Contains("tensor 't0' has blocks of 0 elements"));
  CHECK_THAT(message({{4, 1}}, 0, 1), Catch::Contains("a buffer over 0 ranks"));
  CHECK_THAT(message({{4, 1}}, 1, 0), Catch::Contains("an alignment of 0 elements"));
  CHECK_THAT(message({{std::int64_t{1} << 59, 1}}, 1024, 1), Catch::Contains("beyond 2^60"));
}

}  // namespace
}  // namespace strategies::placement
