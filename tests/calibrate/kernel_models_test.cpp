#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/kernel.hpp"
#include "calibrate/attention_model.hpp"
#include "calibrate/gemm_model.hpp"
#include "calibrate/memory_model.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

using base::Attention;
using base::DType;
using base::Gemm;

KernelCurves curves_of(const topology::GpuSpec& gpu) {
  const base::Result<KernelCurves> curves = load_kernel_curves(hardware_folder, gpu.architecture);
  INFO((curves ? "" : text_of(curves.error())));
  REQUIRE(curves);
  return *curves;
}

double tflops(std::string_view name, const Gemm& gemm) {
  const topology::GpuSpec& gpu = shipped_gpu(name);
  return (base::flop_of(gemm) / gemm_time(gemm, gpu, curves_of(gpu).gemm_for(gemm.dtype))).tflops();
}

TEST_CASE("a GEMM by hand") {
  // 4 SMs of 1 TFLOP/s each, efficiency 0.5, no tile penalty, no throttle: a tile of 256 x 128 with
  // k = 1024 is 2 * 256 * 128 * 1024 = 67.1 MFLOP and takes 2 us + 67.1 M / 0.5 T = 136.2177 us.
  // 1024 x 512 are 16 such tiles in 4 waves: 4 * 136.2177 us; smaller tiles pay more prologues, and
  // split loops too. 5 us launch. Traffic of 4.2 MB is nothing.
  topology::GpuSpec gpu;
  gpu.peak[DType::bf16] = base::FlopPerSecond::from_tflops(4);
  gpu.memory_bandwidth = base::BytesPerSecond::from_gbyte(1000);
  gpu.multiprocessors = 4;
  GemmCurve curve;
  curve.efficiency = 0.5;
  curve.prologue = base::Seconds::from_us(2);
  curve.launch = base::Seconds::from_us(5);
  curve.reduction = base::Seconds::from_us(50);
  curve.memory_share = 1;
  CHECK(gemm_time({1024, 512, 1024}, gpu, curve).us() == Approx(5 + 4 * 136.2177).epsilon(1e-6));
}

TEST_CASE("a product that adds reads what is there when its sums are done") {
  const topology::GpuSpec& gpu = shipped_gpu("H100-SXM5-80GB");
  const KernelCurves curves = curves_of(gpu);
  const GemmCurve& curve = curves.gemm_for(DType::bf16);
  Gemm gemm{4096, 4096, 8192, 1, DType::bf16, DType::fp32};
  const double written = gemm_time(gemm, gpu, curve).s();
  gemm.adds = true;
  const double bytes = 4.0 * 4096 * 4096;
  CHECK(gemm_time(gemm, gpu, curve).s() ==
        Approx(written + bytes / (gpu.memory_bandwidth.byte() * curve.memory_share)));
  CHECK(base::bytes_of(gemm).as_double() == Approx(2.0 * (4096 + 4096) * 8192 + 2 * bytes));
}

TEST_CASE("no GEMM beats the peak or the memory, and more work is never faster, on any GPU") {
  constexpr std::array<std::int64_t, 8> sizes{1, 7, 64, 250, 1024, 3000, 8192, 50000};
  for (const topology::GpuSpec& gpu : shipped_registry().gpus()) {
    const KernelCurves curves = curves_of(gpu);
    for (const auto& [type, peak] : gpu.peak) {
      const GemmCurve& curve = curves.gemm_for(type);
      for (const std::int64_t m : sizes)
        for (const std::int64_t n : sizes)
          for (const std::int64_t k : {std::int64_t{32}, std::int64_t{4096}, std::int64_t{28672}}) {
            const Gemm gemm{m, n, k, 1, type, DType::bf16};
            const base::Seconds time = gemm_time(gemm, gpu, curve);
            INFO(gpu.name << " " << base::name_of(type) << " " << m << "x" << n << "x" << k);
            const bool bounded = time >= base::flop_of(gemm) / peak &&
                                 time >= base::bytes_of(gemm) / gpu.memory_bandwidth;
            bool grows = true;
            for (const Gemm& more :
                 {Gemm{2 * m, n, k, 1, type, DType::bf16}, Gemm{m, 2 * n, k, 1, type, DType::bf16},
                  Gemm{m, n, 2 * k, 1, type, DType::bf16}, Gemm{m, n, k, 2, type, DType::bf16}})
              grows = grows && gemm_time(more, gpu, curve) >= time;
            if (!bounded || !grows) CHECK((bounded && grows));
          }
    }
  }
  SUCCEED();
}

TEST_CASE("large GEMMs reach what is published for each GPU") {
  // ml-engineering's best shapes, and cuBLAS on V100; 12 % is the noise between such tables.
  const Gemm large{8192, 8192, 8192, 1, DType::bf16, DType::bf16};
  CHECK(tflops("A100-SXM4-80GB", large) == Approx(271).epsilon(0.12));
  CHECK(tflops("H100-SXM5-80GB", large) == Approx(795).epsilon(0.12));
  CHECK(tflops("B200-SXM-180GB", large) == Approx(1745).epsilon(0.12));
  CHECK(tflops("GB200", large) == Approx(1822).epsilon(0.12));
  CHECK(tflops("MI300X-OAM-192GB", large) == Approx(668).epsilon(0.12));
  CHECK(tflops("V100-SXM2-32GB", {8192, 8192, 8192, 1, DType::fp16, DType::fp16}) ==
        Approx(100).epsilon(0.12));
}

