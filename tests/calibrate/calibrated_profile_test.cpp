// What was measured answers before what is modelled, and says so.

#include "calibrate/calibrated_profile.hpp"

#include <cmath>

#include "tests/calibrate/backend_support.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

using base::Bytes;
using base::DType;

const std::string h100 = "H100-SXM5-80GB";

CollectiveRecord collective(double bytes, double us) {
  CollectiveRecord record;
  record.library = "NCCL";
  record.library_version = "2.28.9";
  record.device = h100;
  record.placement = {.ranks = 8, .ranks_per_node = 8};
  record.bytes = Bytes::from_double(bytes);
  record.times.mean = us * 1e-6;
  return record;
}

KernelRecord gemm_record(std::int64_t m, double us) {
  KernelRecord record;
  record.kind = "gemm";
  record.kernel = base::Gemm{m, 4096, 4096};
  record.library = "cuBLASLt";
  record.device = h100;
  record.times.mean = us * 1e-6;
  return record;
}

KernelRecord memory_record(const std::string& kind, double bytes, double us) {
  KernelRecord record;
  record.kind = kind;
  record.kernel = base::MemoryBound{Bytes::from_double(bytes), 1};
  record.device = h100;
  record.times.mean = us * 1e-6;
  return record;
}

RunRecords run_of(std::vector<CollectiveRecord> collectives,
                  std::vector<KernelRecord> kernels = {}) {
  RunRecords run;
  run.run.started = "2026-11-28T11:30:00Z";
  run.collectives = std::move(collectives);
  run.kernels = std::move(kernels);
  return run;
}

/// An all-reduce of 1 KiB to 1 MiB in 20 us + bytes / 50 GB/s.
RunRecords sweep() {
  std::vector<CollectiveRecord> records;
  for (double bytes = 1024; bytes <= 1048576; bytes *= 2)
    records.push_back(collective(bytes, 20 + bytes / 50e3));
  return run_of(records);
}

std::unique_ptr<Profile> profile_of(const std::vector<RunRecords>& files,
                                    base::Diagnostics* warnings = nullptr,
                                    const HardwareProfileOptions& options = {},
                                    int ranks_per_node = 8) {
  auto calibrations = std::make_shared<std::vector<Calibration>>();
  for (const RunRecords& run : files)
    calibrations->push_back(fit_calibration("c" + std::to_string(calibrations->size()) + ".db",
                                            {&run, 1}, shipped_registry()));
  auto made = make_calibrated_profile(calibrations, shipped_gpu(h100), ranks_per_node,
                                      hardware_folder, options);
  REQUIRE(made);
  if (warnings != nullptr) *warnings = made->warnings;
  return std::move(made->profile);
}

Duration all_reduce(const Profile& profile, double bytes,
                    const GroupShape& shape = group_of(1, 8)) {
  return profile.collective(Collective::all_reduce, Bytes::from_double(bytes), shape).total;
}

std::string source_of(const Profile& profile, const Duration& duration) {
  return profile.sources().at(static_cast<std::size_t>(duration.source));
}

TEST_CASE("collectives are measured, between sizes, a little beyond, or extrapolated") {
  const auto profile = profile_of({sweep()});
  const Duration exact = all_reduce(*profile, 65536);
  CHECK(exact.time.us() == Approx(20 + 65536 / 50e3));
  CHECK(exact.evidence == Evidence::measured);
  CHECK(source_of(*profile, exact) ==
        "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9, measured 2026-11-28 (11 sizes)");
  const Duration between = all_reduce(*profile, 100000);
  CHECK(between.time.us() == Approx(20 + 100000 / 50e3));
  CHECK(between.evidence > Evidence::measured);
  CHECK(between.evidence < Evidence::model);
  const Duration near = all_reduce(*profile, 2000000);
  CHECK(near.evidence == Evidence::fitted);
  CHECK(source_of(*profile, near) ==
        "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9, fitted, up to twice beyond 11 "
        "sizes measured 2026-11-28");
}

TEST_CASE("far beyond the sizes the surer of fit and model answers") {
  const auto profile = profile_of({sweep()});
  const auto model = profile_of({});
  // Ten doublings: 50 % and more, and a fit to published sweeps knows it better.
  const Duration far = all_reduce(*profile, 1073741824.0);
  CHECK(far.time == all_reduce(*model, 1073741824.0).time);
  // A group that nobody published: both are models, two doublings of it less sure than a model
  // would be.
  RunRecords odd = sweep();
  for (CollectiveRecord& record : odd.collectives) record.op = Collective::gather;
  const auto gathers = profile_of({odd});
  const CollectiveCost cost =
      gathers->collective(Collective::gather, Bytes::from_mib(3), group_of(1, 8));
  const CollectiveCost modelled =
      model->collective(Collective::gather, Bytes::from_mib(3), group_of(1, 8));
  CHECK(cost.total.evidence == Evidence::model);
  CHECK((cost.total.spread < modelled.total.spread) ==
        source_of(*gathers, cost.total)
            .ends_with("extrapolated beyond 11 sizes measured 2026-11-28"));
}

