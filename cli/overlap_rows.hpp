#pragma once

#include <utility>
#include <vector>

#include "calibrate/harness/overlap_bench.hpp"
#include "cli/measured_run.hpp"

namespace cli {

/// The rows of `calibrate collectives --beside`: each size beside each kernel, stored and told.
class OverlapRows {
 public:
  /// A kernel that the device does not have is a broken environment. All of it must outlive this;
  /// `run`: null on all ranks but the first.
  OverlapRows(const RankHere& here, const calibrate::SweepOptions& sweep,
              const calibrate::harness::StopRule& rule,
              const std::vector<calibrate::harness::BesideKind>& kinds, MeasuredRun* run);

  /// On all ranks. What a run that goes on has is not measured again.
  void measure(const calibrate::harness::World::Group& group,
               const calibrate::harness::CollectiveCall& call, const calibrate::CallSize& size);

 private:
  using Kernel = std::pair<calibrate::harness::KernelTask, calibrate::harness::Device::Work>;
  bool known(const calibrate::harness::CollectiveCall& call, int ranks,
             const calibrate::CallSize& size, const calibrate::harness::KernelTask& task) const;

  const RankHere& here_;
  MeasuredRun* run_;
  calibrate::harness::OverlapBench bench_;
  std::vector<Kernel> kernels_;
};

}  // namespace cli
