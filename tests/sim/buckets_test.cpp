#include "sim/buckets.hpp"

#include <algorithm>
#include <map>

#include "tests/sim/random_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using base::Bytes;
using strategies::BucketPolicy;

std::vector<int> assign(std::initializer_list<int> sizes, BucketPolicy policy, int first,
                        int size) {
  std::vector<Bytes> tensors;
  for (const int one : sizes) tensors.push_back(Bytes::from_count(one));
  return assign_buckets(tensors, policy, {Bytes::from_count(first), Bytes::from_count(size)});
}

TEST_CASE("buckets by hand") {
  // Megatron: 4+6 reach 10; 3+3+5 = 11 do; 12 alone does; 2 is what is left.
  CHECK(assign({4, 6, 3, 3, 5, 12, 2}, BucketPolicy::megatron, 1, 10) ==
        std::vector<int>{0, 0, 1, 1, 1, 2, 3});
  // PyTorch: the first is full with 4, the second with 6+3+3 = 12, then 5+12, then 2.
  CHECK(assign({4, 6, 3, 3, 5, 12, 2}, BucketPolicy::sequential, 1, 10) ==
        std::vector<int>{0, 1, 1, 1, 2, 2, 3});
  // DeepSpeed: 4+6 = 10 fit, 3+3 = 6 do and 5 would make 11, 5 and 12 would be 17, 12 and 2 14.
  CHECK(assign({4, 6, 3, 3, 5, 12, 2}, BucketPolicy::deepspeed, 1, 10) ==
        std::vector<int>{0, 0, 1, 1, 2, 3, 4});
  // Best fit decreasing: 12 | 6 | 5 goes beside... 6+5 = 11 is too much: 5 | 4 fits 6 (room 4),
  // 3 fits 5 (room 5, then 2), 3 fits nowhere | 2 fits the room of 2.
  // {12} {6,4} {5,3,2} {3}; complete with the tensors of index 5, 1, 6, 3 or 2: {6,4} first, then
  // the {3}, {12}, {5,3,2}.
  CHECK(assign({4, 6, 3, 3, 5, 12, 2}, BucketPolicy::best_fit, 1, 10) ==
        std::vector<int>{0, 0, 3, 1, 3, 2, 3});
  CHECK(assign({4, 6, 3}, BucketPolicy::per_parameter, 0, 0) == std::vector<int>{0, 1, 2});
  CHECK(assign({}, BucketPolicy::best_fit, 1, 10).empty());
}

/// Looks at every open bucket for every tensor.
std::size_t slow_best_fit(std::vector<std::int64_t> tensors, std::int64_t size) {
  std::stable_sort(tensors.begin(), tensors.end(), std::greater<>());
  std::vector<std::int64_t> room;
  for (const std::int64_t tensor : tensors) {
    std::int64_t* best = nullptr;
    for (std::int64_t& one : room)
      if (one >= tensor && (best == nullptr || one < *best)) best = &one;
    if (best != nullptr)
      *best -= tensor;
    else
      room.push_back(std::max<std::int64_t>(0, size - tensor));
  }
  return room.size();
}

TEST_CASE("every policy puts each tensor into one bucket, numbered as they are complete") {
  Dice pick(7);
  for (int round = 0; round < 300; ++round) {
    const auto policy = static_cast<BucketPolicy>(pick(5));
    std::vector<Bytes> tensors;
    std::vector<std::int64_t> sizes;
    for (int i = 0; i < 1 + pick(30); ++i) {
      sizes.push_back(1 + pick(60));
      tensors.push_back(Bytes::from_count(sizes.back()));
    }
    const int size = 20 + pick(60);
    const std::vector<int> bucket_of =
        assign_buckets(tensors, policy, {Bytes::from_count(10), Bytes::from_count(size)});
    REQUIRE(bucket_of.size() == tensors.size());
    std::map<int, std::int64_t> held;
    std::map<int, int> tensors_of;
    std::map<int, std::size_t> complete;
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      held[bucket_of[t]] += sizes[t];
      ++tensors_of[bucket_of[t]];
      complete[bucket_of[t]] = t;
    }
    CHECK(held.begin()->first == 0);
    CHECK(held.rbegin()->first == static_cast<int>(held.size()) - 1);
    for (const auto& [bucket, last] : complete)
      if (bucket > 0) CHECK(complete.at(bucket - 1) < last);
    for (const auto& [bucket, bytes] : held) {
      const bool limited = policy == BucketPolicy::deepspeed || policy == BucketPolicy::best_fit;
      if (limited && tensors_of[bucket] > 1) CHECK(bytes <= size);
    }
    if (policy == BucketPolicy::best_fit) CHECK(held.size() == slow_best_fit(sizes, size));
  }
}

}  // namespace
}  // namespace sim
