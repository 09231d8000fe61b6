#include "base/kernel.hpp"

#include "tests/support/catch.hpp"

namespace base {
namespace {

/// Counts what a mask lets through, by the definition: query i stands at key kv - q + i, sees keys
/// up to its own when causal, and at most `window` of them.
double count_pairs(const Attention& a) {
  double pairs = 0;
  for (std::int64_t i = 0; i < a.seq_q; ++i) {
    std::int64_t seen = 0;
    const std::int64_t own = a.seq_kv - a.seq_q + i;
    for (std::int64_t j = 0; j < a.seq_kv; ++j)
      if (!a.causal || j <= own) ++seen;
    pairs += static_cast<double>(a.window > 0 ? std::min(seen, a.window) : seen);
  }
  return pairs;
}

TEST_CASE("visible pairs are those that a double loop counts") {
  for (std::int64_t q = 0; q <= 12; ++q)
    for (std::int64_t kv = 0; kv <= 12; ++kv)
      for (std::int64_t window = 0; window <= 13; ++window)
        for (const bool causal : {false, true}) {
          const Attention a{.seq_q = q, .seq_kv = kv, .causal = causal, .window = window};
          if (visible_pairs(a) == count_pairs(a)) continue;
          CAPTURE(q, kv, window, causal);
          CHECK(visible_pairs(a) == count_pairs(a));
        }
  CHECK(visible_pairs({.seq_q = 3, .seq_kv = 3}) == 6);
}

TEST_CASE("a GEMM is two operations for each multiply-add") {
  const Gemm gemm{.m = 128, .n = 64, .k = 32, .batch = 3, .output = DType::fp32};
  CHECK(flop_of(gemm).count() == 2.0 * 128 * 64 * 32 * 3);
  // A and B in bf16: (128 * 32 + 32 * 64) * 2 = 12,288 B; C in fp32: 128 * 64 * 4 = 32,768 B.
  CHECK(bytes_of(gemm).count() == 3LL * (12288 + 32768));
}

TEST_CASE("four-bit operands take half a byte") {
  const Gemm gemm{.m = 16, .n = 16, .k = 16, .dtype = DType::fp4, .output = DType::bf16};
  CHECK(bytes_of(gemm).count() == (256 + 256) / 2 + 256 * 2);
}

TEST_CASE("attention counts visible pairs, twice for each of two products") {
  Attention a{.batch = 2,
              .seq_q = 4,
              .seq_kv = 4,
              .q_heads = 8,
              .kv_heads = 2,
              .head_dim = 16,
              .value_dim = 32};
  // 10 causal pairs, 2 * (16 + 32) each, 16 heads in all.
  CHECK(flop_of(a).count() == 2.0 * 48 * 10 * 16);
  // q 1024, k 256, v 512, o 2048 elements of 2 bytes.
  CHECK(bytes_of(a).count() == 2LL * (1024 + 256 + 512 + 2048));
  a.flash = false;
  // scores 16 * 16 = 256 elements, four times through memory.
  CHECK(bytes_of(a).count() == 2LL * (3840 + 4 * 256));
  a.backward = true;
  CHECK(flop_of(a).count() == 2.5 * 2.0 * 48 * 10 * 16);
  CHECK(bytes_of(a).count() == 2LL * (2 * 3840 + 8 * 256));
}

TEST_CASE("any kernel has operations and bytes") {
  CHECK(flop_of(Kernel{MemoryBound{Bytes::from_count(7)}}).count() == 0);
  CHECK(bytes_of(Kernel{MemoryBound{Bytes::from_count(7)}}).count() == 7);
  CHECK(flop_of(Kernel{Gemm{.m = 1, .n = 1, .k = 1}}).count() == 2);
  CHECK(bytes_of(Kernel{Gemm{.m = 1, .n = 1, .k = 1}}).count() == 6);
  const Attention a{.batch = 1,
                    .seq_q = 1,
                    .seq_kv = 1,
                    .q_heads = 1,
                    .kv_heads = 1,
                    .head_dim = 1,
                    .value_dim = 1};
  CHECK(flop_of(Kernel{a}).count() == 4);
  CHECK(bytes_of(Kernel{a}).count() == 8);
}

TEST_CASE("absurd shapes neither overflow nor turn negative") {
  const Attention a{.batch = 1'000'000,
                    .seq_q = 10'000'000,
                    .seq_kv = 10'000'000,
                    .q_heads = 100'000,
                    .kv_heads = 100'000,
                    .head_dim = 4096,
                    .value_dim = 4096,
                    .flash = false};
  CHECK(flop_of(a).count() > 1e28);
  CHECK(bytes_of(a).count() > 0);
}

}  // namespace
}  // namespace base
