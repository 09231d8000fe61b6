#include "sim/buckets.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace sim {

namespace {

using base::Bytes;
using strategies::BucketPolicy;

/// Runs of tensors, closed when full or, with `never_beyond`, before they would be overfull.
std::vector<int> in_runs(const std::vector<Bytes>& tensors, const BucketSizes& sizes,
                         bool never_beyond) {
  std::vector<int> bucket_of;
  int bucket = 0;
  Bytes held;
  bool empty = true;
  const auto close = [&] {
    ++bucket;
    held = Bytes{};
    empty = true;
  };
  for (const Bytes tensor : tensors) {
    const Bytes limit = bucket == 0 ? sizes.first : sizes.size;
    if (never_beyond && !empty && held + tensor > limit) close();
    bucket_of.push_back(bucket);
    held += tensor;
    empty = false;
    if (!never_beyond && held >= limit) close();
  }
  return bucket_of;
}

std::vector<int> best_fit(const std::vector<Bytes>& tensors, Bytes size) {
  std::vector<int> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return tensors[static_cast<std::size_t>(a)] > tensors[static_cast<std::size_t>(b)];
  });
  std::vector<int> bucket_of(tensors.size());
  std::set<std::pair<Bytes, int>> room;  // of the buckets
  int buckets = 0;
  for (const int tensor : order) {
    const Bytes bytes = tensors[static_cast<std::size_t>(tensor)];
    const auto fullest = room.lower_bound({bytes, -1});
    int bucket = buckets;
    Bytes left = bytes < size ? size - bytes : Bytes{};
    if (fullest == room.end()) {
      ++buckets;
    } else {
      bucket = fullest->second;
      left = fullest->first - bytes;
      room.erase(fullest);
    }
    room.emplace(left, bucket);
    bucket_of[static_cast<std::size_t>(tensor)] = bucket;
  }
  return bucket_of;
}

/// Gives buckets the numbers of the order in which their last tensors come.
void number_by_completion(std::vector<int>& bucket_of) {
  if (bucket_of.empty()) return;
  const int buckets = *std::max_element(bucket_of.begin(), bucket_of.end()) + 1;
  std::vector<int> number(static_cast<std::size_t>(buckets), -1);
  int next = buckets;
  for (auto bucket = bucket_of.rbegin(); bucket != bucket_of.rend(); ++bucket)
    if (int& mine = number[static_cast<std::size_t>(*bucket)]; mine < 0) mine = --next;
  for (int& bucket : bucket_of) bucket = number[static_cast<std::size_t>(bucket)];
}

}  // namespace

std::vector<int> assign_buckets(const std::vector<Bytes>& tensors, BucketPolicy policy,
                                const BucketSizes& sizes) {
  switch (policy) {
    case BucketPolicy::megatron: return in_runs(tensors, {sizes.size, sizes.size}, false);
    case BucketPolicy::sequential: return in_runs(tensors, sizes, false);
    case BucketPolicy::deepspeed: return in_runs(tensors, {sizes.size, sizes.size}, true);
    case BucketPolicy::best_fit: {
      std::vector<int> bucket_of = best_fit(tensors, sizes.size);
      number_by_completion(bucket_of);
      return bucket_of;
    }
    case BucketPolicy::per_parameter: break;
  }
  std::vector<int> bucket_of(tensors.size());
  std::iota(bucket_of.begin(), bucket_of.end(), 0);
  return bucket_of;
}

}  // namespace sim
