#include "calibrate/hardware_profile.hpp"

#include <set>

#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

using base::DType;

std::unique_ptr<Profile> profile_of(std::string_view gpu,
                                    const HardwareProfileOptions& options = {}) {
  auto profile = make_hardware_profile(shipped_gpu(gpu), hardware_folder, options);
  INFO((profile ? "" : text_of(profile.error())));
  REQUIRE(profile);
  return std::move(*profile);
}

const base::Gemm gemm{4096, 8192, 8192, 1, DType::bf16, DType::bf16};

TEST_CASE("what a GPU cannot compute is known before it is priced") {
  CHECK(profile_of("H100-SXM5-80GB")->supports(DType::fp8));
  CHECK_FALSE(profile_of("A100-SXM4-80GB")->supports(DType::fp8));
  CHECK_FALSE(profile_of("V100-SXM2-32GB")->supports(DType::bf16));
  CHECK(profile_of("V100-SXM2-32GB")->supports(DType::fp16));
}

TEST_CASE("a measured GPU is fitted, its family a model with a larger spread, and both say so") {
  const auto measured = profile_of("H100-SXM5-80GB");
  const auto sister = profile_of("H200-SXM-141GB");
  const Duration own = measured->kernel(gemm);
  const Duration scaled = sister->kernel(gemm);
  CHECK(own.evidence == Evidence::fitted);
  CHECK(scaled.evidence == Evidence::model);
  CHECK(scaled.spread > own.spread);
  const auto name = [](const Profile& profile, const Duration& duration) {
    return profile.sources().at(static_cast<std::size_t>(duration.source));
  };
  CHECK(name(*measured, own).starts_with("H100-SXM5-80GB bf16 GEMM curve ("));
  CHECK(name(*sister, scaled).starts_with("hopper bf16 GEMM curve scaled to H200-SXM-141GB ("));
}

TEST_CASE("the slowest of a step's GPUs sets the clock") {
  // Means of the largest of 2, 8 and 100 normal draws: 0.564, 1.424, 2.508 (Blom's are near).
  CHECK(expected_most(1) == Approx(0).margin(1e-9));
  CHECK(expected_most(2) == Approx(0.564).margin(0.03));
  CHECK(expected_most(8) == Approx(1.424).margin(0.02));
  CHECK(expected_most(100) == Approx(2.508).margin(0.01));
  const auto seconds = [](std::string_view gpu, int gpus) {
    return profile_of(gpu, {.step_gpus = gpus})->kernel(gemm).time.s();
  };
  // 2 % of spread: 1 - 0.02 x 1.434 of the speed of one. The launch of 2.5 us does not count.
  CHECK(seconds("H100-SXM5-80GB", 8) / seconds("H100-SXM5-80GB", 1) ==
        Approx(1 / (1 - 0.02 * 1.434)).epsilon(1e-3));
  // 500 of 700 W: the cube root of 5/7, 0.894; its memory is slower too, but does not bind here.
  CHECK(seconds("H100-SXM5-96GB-500W", 1) / seconds("H100-SXM5-80GB", 1) ==
        Approx(1 / 0.894).epsilon(5e-3));
}

TEST_CASE("sizes share one clock in a step, alone the large ones throttle") {
  const base::Gemm small{2048, 2048, 2048, 1, DType::bf16, DType::bf16};
  const auto alone = profile_of("A100-SXM4-80GB");
  const auto in_step = profile_of("A100-SXM4-80GB", {.step_gpus = 1});
  const auto slower = [&](const base::Gemm& one) {
    return in_step->kernel(one).time / alone->kernel(one).time;
  };
  CHECK(slower(small) > slower(gemm));
}

TEST_CASE("a GPU of an unknown architecture is priced by the generic curves, named so") {
  topology::GpuSpec gpu = shipped_gpu("H100-SXM5-80GB");
  gpu.name = "X1";
  gpu.architecture = "not-yet-built";
  const auto profile = make_hardware_profile(gpu, hardware_folder);
  REQUIRE(profile);
  const Duration duration = (*profile)->kernel(gemm);
  CHECK(duration.evidence == Evidence::model);
  CHECK(duration.spread > 0.2);
  CHECK((*profile)
            ->sources()
            .at(static_cast<std::size_t>(duration.source))
            .starts_with("generic bf16 GEMM curve scaled to X1 ("));
}

TEST_CASE("every kind of work has a positive time, a spread and a source") {
  const auto profile = profile_of("H100-SXM5-80GB");
  base::Attention attention{2, 4096, 4096, 32, 8, 128, 128, true, 0, false, true, DType::bf16};
  base::Attention unfused = attention;
  unfused.flash = false;
  base::Gemm fp8 = gemm;
  fp8.dtype = DType::fp8;
  std::vector<int> sources;
  for (const base::Kernel& kernel :
       {base::Kernel(gemm), base::Kernel(fp8), base::Kernel(attention), base::Kernel(unfused),
        base::Kernel(base::MemoryBound{base::Bytes::from_mib(64), 1})}) {
    const Duration duration = profile->kernel(kernel);
    CHECK(duration.time.us() > 1);
    CHECK(duration.spread > 0);
    sources.push_back(duration.source);
  }
  CHECK(std::set<int>(sources.begin(), sources.end()).size() == sources.size());
  GroupShape shape;
  shape.ranks = shape.ranks_per_node = 8;
  shape.scale_up_rate = base::BytesPerSecond::from_gbyte(371);
  const CollectiveCost cost =
      profile->collective(Collective::all_reduce, base::Bytes::from_mib(64), shape);
  const auto nccl = make_backend({});
  REQUIRE(nccl);
  CHECK(profile->sources().at(static_cast<std::size_t>(cost.total.source)) ==
        (*nccl)->description());
  CHECK(cost.total.spread > 0);
}

TEST_CASE("attention kernels can be chosen by name; an unknown name is told") {
  const base::Attention attention{1,   16384, 16384, 16,    16,   128,
                                  128, true,  0,     false, true, DType::bf16};
  const base::Seconds usual = profile_of("H100-SXM5-80GB")->kernel(attention).time;
  const base::Seconds older = profile_of("H100-SXM5-80GB", {.flash_attention = "flash-attention-2"})
                                  ->kernel(attention)
                                  .time;
  CHECK(older > 1.4 * usual);
  const auto unknown = make_hardware_profile(shipped_gpu("H100-SXM5-80GB"), "scenarios/hardware",
                                             {.flash_attention = "flash-atention-2"});
  REQUIRE_FALSE(unknown);
  CHECK(text_of(unknown.error()) ==
        "scenarios/hardware/kernels/hopper.yaml: error: no attention kernels 'flash-atention-2' "
        "(did you mean 'flash-attention-2'?)\n");
}

}  // namespace
}  // namespace calibrate
