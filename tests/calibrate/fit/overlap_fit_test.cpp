// What collectives take from kernels beside them, from measurements.

#include "calibrate/fit/overlap_fit.hpp"

#include "tests/calibrate/support.hpp"

namespace calibrate::fit {
namespace {

/// A collective of 8 ranks beside a kernel that takes 100 us alone and `slower` times as long now.
void add(RunRecords& run, double bytes, double slower, const base::Kernel& kernel = base::Gemm{}) {
  CollectiveRecord collective;
  collective.library = "NCCL";
  collective.device = "H200";
  collective.placement = {.ranks = 8, .ranks_per_node = 8};
  collective.bytes = base::Bytes::from_double(bytes);
  collective.times.mean = 1e-3;
  KernelRecord beside;
  beside.kernel = kernel;
  beside.times.mean = 100e-6;
  OverlapRecord both{run.collectives.size(), run.kernels.size(), {}, {}};
  both.collective_times.mean = 2e-3;
  both.kernel_times.mean = slower * 100e-6;
  run.collectives.push_back(collective);
  run.kernels.push_back(beside);
  run.overlaps.push_back(both);
}

TEST_CASE("shares are between those of measured sizes, and beyond them that of the nearest") {
  RunRecords run;
  add(run, 1024, 1.25);
  add(run, 16384, 2);
  const OverlapFits fits = fit_overlaps({&run, 1});
  REQUIRE(fits.size() == 1);
  CHECK_FALSE(fits.begin()->first.memory_bound);
  const OverlapFit& fit = fits.begin()->second.fit;
  // A kernel that takes twice as long has lost half of its speed.
  CHECK(fit.at(16384).taken == Approx(0.5));
  CHECK(fit.at(1024).taken == Approx(1 - 1 / 1.25));
  CHECK(fit.at(1024).inside);
  // 4 KiB is in the middle of 1 KiB and 16 KiB: (1.25 + 2) / 2 times as long.
  CHECK(fit.at(4096).taken == Approx(1 - 1 / 1.625));
  CHECK(fit.at(4096).inside);
  CHECK(fit.at(512).taken == fit.at(1024).taken);
  CHECK_FALSE(fit.at(512).inside);
  CHECK(fit.at(1e9).taken == Approx(0.5));
  CHECK_FALSE(fit.at(1e9).inside);
}

TEST_CASE("repeats count by their median, and faster than alone is not less than nothing") {
  RunRecords run;
  for (const double slower : {1.5, 3.0, 1.6}) add(run, 1024, slower);
  add(run, 4096, 0.9);
  add(run, 1024, 4, base::MemoryBound{base::Bytes::from_count(1 << 20), 1});
  const OverlapFits fits = fit_overlaps({&run, 1});
  REQUIRE(fits.size() == 2);
  for (const auto& [key, fitted] : fits) {
    INFO(describe(key, "2.28.9"));
    if (key.memory_bound) {
      CHECK(fitted.fit.at(1024).taken == Approx(0.75));
      CHECK(describe(key, "2.28.9") ==
            "memory-bound kernels beside all_reduce of 8 H200 on one node, NCCL 2.28.9");
    } else {
      CHECK(fitted.fit.at(1024).taken == Approx(1 - 1 / 1.6));
      CHECK(fitted.fit.at(4096).taken == 0);
    }
  }
}

TEST_CASE("what was not timed, or had wrong data, does not count") {
  RunRecords run;
  add(run, 1024, 2);
  add(run, 2048, 2);
  run.collectives[0].wrong = 1;
  run.overlaps[1].kernel_times.mean = 0;
  CHECK(fit_overlaps({&run, 1}).empty());
}

}  // namespace
}  // namespace calibrate::fit