// 4096 x 2048 are 256 tiles of 256 x 128, 2.4 waves on 108 SMs, of which the third is mostly empty.
// Where K is long, halves of the tiles' sums fill 4.7 waves of half the length (NVIDIA
// aiconfigurator's A100 tables: 227 and 224 TFLOP/s with K 6144, 258 and 256 with K 8192).
TEST_CASE("long sums are split where tiles do not fill their waves") {
  CHECK(tflops("A100-SXM4-80GB", {4096, 2048, 6144, 1, DType::bf16, DType::bf16}) ==
        Approx(226).epsilon(0.1));
  CHECK(tflops("A100-SXM4-80GB", {4096, 2048, 8192, 1, DType::bf16, DType::bf16}) ==
        Approx(257).epsilon(0.1));
}

TEST_CASE("attention never beats the peak or the memory, and grows with every dimension") {
  for (const topology::GpuSpec& gpu : shipped_registry().gpus()) {
    const KernelCurves curves = curves_of(gpu);
    const DType type = gpu.peak.contains(DType::bf16)   ? DType::bf16
                       : gpu.peak.contains(DType::fp16) ? DType::fp16
                                                        : DType::fp32;
    const auto time_of = [&](const Attention& a, const FlashCurve& curve) {
      return a.flash ? flash_attention_time(a, gpu, curve)
                     : unfused_attention_time(a, gpu, curves, curves.unfused[0]);
    };
    for (const FlashCurve& curve : curves.flash)
      for (const bool flash : {true, false})
        for (const bool backward : {false, true})
          for (const bool causal : {false, true})
            for (const std::int64_t sequence : {100, 1024, 16384})
              for (const std::int64_t head_dim : {32, 64, 96, 128, 192, 256}) {
                const Attention a{1,        sequence, sequence, 16,       4,     head_dim,
                                  head_dim, causal,   0,        backward, flash, type};
                const base::Seconds time = time_of(a, curve);
                INFO(gpu.name << " " << curve.name << " s=" << sequence << " d=" << head_dim
                              << " causal=" << causal << " flash=" << flash);
                Attention longer = a;
                longer.seq_q = longer.seq_kv = 2 * sequence;
                Attention wider = a;
                wider.head_dim = wider.value_dim = 2 * head_dim;
                Attention more = a;
                more.batch = 2;
                const bool good = time >= base::flop_of(a) / gpu.peak.at(type) &&
                                  time >= base::bytes_of(a) / gpu.memory_bandwidth * 0.999 &&
                                  time_of(longer, curve) >= time && time_of(wider, curve) >= time &&
                                  time_of(more, curve) >= time;
                if (!good) CHECK(good);
              }
  }
  SUCCEED();
}

TEST_CASE("a causal mask halves long attention, a window shortens it, fusing beats not fusing") {
  const topology::GpuSpec& gpu = shipped_gpu("H100-SXM5-80GB");
  const KernelCurves curves = curves_of(gpu);
  const FlashCurve& curve = curves.flash[0];
  Attention a{1, 32768, 32768, 32, 8, 128, 128, false, 0, false, true, DType::bf16};
  const base::Seconds full = flash_attention_time(a, gpu, curve);
  a.causal = true;
  const base::Seconds causal = flash_attention_time(a, gpu, curve);
  CHECK(causal / full == Approx(0.5).margin(0.03));
  CHECK(unfused_attention_time(a, gpu, curves, curves.unfused[0]) > 2 * causal);
  a.window = 4096;
  CHECK(flash_attention_time(a, gpu, curve) < 0.5 * causal);
}

TEST_CASE("a memory-bound kernel by hand") {
  // Two kernels, 2 us launch each; 96 MB + 2 * 2 MB at 0.8 of 1000 GB/s: 4 + 125 us.
  topology::GpuSpec gpu;
  gpu.memory_bandwidth = base::BytesPerSecond::from_gbyte(1000);
  gpu.kernel_launch = base::Seconds::from_us(2);
  const MemoryCurve curve{{}, 0.8, base::Bytes::from_mb(2)};
  CHECK(memory_bound_time({base::Bytes::from_mb(96), 2}, gpu, curve).us() == Approx(129));
  // As many bytes as can be counted, and the half sizes on top: 2^63 B at 0.8 of 1000 GB/s.
  const auto most = base::Bytes::from_count(std::numeric_limits<std::int64_t>::max());
  CHECK(memory_bound_time({most, 2}, gpu, curve).s() == Approx(0x1p63 / 0.8e12));
}

}  // namespace
}  // namespace calibrate
