// What collectives take from kernels beside them, and lose to them, from measurements.

#include "calibrate/fit/overlap_fit.hpp"

#include "tests/calibrate/support.hpp"

namespace calibrate::fit {
namespace {

/// A collective of 8 ranks beside a kernel that takes 100 us alone and `slower` times as long now.
/// It takes 1 ms alone and 2 ms beside the kernel.
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
  CHECK(fit.of_kernel(16384).taken == Approx(0.5));
  CHECK(fit.of_kernel(1024).taken == Approx(1 - 1 / 1.25));
  CHECK(fit.of_kernel(1024).inside);
  // 4 KiB is in the middle of 1 KiB and 16 KiB: (1.25 + 2) / 2 times as long.
  CHECK(fit.of_kernel(4096).taken == Approx(1 - 1 / 1.625));
  CHECK(fit.of_kernel(4096).inside);
  CHECK(fit.of_kernel(512).taken == fit.of_kernel(1024).taken);
  CHECK_FALSE(fit.of_kernel(512).inside);
  CHECK(fit.of_kernel(1e9).taken == Approx(0.5));
  CHECK_FALSE(fit.of_kernel(1e9).inside);
}

TEST_CASE("repeats count by their median, and faster than alone is not less than nothing") {
  RunRecords run;
  for (const double slower : {1.5, 3.0, 1.6}) add(run, 1024, slower);
  add(run, 4096, 0.9);
  add(run, 1024, 4, base::MemoryBound{base::Bytes::from_count(1 << 20), 1});
  const OverlapFits fits = fit_overlaps({&run, 1});
  REQUIRE(fits.size() == 2);
  for (const auto& [key, fitted] : fits) {
    INFO(describe_kernels(key, "2.28.9"));
    if (key.memory_bound) {
      CHECK(fitted.fit.of_kernel(1024).taken == Approx(0.75));
      CHECK(describe_kernels(key, "2.28.9") ==
            "memory-bound kernels beside all_reduce of 8 H200 on one node, NCCL 2.28.9");
    } else {
      CHECK(fitted.fit.of_kernel(1024).taken == Approx(1 - 1 / 1.6));
      CHECK(fitted.fit.of_kernel(4096).taken == 0);
    }
  }
}

TEST_CASE("a collective beside kernels takes a latency and a bandwidth of its own") {
  // 1,000 bytes: 10 us alone, 5 ms beside kernels. 5,000 bytes: 50 us alone, 5.1 ms beside them.
  RunRecords run;
  add(run, 1000, 2);
  add(run, 5000, 2);
  run.collectives[0].times.mean = 10e-6;
  run.overlaps[0].collective_times.mean = 5e-3;
  run.collectives[1].times.mean = 50e-6;
  run.overlaps[1].collective_times.mean = 5.1e-3;
  const OverlapFits fits = fit_overlaps({&run, 1});
  REQUIRE(fits.size() == 1);
  const auto& [key, fitted] = *fits.begin();
  CHECK(describe_collective(key, "2.28.9") ==
        "all_reduce of 8 H200 on one node, NCCL 2.28.9 beside products");
  const OverlapFit& fit = fitted.fit;
  CHECK(fit.of_collective(1000).taken == Approx(1 - 10e-6 / 5e-3));
  // 2,000 bytes, a quarter of the way: 20 us alone, 5.025 ms beside.
  CHECK(fit.of_collective(2000).taken == Approx(1 - 20e-6 / 5.025e-3));
  CHECK(fit.of_collective(2000).inside);
  CHECK(fit.of_collective(10).taken == fit.of_collective(1000).taken);
  CHECK_FALSE(fit.of_collective(10).inside);
  CHECK(fit.of_collective(1e9).taken == Approx(1 - 50e-6 / 5.1e-3));
  CHECK_FALSE(fit.of_collective(1e9).inside);
}

TEST_CASE("a collective that was faster beside kernels loses nothing") {
  RunRecords run;
  for (const double ms : {0.8, 0.9, 3.0}) {
    add(run, 1024, 2);
    run.overlaps.back().collective_times.mean = ms * 1e-3;
  }
  CHECK(fit_overlaps({&run, 1}).begin()->second.fit.of_collective(1024).taken == 0);
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
