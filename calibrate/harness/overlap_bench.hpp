#pragma once

#include <array>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/harness/collective_bench.hpp"
#include "calibrate/harness/kernel_bench.hpp"

/// Times a collective and a kernel alone, and then both at once on every rank: on streams of a
/// device, on a host the kernel in a thread of its own, as a step is executed.
namespace calibrate::harness {

/// What bounds a kernel that runs beside a collective: arithmetic, or traffic to memory.
enum class BesideKind { gemm, memory };

inline constexpr std::array<std::pair<std::string_view, BesideKind>, 2> beside_kind_names{{
    {"gemm", BesideKind::gemm},
    {"memory", BesideKind::memory},
}};

/// A kernel of that kind that takes some milliseconds on a core (`small`), or less than one on a
/// GPU: a product of 512 or 4,096 a side, a copy with traffic of 8 or 256 MiB.
KernelTask standard_kernel(BesideKind kind, bool small);

/// From when to when something ran, in seconds of one clock.
struct Interval {
  double begin = 0;
  double end = 0;
};

/// Seconds of those of `work` that lie wholly within the first and the last of `beside`.
std::vector<double> seconds_beside(const std::vector<Interval>& work,
                                   const std::vector<Interval>& beside);

/// What both took, alone and at once. `overlap` does not say its rows' numbers.
struct Overlapped {
  CollectiveRecord collective;
  KernelRecord kernel;
  OverlapRecord overlap;
};

class OverlapBench {
 public:
  /// All of it must outlive this.
  OverlapBench(const World& world, const Device& device, const SweepOptions& options,
               const StopRule& rule);

  /// Out of place. Each of the three goes on as long as the stop rule says, and at once until both
  /// ran beside each other at all. Every rank gets the same. \pre `work` is that of `task`
  Overlapped measure(const World::Group& group, const CollectiveCall& call, const CallSize& size,
                     const KernelTask& task, const Device::Work& work) const;

 private:
  struct Both {
    std::vector<Interval> collective;
    std::vector<Interval> kernel;
  };
  using Iteration = std::function<void(void* stream)>;

  Both on_host(const Iteration& collective, const Device::Work& work) const;
  Both on_device(const Iteration& collective, const Device::Work& work, const Times& alone,
                 const Times& kernel_alone) const;
  Samples samples(const std::vector<double>& mine, bool throttled) const;

  const World& world_;
  const Device& device_;
  StopRule rule_;
  CollectiveBench collectives_;
  KernelBench kernels_;
  Sampling sampling_;
};

}  // namespace calibrate::harness
