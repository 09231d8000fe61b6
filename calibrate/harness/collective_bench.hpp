#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/harness/sampling.hpp"
#include "calibrate/harness/sweep.hpp"

/// Times collectives as nccl-tests does: a warm-up, a barrier, then one iteration behind the other;
/// an iteration's time is that of all ranks together (-a).
namespace calibrate::harness {

class CollectiveBench {
 public:
  /// Buffers lie on `device`. All of it must outlive this.
  CollectiveBench(const World& world, const Device& device, const SweepOptions& options,
                  const StopRule& rule);

  /// One call, done at once by all groups that ranks of the world form; `group` is that of this
  /// rank. Every rank gets the same record: times of the group of rank 0, wrong elements of all.
  /// `wrong` is empty when the data was not checked. No sample is left where the device was
  /// throttled all the time: then `times.iterations` is 0.
  CollectiveRecord measure(const World::Group& group, const CollectiveCall& call,
                           const CallSize& size, bool in_place) const;
  /// One iteration of it, out of place, with memory of its own; nothing on a rank in no group.
  std::function<void(void* stream)> iteration(const World::Group& group, const CollectiveCall& call,
                                              const CallSize& size) const;
  /// Times of the group of rank 0, on every rank.
  Times times(const World::Group& group, const Samples& samples) const;

 private:
  /// Who leads the group of each rank; -1: it is in none.
  std::vector<std::int32_t> leaders(const World::Group& group) const;

  struct Buffers;
  Placement placement(const std::vector<std::int32_t>& leaders,
                      const std::vector<int>& members) const;
  Buffers buffers(const World::Group& group, const CollectiveCall& call, const CallSize& size,
                  bool in_place) const;
  std::int64_t wrong(const World::Group& group, const CollectiveCall& call, const CallSize& size,
                     const Buffers& buffers) const;

  const World& world_;
  const Device& device_;
  SweepOptions options_;
  StopRule rule_;
  Sampling sampling_;
  std::vector<std::uint64_t> host_of_rank_;
  int ranks_per_device_;  ///< those that share one are no faster than it
  std::string device_name_;
  Software library_;
};

}  // namespace calibrate::harness