TEST_CASE("only the device, library and group that were measured count") {
  const auto model = profile_of({});
  const auto falls_back = [&](const RunRecords& run, const GroupShape& shape) {
    return all_reduce(*profile_of({run}), 65536, shape).time ==
           all_reduce(*model, 65536, shape).time;
  };
  CHECK_FALSE(falls_back(sweep(), group_of(1, 8)));
  CHECK(falls_back(sweep(), group_of(1, 4)));
  CHECK(falls_back(sweep(), group_of(2, 4)));
  const auto with = [](auto change) {
    RunRecords run = sweep();
    for (CollectiveRecord& record : run.collectives) change(record);
    return run;
  };
  CHECK(falls_back(with([](CollectiveRecord& r) { r.library = "Gloo"; }), group_of(1, 8)));
  CHECK(falls_back(with([](CollectiveRecord& r) { r.device = "A100"; }), group_of(1, 8)));
  CHECK(falls_back(with([](CollectiveRecord& r) { r.wrong = 1; }), group_of(1, 8)));
  CHECK(falls_back(with([](CollectiveRecord& r) { r.placement.groups = 2; }), group_of(1, 8)));
  CHECK(falls_back(with([](CollectiveRecord& r) { r.placement.ranks_per_device = 8; }),
                   group_of(1, 8)));
}

TEST_CASE("who sets NCCL's algorithms gets its model: measurements are of NCCL's choice") {
  BackendOptions ring = named("nccl");
  ring.algorithms.text = "ring";
  const auto profile = profile_of({sweep()}, nullptr, {.backend = backend_of(ring)});
  CHECK(source_of(*profile, all_reduce(*profile, 65536)).starts_with("NCCL 2.28 tuning model"));
}

TEST_CASE("of calibrations the first that knows a size answers") {
  RunRecords slow = sweep();
  for (CollectiveRecord& record : slow.collectives) record.times.mean *= 2;
  slow.collectives.pop_back();
  const auto profile = profile_of({slow, sweep()});
  CHECK(all_reduce(*profile, 65536).time.us() == Approx(2 * (20 + 65536 / 50e3)));
  // The first does not have 1 MiB, the second measured it.
  CHECK(all_reduce(*profile, 1048576).time.us() == Approx(20 + 1048576 / 50e3));
}

TEST_CASE("a library's own choice goes before forced algorithms, of which the quickest counts") {
  RunRecords run = sweep();
  const auto forced = [&](const std::string& algorithm, double factor) {
    for (CollectiveRecord record : sweep().collectives) {
      record.algorithm = algorithm;
      record.times.mean *= factor;
      run.collectives.push_back(record);
    }
  };
  forced("ring", 0.5);
  forced("tree", 0.25);
  CHECK(all_reduce(*profile_of({run}), 65536).time.us() == Approx(20 + 65536 / 50e3));
  run.collectives.clear();
  forced("ring", 0.5);
  forced("tree", 0.25);
  CHECK(all_reduce(*profile_of({run}), 65536).time.us() == Approx(0.25 * (20 + 65536 / 50e3)));
}

TEST_CASE("GEMMs are measured, and held at the clock of a step in its middle") {
  const RunRecords run = run_of({}, {gemm_record(1024, 100), gemm_record(4096, 300)});
  const base::Kernel gemm = base::Gemm{4096, 4096, 4096};
  const auto alone = profile_of({run});
  CHECK(alone->kernel(gemm).time.us() == Approx(300));
  CHECK(alone->kernel(gemm).evidence == Evidence::measured);
  CHECK(source_of(*alone, alone->kernel(gemm)) ==
        "gemm bf16 on H100-SXM5-80GB, cuBLASLt, measured 2026-11-28 (2 shapes)");
  const auto step = profile_of({run}, nullptr, {.step_gpus = 1});
  CHECK(step->kernel(gemm).time.us() == Approx(300 / 0.87));  // hopper.yaml, sustained
  CHECK(source_of(*step, step->kernel(gemm)) ==
        "gemm bf16 on H100-SXM5-80GB, cuBLASLt, measured 2026-11-28 (2 shapes); clock "
        "held at 87 %");
  // Another format was not measured.
  const base::Kernel fp8 = base::Gemm{4096, 4096, 4096, 1, DType::fp8};
  CHECK(alone->kernel(fp8).time == profile_of({})->kernel(fp8).time);
}

