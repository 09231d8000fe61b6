#include "strategies/context_parallel.hpp"

#include "base/check.hpp"
#include "strategies/rank_grid.hpp"

namespace strategies {

void read_context_parallel(base::MapReader& reader, ContextParallel& context) {
  reader.read_choice("attention", context.attention, context_attention_names);
  if (reader.read("ulysses", context.ulysses, {1, degree_max}) &&
      context.attention == ContextAttention::ulysses && context.ulysses != context.degree)
    reader.error("ulysses", "with attention 'ulysses' all context ranks exchange heads",
                 "attention: zigzag with ulysses below context_parallel makes rings of them");
  reader.read("expand_kv", context.expand_kv);
  reader.finish();
  if (context.attention == ContextAttention::ulysses) context.ulysses = context.degree;
}

std::vector<std::vector<base::Attention>> attention_steps(const base::Attention& whole,
                                                          const ContextParallel& context) {
  const int ring = context.ring();
  if (ring == 1) return {{whole}};
  CHECK_INVARIANT(whole.seq_q == whole.seq_kv && whole.causal);
  const std::int64_t block = base::ceil_div(whole.seq_q, ring);
  const auto part = [&](std::int64_t queries, std::int64_t keys, bool causal) {
    base::Attention kernel = whole;
    kernel.seq_q = queries;
    kernel.seq_kv = keys;
    kernel.causal = causal;
    return kernel;
  };
  const std::int64_t half = base::ceil_div(block, 2);
  if (context.attention == ContextAttention::all_gather) {
    // Blocks i and 2 ring - 1 - i see i + 1 and 2 ring - i of the 2 ring blocks: together always as
    // many. The middle rank stands for all.
    const int i = ring / 2;
    return {{part(half, half * (i + 1), true), part(half, half * (2 * ring - i), true)}};
  }
  std::vector<std::vector<base::Attention>> steps{{part(block, block, true)}};
  const bool zigzag = context.attention == ContextAttention::zigzag;
  for (int step = 1; step < ring; ++step)
    steps.push_back({part(block, zigzag ? half : block, false)});
  return steps;
}

}  // namespace strategies
