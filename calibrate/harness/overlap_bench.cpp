#include "calibrate/harness/overlap_bench.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <thread>

namespace calibrate::harness {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Launches a kernel again and again, on a host, until it is gone.
class Beside {
 public:
  Beside(const Device::Work& work, Clock::time_point zero)
      : thread_([this, &work, zero] {
          try {
            while (!over_) {
              const double begin = since(zero);
              work.launch(nullptr);
              intervals_.push_back({begin, since(zero)});
              ++launched_;
            }
          } catch (...) {
            failure_ = std::current_exception();
            failed_ = true;
          }
        }) {}
  Beside(const Beside&) = delete;
  ~Beside() { end(); }

  int launched() const { return launched_; }
  bool failed() const { return failed_; }
  std::vector<Interval> intervals() {
    end();
    if (failure_ != nullptr) std::rethrow_exception(failure_);
    return std::move(intervals_);
  }

 private:
  void end() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }

  std::vector<Interval> intervals_;
  std::exception_ptr failure_;
  std::atomic<bool> over_{false};
  std::atomic<bool> failed_{false};
  std::atomic<int> launched_{0};
  std::thread thread_;
};

}  // namespace

std::vector<double> seconds_beside(const std::vector<Interval>& work,
                                   const std::vector<Interval>& beside) {
  std::vector<double> seconds;
  if (beside.empty()) return seconds;
  for (const Interval& one : work)
    if (one.begin >= beside.front().begin && one.end <= beside.back().end)
      seconds.push_back(one.end - one.begin);
  return seconds;
}

KernelTask standard_kernel(BesideKind kind, bool small) {
  const base::DType dtype = small ? base::DType::fp32 : base::DType::bf16;
  if (kind == BesideKind::memory)
    return task_of(base::MemoryBound{base::Bytes::from_count((small ? 8LL : 256LL) << 20), 1});
  const std::int64_t side = small ? 512 : 4096;
  return task_of(base::Gemm{side, side, side, 1, dtype, dtype});
}

OverlapBench::OverlapBench(const World& world, const Device& device, const SweepOptions& options,
                           const StopRule& rule)
    : world_(world),
      device_(device),
      rule_(rule),
      collectives_(world, device, options, rule),
      kernels_(device, &world, rule),
      sampling_(device, &world) {}

OverlapBench::Both OverlapBench::on_host(const Iteration& collective,
                                         const Device::Work& work) const {
  Both both;
  sampling_.meet();
  const Clock::time_point zero = Clock::now();
  Beside beside(work, zero);
  int before = -1;  // kernels that were over when the collectives began
  while (true) {
    // Of two more that are over by now, at most one began before the collectives.
    const bool some = before >= 0 && beside.launched() >= before + 2;
    for (int i = 0; i < rule_.batch; ++i) {
      const double begin = since(zero);
      if (before < 0) before = beside.launched();
      collective(nullptr);
      both.collective.push_back({begin, since(zero)});
    }
    const bool enough = beside.failed() || (some && since(zero) >= rule_.seconds);
    const std::vector<std::int32_t> all = world_.share(std::vector<std::int32_t>{enough ? 1 : 0});
    if (std::find(all.begin(), all.end(), 0) == all.end()) break;
  }
  both.kernel = beside.intervals();
  return both;
}

OverlapBench::Both OverlapBench::on_device(const Iteration& collective, const Device::Work& work,
                                           const Times& alone, const Times& kernel_alone) const {
  // Long enough for some kernels; and kernels for longer than collectives, however slow those get.
  constexpr double kernels_least = 4;
  constexpr double longer = 2;
  const double each = world_.agree(alone.typical());
  const double kernel = world_.agree(kernel_alone.typical());
  if (!(each > 0) || !(kernel > 0)) return {};
  const int iterations =
      std::max(rule_.batch, static_cast<int>(std::ceil(kernels_least * kernel / each)));
  const std::shared_ptr<void> streams[2] = {device_.stream(), device_.stream()};
  std::vector<std::shared_ptr<void>> marks[2];
  const auto mark = [&](int which) {
    marks[which].push_back(device_.event());
    device_.record(marks[which].back().get(), streams[which].get());
  };
  sampling_.meet();
  mark(0);
  device_.wait(streams[1].get(), marks[0].front().get());
  mark(1);
  double launched = 0;
  for (int i = 1; i <= iterations; ++i) {
    collective(streams[0].get());
    mark(0);
    for (; launched < longer * each * i; launched += kernel) {
      work.launch(streams[1].get());
      mark(1);
    }
  }
  Both both;
  for (const int which : {0, 1}) {
    device_.synchronise(streams[which].get());
    double begin = device_.elapsed(marks[0].front().get(), marks[which].front().get());
    for (std::size_t i = 1; i < marks[which].size(); ++i) {
      const double end = device_.elapsed(marks[0].front().get(), marks[which][i].get());
      (which == 0 ? both.collective : both.kernel).push_back({begin, end});
      begin = end;
    }
  }
  return both;
}

/// Ranks have as many as the one that has fewest.
Samples OverlapBench::samples(const std::vector<double>& mine, bool throttled) const {
  const std::vector<std::int64_t> counts =
      world_.share(std::vector{static_cast<std::int64_t>(mine.size())});
  const std::int64_t least = *std::min_element(counts.begin(), counts.end());
  Samples all;
  if (throttled)
    all.dropped = static_cast<int>(least);
  else if (least > 0)
    all.of_rank = sampling_.by_rank({mine.begin(), mine.begin() + least});
  return all;
}

Overlapped OverlapBench::measure(const World::Group& group, const CollectiveCall& call,
                                 const CallSize& size, const KernelTask& task,
                                 const Device::Work& work) const {
  Overlapped result;
  result.collective = collectives_.measure(group, call, size, false);
  result.kernel = kernels_.measure_work(task, work);
  const Iteration collective = collectives_.iteration(group, call, size);
  const Both both = device_.host()
                        ? on_host(collective, work)
                        : on_device(collective, work, result.collective.times, result.kernel.times);
  const bool throttled = sampling_.throttled_somewhere();
  result.overlap.collective_times =
      collectives_.times(group, samples(seconds_beside(both.collective, both.kernel), throttled));
  Samples kernels = samples(seconds_beside(both.kernel, both.collective), throttled);
  // On ranks of no group nothing was beside them.
  const std::vector<std::int32_t> members =
      world_.share(std::vector<std::int32_t>{group.rank() >= 0 ? 1 : 0});
  std::vector<std::vector<double>> of_members;
  for (std::size_t rank = 0; rank < kernels.of_rank.size(); ++rank)
    if (members[rank] != 0) of_members.push_back(std::move(kernels.of_rank[rank]));
  kernels.of_rank = std::move(of_members);
  result.overlap.kernel_times = KernelBench::times(kernels);
  return result;
}

}  // namespace calibrate::harness
