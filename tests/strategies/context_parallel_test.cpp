#include "strategies/context_parallel.hpp"

#include <algorithm>
#include <numeric>

#include "strategies/shard.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

base::Attention whole(std::int64_t tokens) {
  base::Attention kernel;
  kernel.batch = 1;
  kernel.seq_q = kernel.seq_kv = tokens;
  kernel.q_heads = kernel.kv_heads = 1;
  kernel.head_dim = kernel.value_dim = 64;
  return kernel;
}

double pairs(const std::vector<std::vector<base::Attention>>& steps) {
  double sum = 0;
  for (const auto& kernels : steps)
    for (const base::Attention& kernel : kernels) sum += visible_pairs(kernel);
  return sum;
}

/// (query, key) pairs that one rank sees in a causal sequence, counted one by one.
double pairs_of_rank(int tokens, const std::vector<int>& queries) {
  double sum = 0;
  for (const int query : queries)
    for (int key = 0; key < tokens; ++key) sum += key <= query ? 1 : 0;
  return sum;
}

std::vector<int> blocks(int tokens, int count, std::initializer_list<int> which) {
  std::vector<int> all;
  for (const int block : which)
    for (int i = 0; i < tokens / count; ++i) all.push_back(block * (tokens / count) + i);
  return all;
}

TEST_CASE("contiguous blocks make the last rank of a ring the busiest") {
  const int tokens = 96, cp = 4;
  const auto steps =
      attention_steps(whole(tokens), {.degree = cp, .attention = ContextAttention::ring});
  CHECK(steps.size() == 4);
  std::vector<double> ranks;
  for (int r = 0; r < cp; ++r) ranks.push_back(pairs_of_rank(tokens, blocks(tokens, cp, {r})));
  CHECK(std::is_sorted(ranks.begin(), ranks.end()));
  CHECK(pairs(steps) == ranks.back());
}

TEST_CASE("zig-zag blocks give every rank the same work") {
  const int tokens = 96, cp = 4;
  const auto steps =
      attention_steps(whole(tokens), {.degree = cp, .attention = ContextAttention::zigzag});
  CHECK(steps.size() == 4);
  for (int r = 0; r < cp; ++r)
    CHECK(pairs_of_rank(tokens, blocks(tokens, 2 * cp, {r, 2 * cp - 1 - r})) == pairs(steps));
  CHECK(cp * pairs(steps) == visible_pairs(whole(tokens)));
}

TEST_CASE("gathered keys and values: two kernels, as much work") {
  const int tokens = 96;
  for (const int cp : {2, 3, 4, 8}) {
    const auto steps =
        attention_steps(whole(tokens), {.degree = cp, .attention = ContextAttention::all_gather});
    CHECK((steps.size() == 1 && steps.front().size() == 2));
    CHECK(cp * pairs(steps) == visible_pairs(whole(tokens)));
  }
}

Plan plan_with(const ContextParallel& context) {
  Plan plan;
  plan.data = 1;
  plan.global_batch = 1;
  plan.sequence = 8192;
  plan.context = context;
  return plan;
}

struct Traffic {
  int count = 0;
  std::int64_t bytes = 0;
};

Traffic traffic(const std::vector<Work>& works, base::Collective op, AxisSet axes) {
  Traffic sum;
  for (const Work& work : works)
    if (work.communication && work.communication->op == op && work.communication->axes == axes) {
      sum.count += 1;
      sum.bytes += work.communication->bytes.count();
    }
  return sum;
}

const ShardedBlock& layer(const ShardedGraph& graph) {
  return graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
}

// Llama-3.1-8B: 8 key-value heads of 128; keys and values of a token are 2 x 8 x 128 x 2 B = 4 KiB.
constexpr std::int64_t kv_bytes = 4096;

TEST_CASE("a ring of cp ranks passes keys and values on cp - 1 times, gradients cp times") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  const ShardedGraph graph = shard(model, plan_with({.degree = 4}));
  const std::int64_t block = 8192 / 4 * kv_bytes;
  const Traffic forward = traffic(layer(graph).forward, base::Collective::send_receive, Axis::ring);
  CHECK((forward.count == 3 && forward.bytes == 3 * block));
  const Traffic backward =
      traffic(layer(graph).backward, base::Collective::send_receive, Axis::ring);
  CHECK((backward.count == 4 && backward.bytes == (3 + 4) * block));

  // Expanded to the 32 query heads, four times as much (ScaleTorch).
  const ShardedGraph expanded = shard(model, plan_with({.degree = 4, .expand_kv = true}));
  CHECK(traffic(layer(expanded).forward, base::Collective::send_receive, Axis::ring).bytes ==
        4 * 3 * block);
}

TEST_CASE("gathered keys and values come as a whole, and their gradients are scattered") {
  const ShardedGraph graph =
      shard(shipped_model("llama-3.1-8b"),
            plan_with({.degree = 4, .attention = ContextAttention::all_gather}));
  const std::int64_t all = 8192 * kv_bytes;
  CHECK(traffic(layer(graph).forward, base::Collective::all_gather, Axis::ring).bytes == all);
  CHECK(traffic(layer(graph).backward, base::Collective::reduce_scatter, Axis::ring).bytes == all);
}

TEST_CASE("ulysses exchanges tokens for heads, and back") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  const auto exchanged = [&](int degree) {
    const ShardedGraph graph = shard(
        model,
        plan_with({.degree = degree, .attention = ContextAttention::ulysses, .ulysses = degree}));
    const Traffic forward =
        traffic(layer(graph).forward, base::Collective::all_to_all, Axis::ulysses);
    const Traffic backward =
        traffic(layer(graph).backward, base::Collective::all_to_all, Axis::ulysses);
    CHECK((forward.count == 2 && backward.count == 2 && forward.bytes == backward.bytes));
    return forward.bytes;
  };
  // 32 query, 8 key, 8 value heads one way and 32 of outputs back: 80 x 128 x 2 B a token.
  CHECK(exchanged(4) == 8192 / 4 * 80 * 256);
  // Sixteen ranks, eight key-value heads: each goes to two ranks.
  CHECK(exchanged(16) == 8192 / 16 * (32 + 16 + 16 + 32) * 256);
}

TEST_CASE("rings of ulysses groups") {
  const ShardedGraph graph =
      shard(shipped_model("llama-3.1-8b"), plan_with({.degree = 8, .ulysses = 4}));
  // Two steps; the block is what eight ranks' share of tokens becomes after four have exchanged:
  // four times the tokens, a quarter of the heads.
  CHECK(traffic(layer(graph).forward, base::Collective::send_receive, Axis::ring).bytes ==
        8192 / 8 * kv_bytes);
  CHECK(traffic(layer(graph).forward, base::Collective::all_to_all, Axis::ulysses).count == 2);
}

TEST_CASE("context ranks keep and compute their share") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  const ShardedGraph one = shard(model, plan_with({}));
  const ShardedGraph four = shard(model, plan_with({.degree = 4}));
  CHECK(4 * layer(four).saved.count() == layer(one).saved.count());
  CHECK(4 * four.boundary.count() == one.boundary.count());
  CHECK(layer(four).parameters == layer(one).parameters);
}

}  // namespace
}  // namespace strategies
