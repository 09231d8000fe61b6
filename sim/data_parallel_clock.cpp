#include "sim/data_parallel_clock.hpp"

#include <algorithm>
#include <utility>

namespace sim {

using schedule::Cell;

DataParallelClock::DataParallelClock(const strategies::Plan& plan, const Stage& stage,
                                     Prices prices, const std::vector<Cell>& cells)
    : plan_(plan), stage_(stage), prices_(std::move(prices)) {
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk) {
    costs_.push_back(costs_of(stage_.buckets(chunk)));
    gather_costs_.push_back(costs_of(stage_.gather_buckets(chunk)));
  }
  if (stage_.fully_sharded()) {
    uses_ = unit_uses(stage_, plan_, cells);
    use_gathers_.reserve(uses_.size());
    use_runs_.reserve(uses_.size());
  }
  if (stage_.gathers_ahead()) gather_ahead();
}

double DataParallelClock::before(const Cell& cell, const Part& part) {
  double ready = std::exchange(blocked_, 0);
  for (int need = part.needs.first; need < part.needs.end; ++need)
    ready = std::max(
        ready,
        shard_gathers_[static_cast<std::size_t>(cell.chunk)][static_cast<std::size_t>(need)]);
  if (!stage_.fully_sharded() || !cell.needs_parameters()) return ready;
  const std::size_t wanted =
      std::min(uses_.size(), use_runs_.size() + static_cast<std::size_t>(plan_.prefetch()) + 1);
  while (use_gathers_.size() < wanted) gather_unit(use_gathers_.size());
  return std::max(ready, use_gathers_[use_runs_.size()]);
}

void DataParallelClock::after_forward(double now) {
  if (stage_.fully_sharded()) use_runs_.push_back(now);
}

void DataParallelClock::after_backward(const Cell& cell, const Part& part, double now,
                                       bool last_backward) {
  if (stage_.fully_sharded() && cell.needs_parameters()) use_runs_.push_back(now);
  if (!stage_.reduces(last_backward)) return;
  const bool put_off = stage_.puts_off(last_backward);
  for (int index = part.completes.first; index < part.completes.end; ++index)
    if (put_off)
      pending_.push_back({cell.chunk, index});
    else
      reduce(cell.chunk, index, now, last_backward);
}

double DataParallelClock::finish(double last_run) {
  for (const Pending& pending : pending_) reduce(pending.chunk, pending.bucket, last_run, true);
  return before_optimizer_;
}

void DataParallelClock::after_optimizer(double now) {
  if (!stage_.gathers_shards() || stage_.gathers_ahead()) return;
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk)
    for (std::size_t b = 0; b < stage_.gather_buckets(chunk).size(); ++b)
      gather_shards(chunk, b, now);
}

double DataParallelClock::end() const { return *std::max_element(free_.begin(), free_.end()); }

/// Layers are alike, so that few sizes of buckets occur.
std::vector<DataParallelClock::BucketCost> DataParallelClock::costs_of(
    const std::vector<Bucket>& buckets) const {
  std::vector<BucketCost> costs;
  costs.reserve(buckets.size());
  std::vector<std::size_t> distinct;
  for (const Bucket& bucket : buckets) {
    const auto same = std::find_if(distinct.begin(), distinct.end(), [&](std::size_t known) {
      return buckets[known].elements == bucket.elements &&
             buckets[known].of_class == bucket.of_class;
    });
    if (same != distinct.end()) {
      costs.push_back(costs[*same]);
    } else {
      distinct.push_back(costs.size());
      costs.push_back(cost_of(bucket));
    }
  }
  return costs;
}

DataParallelClock::BucketCost DataParallelClock::cost_of(const Bucket& bucket) const {
  BucketCost made;
  if (stage_.class_of(bucket).shards > 1 && stage_.sharded_state())
    made.gather = prices_.collective(stage_.gathering(bucket).communication);
  if (stage_.fully_sharded() && plan_.fsdp.ranks_after_forward > 1)
    made.gather_from_group =
        prices_.collective(stage_.gathering(bucket, /*from_group=*/true).communication);
  const std::vector<DataCollective> reduction = stage_.reduction(bucket);
  made.reduce = prices_.collective(reduction.front().communication);
  if (reduction.size() > 1) made.replica = prices_.collective(reduction.back().communication);
  if (stage_.offloads()) made.copy_in = prices_.host_copy(stage_.parameter_shard_bytes(bucket));
  if (stage_.updates_on_host())
    made.copy_out = prices_.host_copy(stage_.gradient_shard_bytes(bucket));
  return made;
}

void DataParallelClock::gather_ahead() {
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk) {
    shard_gathers_.emplace_back();
    for (std::size_t b = 0; b < stage_.gather_buckets(chunk).size(); ++b)
      shard_gathers_.back().push_back(gather_shards(chunk, b, 0));
  }
}

double DataParallelClock::gather_shards(int chunk, std::size_t bucket, double ready) {
  double& stream = free(stage_.class_of(stage_.gather_buckets(chunk)[bucket]).shard_stream);
  return stream = std::max(stream, ready) +
                  gather_costs_[static_cast<std::size_t>(chunk)][bucket].gather;
}

void DataParallelClock::gather_unit(std::size_t index) {
  const UnitUse& use = uses_[index];
  double& gathered = use_gathers_.emplace_back(0);
  if (use.gather == UnitUse::Gather::nothing) return;
  const auto held = static_cast<std::size_t>(plan_.prefetch()) + 1;
  const double allowed = index >= held ? use_runs_[index - held] : 0;
  const bool group = use.gather == UnitUse::Gather::group;
  const FsdpUnit& unit = stage_.fsdp_units(use.chunk)[static_cast<std::size_t>(use.unit)];
  for (int number = unit.buckets.first; number < unit.buckets.end; ++number) {
    const Bucket& bucket = stage_.buckets(use.chunk)[static_cast<std::size_t>(number)];
    if (stage_.class_of(bucket).shards == 1) continue;
    const BucketCost& cost =
        costs_[static_cast<std::size_t>(use.chunk)][static_cast<std::size_t>(number)];
    double ready = allowed;
    if (stage_.offloads() && !group) {
      double& copies = free(Stream::host_to_device);
      ready = copies = std::max(copies, allowed) + cost.copy_in;
    }
    double& stream = free(stage_.class_of(bucket).shard_stream);
    stream = std::max(stream, ready) + (group ? cost.gather_from_group : cost.gather);
    gathered = std::max(gathered, stream);
  }
}

void DataParallelClock::reduce(int chunk, int index, double after, bool last) {
  const Bucket& bucket = stage_.buckets(chunk)[static_cast<std::size_t>(index)];
  const ParameterClass& its = stage_.class_of(bucket);
  const BucketCost& cost = costs_[static_cast<std::size_t>(chunk)][static_cast<std::size_t>(index)];
  double& shards = free(its.shard_stream);
  after = shards = std::max(shards, after) + cost.reduce;
  if (stage_.sums_replicas(bucket)) {
    double& replicas = free(its.replica_stream);
    after = replicas = std::max(replicas, after) + cost.replica;
  }
  if (stage_.updates_on_host()) {
    double& copies = free(Stream::device_to_host);
    after = copies = std::max(copies, after) + cost.copy_out;
  }
  if (last) before_optimizer_ = std::max(before_optimizer_, after);
  if (!plan_.overlap.gradient_reduce) blocked_ = std::max(blocked_, after);
}

}  // namespace sim
