#include "calibrate/gemm_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/check.hpp"

namespace calibrate {

namespace {

struct Tile {
  double m;
  double n;
};

// Thread-block tiles that cuBLAS, CUTLASS and hipBLASLt build for 16-bit types.
constexpr std::array<Tile, 10> tiles{{{256, 128},
                                      {128, 256},
                                      {128, 192},
                                      {192, 128},
                                      {128, 128},
                                      {256, 64},
                                      {64, 256},
                                      {128, 64},
                                      {64, 128},
                                      {64, 64}}};
constexpr std::array<double, 6> splits{1, 2, 3, 4, 6, 8};
constexpr double k_step = 64;  // elements of K that one pipeline stage loads

// Operands loaded per multiply-add fall with m n/(m+n) of a tile; 256 x 128 is the yardstick at
// which a curve's efficiency is stated.
constexpr double reuse_yardstick = 256.0 * 128.0 / (256.0 + 128.0);

double tile_efficiency(const Tile& tile, const GemmCurve& curve) {
  const double reuse = tile.m * tile.n / (tile.m + tile.n);
  const double relative = reuse / (reuse + curve.tile_penalty) *
                          (reuse_yardstick + curve.tile_penalty) / reuse_yardstick;
  return curve.efficiency * std::min(relative, 1.0);
}

// A GEMM long enough for the power controller to react runs at a lower clock.
double slowdown(const base::Gemm& gemm, const GemmCurve& curve) {
  const double tflop = base::flop_of(gemm).count() * 1e-12;
  return 1 + curve.throttle * tflop / (tflop + curve.throttle_tflop);
}

}  // namespace

base::Seconds gemm_time(const base::Gemm& gemm, const topology::GpuSpec& gpu,
                        const GemmCurve& curve) {
  CHECK_INVARIANT(gemm.m > 0 && gemm.n > 0 && gemm.k > 0 && gemm.batch > 0);
  const auto peak = gpu.peak.find(gemm.dtype);
  CHECK_INVARIANT(peak != gpu.peak.end());
  const double sms = std::max(gpu.multiprocessors, 1);
  const double flops_per_sm = peak->second.flops() / sms;
  const double memory_rate = gpu.memory_bandwidth.byte() * curve.memory_share;
  base::Gemm written = gemm;
  written.adds = false;
  const double traffic = base::bytes_of(written).as_double() / memory_rate;
  const double slow = slowdown(gemm, curve);
  const auto m = static_cast<double>(gemm.m);
  const auto n = static_cast<double>(gemm.n);
  const auto k = static_cast<double>(gemm.k);
  const auto batch = static_cast<double>(gemm.batch);

  // A tile that adds to C reads it when its own sums are done, with nothing left to compute.
  const double added = gemm.adds ? batch * m * n * base::bytes_of(gemm.output) / memory_rate : 0;

  double best = std::numeric_limits<double>::infinity();
  for (const Tile& tile : tiles) {
    const double count = std::ceil(m / tile.m) * std::ceil(n / tile.n) * batch;
    const double rate = flops_per_sm * tile_efficiency(tile, curve) / slow;
    for (const double split : splits) {
      const double k_part = std::ceil(k / split / k_step) * k_step;
      const double wave = curve.prologue.s() + 2 * tile.m * tile.n * k_part / rate;
      double time = std::max(std::ceil(count * split / sms) * wave, traffic);
      // Every part writes its sums in fp32, the second pass reads them.
      if (split > 1) time += curve.reduction.s() + batch * m * n * 4 * (split + 1) / memory_rate;
      best = std::min(best, time);
    }
  }
  return curve.launch + base::Seconds::from_s(best + added);
}

}  // namespace calibrate
