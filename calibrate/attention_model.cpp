#include "calibrate/attention_model.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/check.hpp"
#include "calibrate/gemm_model.hpp"
#include "calibrate/memory_model.hpp"

namespace calibrate {

namespace {

// Straight lines between the given head dimensions. Below the smallest one the tensor cores are
// filled in proportion; above the largest the efficiency stays.
double efficiency_at(const ByHeadDim& points, double head_dim) {
  const auto above = std::find_if(points.begin(), points.end(),
                                  [&](const auto& point) { return point.first >= head_dim; });
  if (above == points.end()) return points.rbegin()->second;
  if (above == points.begin()) return above->second * head_dim / above->first;
  const auto below = std::prev(above);
  const double along = (head_dim - below->first) / (above->first - below->first);
  return below->second + along * (above->second - below->second);
}

double keys_at_most(const base::Attention& a) {
  const auto keys = static_cast<double>(a.seq_kv);
  return a.window > 0 ? std::min(keys, static_cast<double>(a.window)) : keys;
}

// Pairs that are computed: whole tiles along the diagonal, so `causal_pad` keys more per query
// than are visible, up to the full square.
double computed_pairs(const base::Attention& a, const FlashCurve& curve) {
  const auto queries = static_cast<double>(a.seq_q);
  const double pad = a.causal ? curve.causal_pad * queries : 0;
  return std::min(base::visible_pairs(a) + pad, queries * keys_at_most(a));
}

}  // namespace

base::Seconds flash_attention_time(const base::Attention& a, const topology::GpuSpec& gpu,
                                   const FlashCurve& curve) {
  const auto peak = gpu.peak.find(a.dtype);
  CHECK_INVARIANT(peak != gpu.peak.end());
  CHECK_INVARIANT(a.batch > 0 && a.seq_q > 0 && a.seq_kv > 0 && a.q_heads > 0);
  const auto dims = static_cast<double>(a.head_dim + a.value_dim);
  const double sms = std::max(gpu.multiprocessors, 1);
  const double rate = peak->second.flops() *
                      efficiency_at(a.backward ? curve.backward : curve.forward, dims / 2) / sms;
  const double flop_per_pair = 2 * dims * (a.backward ? 2.5 : 1.0);
  const auto heads = static_cast<double>(a.batch * a.q_heads);
  const double blocks = heads * std::ceil(static_cast<double>(a.seq_q) / curve.tile);
  const double work = heads * computed_pairs(a, curve) * flop_per_pair / rate;
  const double longest = curve.prologue.s() + std::min(curve.tile, static_cast<double>(a.seq_q)) *
                                                  keys_at_most(a) * flop_per_pair / rate;
  const double even = (work + blocks * curve.prologue.s()) / sms;
  const double compute = std::max(longest, even + curve.tail * longest);
  const double traffic = (base::bytes_of(a) / gpu.memory_bandwidth).s();
  return curve.launch + base::Seconds::from_s(std::max(compute, traffic));
}

base::Seconds unfused_attention_time(const base::Attention& a, const topology::GpuSpec& gpu,
                                     const KernelCurves& curves, const UnfusedCurve& curve) {
  const std::int64_t batch = a.batch * a.q_heads;
  const base::Gemm scores{a.seq_q, a.seq_kv, a.head_dim, batch, a.dtype, a.dtype};
  const base::Gemm values{a.seq_q, a.value_dim, a.seq_kv, batch, a.dtype, a.dtype};
  const GemmCurve& gemm = curves.gemm_for(a.dtype);
  base::Seconds products = gemm_time(scores, gpu, gemm) + gemm_time(values, gpu, gemm);
  // Backward: each product has one gradient per operand, of the same work.
  if (a.backward) products = products * 2;
  double passes = a.causal ? curve.causal_score_passes : curve.score_passes;
  if (a.backward) passes = curve.backward_score_passes;
  base::Attention fused = a;
  fused.flash = true;
  const double score_bytes = base::bytes_of(a.dtype) * static_cast<double>(batch) *
                             static_cast<double>(a.seq_q) * static_cast<double>(a.seq_kv);
  const base::Bytes traffic = base::Bytes::from_double(
      score_bytes * passes + base::bytes_of(fused).as_double() * curve.operand_passes);
  return products + memory_bound_time({traffic, 1}, gpu, curves.memory);
}

}  // namespace calibrate
