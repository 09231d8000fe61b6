#pragma once

#include <functional>
#include <vector>

#include "calibrate/harness/device.hpp"
#include "calibrate/harness/world.hpp"

/// How often something is done until its time is known well enough.
namespace calibrate::harness {

struct StopRule {
  int warm_up = 1;
  int batch = 20;  ///< times that are timed before anybody looks
  /// Goes on until the standard error of the mean is below this share of it; 0: after one batch…
  double spread = 0;
  /// …or until so many seconds have gone into it.
  double seconds = 1;
};

struct Samples {
  std::vector<std::vector<double>> of_rank;  ///< seconds of each time, by rank of the world
  int warm_up = 0;
  int dropped = 0;  ///< times in which a device was throttled

  std::size_t count() const { return of_rank.empty() ? 0 : of_rank.front().size(); }
};

/// Does `once` on all ranks of the world, which agree on how often. On a device it only launches,
/// on `stream`; events tell its time.
class Sampling {
 public:
  /// Both must outlive this. `world`: null for a job of one rank without messages.
  Sampling(const Device& device, const World* world);
  Samples take(const std::function<void()>& once, const StopRule& rule) const;
  void* stream() const { return stream_.get(); }
  /// All ranks have come when it returns.
  void meet() const;
  /// Whether a device of any rank is slowed down now.
  bool throttled_somewhere() const;
  /// What every rank has, on all of them. \pre all have equally many
  std::vector<std::vector<double>> by_rank(const std::vector<double>& mine) const;

 private:
  std::vector<double> batch(const std::function<void()>& once, int times) const;
  std::vector<double> turns(const std::function<void()>& once, int times) const;
  int times_of_turns(const std::function<void()>& once, int least) const;

  const Device& device_;
  const World* world_;
  std::shared_ptr<void> stream_;
  bool host_;
  bool in_turns_;  ///< kernels of ranks that share cores
};

}  // namespace calibrate::harness
