#include "base/kernel.hpp"

#include <algorithm>

namespace base {

namespace {

/// In doubles from the first factor on: whole numbers overflow for absurd shapes.
double product(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

}  // namespace

Flop flop_of(const Gemm& g) {
  return Flop::from_count(2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) *
                          static_cast<double>(g.k) * static_cast<double>(g.batch));
}

double visible_pairs(const Attention& a) {
  const auto kv = static_cast<double>(a.seq_kv);
  const auto all = static_cast<double>(a.seq_q);
  if (!a.causal) return all * (a.window > 0 ? std::min(kv, static_cast<double>(a.window)) : kv);
  // The last query sees every key, each earlier one sees one key less: of the last min(q, kv)
  // queries the i-th (from 0) sees first + i keys, at most `window`; those before see none.
  const double q = std::min(all, kv);
  const double first = kv - q + 1;
  if (a.window <= 0 || static_cast<double>(a.window) >= kv) return q * (first + kv) / 2.0;
  const auto w = static_cast<double>(a.window);
  const double growing = std::clamp(w - first, 0.0, q);  // queries that see fewer than w keys
  return growing * (first + (first + growing - 1)) / 2.0 + (q - growing) * w;
}

Flop flop_of(const Attention& a) {
  const auto dims = static_cast<double>(a.head_dim + a.value_dim);
  const double forward =
      2.0 * dims * visible_pairs(a) * static_cast<double>(a.q_heads) * static_cast<double>(a.batch);
  return Flop::from_count(a.backward ? 2.5 * forward : forward);
}

Flop flop_of(const Kernel& kernel) {
  if (const auto* gemm = std::get_if<Gemm>(&kernel)) return flop_of(*gemm);
  if (const auto* attention = std::get_if<Attention>(&kernel)) return flop_of(*attention);
  return Flop{};
}

Bytes bytes_of(const Gemm& g) {
  const auto m = static_cast<double>(g.m);
  const auto n = static_cast<double>(g.n);
  const auto k = static_cast<double>(g.k);
  return Bytes::from_double(
      static_cast<double>(g.batch) *
      (bytes_of(g.dtype) * (m * k + k * n) + bytes_of(g.output) * m * n * (g.adds ? 2 : 1)));
}

Bytes bytes_of(const Attention& a) {
  const auto queries = product(a.batch, a.q_heads, a.seq_q);
  const auto keys = product(a.batch, a.kv_heads, a.seq_kv);
  const double q = queries * static_cast<double>(a.head_dim);
  const double k = keys * static_cast<double>(a.head_dim);
  const double v = keys * static_cast<double>(a.value_dim);
  const double o = queries * static_cast<double>(a.value_dim);
  // Backward reads q, k, v, o, do and writes dq, dk, dv.
  const double elements = a.backward ? 2 * (q + k + v + o) : q + k + v + o;
  const double scores = a.flash ? 0 : queries * static_cast<double>(a.seq_kv);
  // Unfused: scores written and read, softmax written and read, again for each gradient.
  return Bytes::from_double(bytes_of(a.dtype) * (elements + scores * (a.backward ? 8 : 4)));
}

Bytes bytes_of(const Kernel& kernel) {
  if (const auto* gemm = std::get_if<Gemm>(&kernel)) return bytes_of(*gemm);
  if (const auto* attention = std::get_if<Attention>(&kernel)) return bytes_of(*attention);
  return std::get<MemoryBound>(kernel).bytes;
}

}  // namespace base
