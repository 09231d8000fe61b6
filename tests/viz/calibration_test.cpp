#include "viz/calibration.hpp"

#include "tests/support/golden.hpp"
#include "viz/plot.hpp"

namespace viz {
namespace {

using calibrate::RunRecords;

/// Sizes and shapes of exact formulas: 20 us + bus bytes / 100 GB/s; 5 us + 1 PFLOP/s.
RunRecords sample() {
  RunRecords run;
  run.run.started = "2026-11-28T11:30:00Z";
  for (double bytes = 1024; bytes <= 16777216; bytes *= 2) {
    calibrate::CollectiveRecord record;
    record.device = "H100-SXM5-80GB";
    record.library = "NCCL";
    record.library_version = "2.28.9";
    record.placement = {.ranks = 8, .ranks_per_node = 8};
    record.bytes = base::Bytes::from_double(bytes);
    record.times.mean = 20e-6 + 1.75 * bytes / 100e9;
    run.collectives.push_back(record);
    calibrate::KernelRecord copy;
    copy.kind = "copy";
    copy.device = "some CPU";
    copy.kernel = base::MemoryBound{base::Bytes::from_double(bytes), 1};
    copy.times.mean = 1e-6 + bytes / 10e9;
    run.kernels.push_back(copy);
  }
  for (std::int64_t m = 128; m <= 16384; m *= 2) {
    calibrate::KernelRecord gemm;
    gemm.kind = "gemm";
    gemm.device = "some CPU";
    gemm.library = "OpenBLAS";
    gemm.kernel = base::Gemm{m, 1024, 1024};
    gemm.times.mean = 5e-6 + 2 * static_cast<double>(m) * 1024 * 1024 * 1e-15;
    run.kernels.push_back(gemm);
  }
  return run;
}

calibrate::Replay replay() {
  return {{{"all_reduce of 8 H100 on one node, NCCL <2.28>",
            "dgx-h100",
            {{1024, 20e-6, 20e-6}, {1048576, 40e-6, 41e-6}, {1073741824, 4.8e-3, 4.8e-3}}}},
          {{"all_reduce of 3 on 2 nodes", "not one group, evenly on its nodes, alone"}}};
}

TEST_CASE("fits as text: ranges of every collective and what is held out") {
  const RunRecords run = sample();
  const std::string text =
      fit_text(calibrate::fit::report_of({&run, 1}, topology::HardwareRegistry()));
  const auto has = [&](const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has("all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9\n");
  has("15 rows, 15 sizes, 1.00 KiB to 16.0 MiB; residuals 0.0 %; held out: lines 0.0 %");
  has("1.00 KiB to   16.0 MiB  alpha     20.000 us  100.000 GB/s\n");
  has("gemm bf16 on some CPU, OpenBLAS\n    8 rows, 8 shapes; formula 0.");
  has("copy on some CPU\n");
  has("alpha      1.000 us  10.000 GB/s\n");
}

TEST_CASE("fits as JSON") {
  const RunRecords run = sample();
  const std::string json =
      fit_json(calibrate::fit::report_of({&run, 1}, topology::HardwareRegistry()));
  for (const std::string part :
       {"\"schema\": \"foreshard.fit.v1\"", "\"operation\": \"all_reduce\"", "\"alpha_us\": 20.0",
        "\"products\": [", "\"kind\": \"copy\""}) {
    INFO(part << "\n" << json);
    CHECK(json.find(part) != std::string::npos);
  }
}

TEST_CASE("a replay as text, JSON and picture") {
  check_golden("replay.txt", replay_text(replay()));
  check_golden("replay.json", replay_json(replay()));
  check_golden("replay.svg", replay_svg(replay()));
}

TEST_CASE("a picture of nothing, and of figures that have no logarithm") {
  CHECK(times_svg({}, "a", "b").ends_with("</svg>\n"));
  const std::string barrier = times_svg({{"barrier", "", {{0, 1e-6}}, {{0, 1e-6}}}}, "a", "b");
  CHECK(barrier.find("nan") == std::string::npos);
  CHECK(barrier.find("inf") == std::string::npos);
}

}  // namespace
}  // namespace viz
