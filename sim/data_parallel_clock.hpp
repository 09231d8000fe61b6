#pragma once

#include <array>
#include <functional>
#include <vector>

#include "sim/data_parallel.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"

namespace sim {

/// When what data-parallel ranks say to each other is over, for one stage: what DataParallel lays
/// out, as times in seconds. Called in the same order.
class DataParallelClock {
 public:
  struct Prices {
    std::function<double(const strategies::Communication&)> collective;
    std::function<double(base::Bytes)> host_copy;
  };

  DataParallelClock(const strategies::Plan& plan, const Stage& stage, Prices prices,
                    const std::vector<schedule::Cell>& cells);

  /// When the part may be computed as far as parameters and reductions are concerned.
  double before(const schedule::Cell& cell, const Part& part);
  /// After a forward or an input gradient.
  void after_forward(double now);
  void after_backward(const schedule::Cell& cell, const Part& part, double now, bool last_backward);
  /// When the optimizer may begin. Nothing that was put off begins before `last_run`.
  double finish(double last_run);
  void after_optimizer(double now);
  /// When the last stream is free.
  double end() const;

 private:
  /// What a bucket takes on each stream.
  struct BucketCost {
    double gather = 0;
    double gather_from_group = 0;
    double reduce = 0;   ///< on the communicator of the shards
    double replica = 0;  ///< on that of the replicas
    double copy_in = 0;
    double copy_out = 0;
  };
  struct Pending {
    int chunk = 0;
    int bucket = 0;
  };

  std::vector<BucketCost> costs_of(const std::vector<Bucket>& buckets) const;
  BucketCost cost_of(const Bucket& bucket) const;
  double& free(Stream stream) { return free_[static_cast<std::size_t>(stream)]; }
  void gather_ahead();
  double gather_shards(int chunk, std::size_t bucket, double ready);
  void gather_unit(std::size_t index);
  void reduce(int chunk, int bucket, double after, bool last);

  const strategies::Plan& plan_;
  const Stage& stage_;
  Prices prices_;
  std::vector<std::vector<BucketCost>> costs_;         // by chunk, bucket
  std::vector<std::vector<BucketCost>> gather_costs_;  // by chunk, gather bucket
  std::vector<UnitUse> uses_;
  std::vector<double> use_gathers_;
  std::vector<double> use_runs_;
  std::vector<std::vector<double>> shard_gathers_;  // by chunk, gather bucket
  std::vector<Pending> pending_;
  std::array<double, stream_count> free_{};
  double blocked_ = 0;
  double before_optimizer_ = 0;
};

}  // namespace sim