TEST_CASE("memory-bound kernels of all kinds are one curve of bytes, launches apart") {
  const RunRecords run = run_of({}, {memory_record("norm", 1e6, 5), memory_record("cast", 1e8, 50),
                                     memory_record("launch", 0, 2)});
  const auto profile = profile_of({run});
  CHECK(profile->kernel(base::MemoryBound{Bytes::from_mb(1), 1}).time.us() == Approx(5));
  // Two launches of 1 MB each.
  CHECK(profile->kernel(base::MemoryBound{Bytes::from_mb(2), 2}).time.us() == Approx(10));
  CHECK(profile->kernel(base::MemoryBound{{}, 0}).time == base::Seconds());
}

TEST_CASE("of kernels measured alone and in a crowd, those count that are as crowded") {
  KernelRecord crowded = gemm_record(4096, 500);
  crowded.concurrent = 8;
  const RunRecords run = run_of({}, {gemm_record(4096, 300), crowded});
  const base::Kernel gemm = base::Gemm{4096, 4096, 4096};
  CHECK(profile_of({run}, nullptr, {}, 1)->kernel(gemm).time.us() == Approx(300));
  CHECK(profile_of({run}, nullptr, {}, 8)->kernel(gemm).time.us() == Approx(500));
}

TEST_CASE("a calibration of something else is a warning that says what it holds") {
  RunRecords other = sweep();
  for (CollectiveRecord& record : other.collectives) record.device = "A100-SXM4-80GB";
  base::Diagnostics warnings;
  profile_of({sweep(), other}, &warnings);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].format() ==
        "c1.db: warning: no kernels of a H100-SXM5-80GB in it, and no collectives of nccl on it "
        "(it holds: A100-SXM4-80GB)");
}

TEST_CASE(
    "what collectives take from kernels, and lose to them, is measured before it is modelled") {
  RunRecords run = sweep();
  const auto beside = [&](std::size_t size, KernelRecord kernel, double slower) {
    OverlapRecord both{size, run.kernels.size(), run.collectives[size].times, kernel.times};
    both.kernel_times.mean *= slower;
    both.collective_times.mean *= 4;
    run.kernels.push_back(std::move(kernel));
    run.overlaps.push_back(both);
  };
  beside(0, gemm_record(4096, 200), 1.25);  // of 1 KiB
  beside(10, gemm_record(4096, 200), 2);    // of 1 MiB
  const auto profile = profile_of({run});
  const GroupShape shape = group_of(1, 8);
  const CollectiveCost cost =
      profile->collective(Collective::all_reduce, Bytes::from_count(1 << 20), shape);
  CHECK(cost.sm_share == Approx(0.5));
  REQUIRE(cost.sm_share_source >= 0);
  CHECK(profile->sources().at(static_cast<std::size_t>(cost.sm_share_source)) ==
        "products beside all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9, measured "
        "2026-11-28 (2 sizes)");
  CHECK(cost.memory_share_source == -1);  // that is still a model's
  // Four times as long beside products: three quarters of its speed. Beside copies nobody knows.
  CHECK(cost.lost_to_products == Approx(0.75));
  CHECK(profile->sources().at(static_cast<std::size_t>(cost.lost_to_products_source)) ==
        "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9 beside products, measured "
        "2026-11-28 (2 sizes)");
  CHECK(cost.lost_to_memory == 0);
  CHECK(cost.lost_to_memory_source == -1);
  const CollectiveCost far =
      profile->collective(Collective::all_reduce, Bytes::from_count(1 << 30), shape);
  CHECK(far.sm_share == Approx(0.5));
  CHECK(profile->sources().at(static_cast<std::size_t>(far.sm_share_source)) ==
        "products beside all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9, measured "
        "2026-11-28, as beside the nearest of 2 sizes");
  CHECK(far.lost_to_products == Approx(0.75));
  CHECK(profile->sources().at(static_cast<std::size_t>(far.lost_to_products_source)) ==
        "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9 beside products, measured "
        "2026-11-28, as the nearest of 2 sizes");
  CHECK(profile->collective(Collective::all_gather, Bytes::from_count(1 << 20), shape)
            .sm_share_source == -1);
  CHECK(profile->collective(Collective::all_reduce, Bytes::from_count(1 << 20), group_of(1, 2))
            .sm_share_source == -1);
}

}  // namespace
}  // namespace calibrate
