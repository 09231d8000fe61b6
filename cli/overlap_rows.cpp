#include "cli/overlap_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/check.hpp"

namespace cli {

namespace {

using calibrate::CallSize;
using calibrate::Times;
using calibrate::harness::CollectiveCall;
using calibrate::harness::KernelTask;
using calibrate::harness::Overlapped;

void tell_heading() {
  fmt::print("{:<14} {:>12} {:<8} {:>14} {:>12} {:>8} {:>12} {:>12} {:>8}\n", "# operation",
             "bytes", "beside", "collective us", "beside us", "times", "kernel us", "beside us",
             "times");
}

std::string times_text(const Times& alone, const Times& beside) {
  const auto factor = calibrate::slowed(alone, beside);
  return factor ? fmt::format("{:.2f}", *factor) : "-";
}

void tell(const Overlapped& row) {
  const Times& collective = row.collective.times;
  const Times& kernel = row.kernel.times;
  fmt::print("{:<14} {:>12} {:<8} {:>14.2f} {:>12.2f} {:>8} {:>12.2f} {:>12.2f} {:>8}\n",
             base::name_of(row.collective.op), row.collective.bytes.count(), row.kernel.kind,
             1e6 * collective.mean, 1e6 * row.overlap.collective_times.mean,
             times_text(collective, row.overlap.collective_times), 1e6 * kernel.mean,
             1e6 * row.overlap.kernel_times.mean, times_text(kernel, row.overlap.kernel_times));
  std::fflush(stdout);
}

}  // namespace

OverlapRows::OverlapRows(const RankHere& here, const calibrate::SweepOptions& sweep,
                         const calibrate::harness::StopRule& rule,
                         const std::vector<calibrate::harness::BesideKind>& kinds, MeasuredRun* run)
    : here_(here), run_(run), bench_(here.world, here.device, sweep, rule) {
  for (const auto kind : kinds) {
    const KernelTask task = calibrate::harness::standard_kernel(kind, here.device.host());
    auto work = here.device.prepare(task);
    if (!work) throw base::EnvironmentError(work.error().front().message);
    kernels_.emplace_back(task, std::move(*work));
  }
  if (run_ != nullptr) tell_heading();
}

bool OverlapRows::known(const CollectiveCall& call, int ranks, const CallSize& size,
                        const KernelTask& task) const {
  const calibrate::RunRecords& before = run_->known();
  return std::any_of(before.overlaps.begin(), before.overlaps.end(), [&](const auto& overlap) {
    const calibrate::CollectiveRecord& one = before.collectives[overlap.collective];
    return one.op == call.op && one.dtype == call.dtype && one.placement.ranks == ranks &&
           one.bytes == size.bytes && (one.root < 0 || one.root == call.root) &&
           (one.reduction == "none" || one.reduction == call.reduction) &&
           before.kernels[overlap.kernel].kernel == task.kernel;
  });
}

void OverlapRows::measure(const calibrate::harness::World::Group& group, const CollectiveCall& call,
                          const CallSize& size) {
  const int ranks = here_.world.agree(group.ranks());
  for (const auto& [task, work] : kernels_) {
    const bool there = run_ != nullptr && known(call, ranks, size, task);
    if (here_.world.agree<std::int32_t>(there ? 1 : 0) != 0) continue;
    const Overlapped row = bench_.measure(group, call, size, task, work);
    if (run_ == nullptr) continue;
    run_->add(row);
    tell(row);
  }
}

}  // namespace cli
