#pragma once

#include <cstdint>

#include "strategies/autoshard/graph_builder.hpp"

namespace strategies::autoshard {

struct FeedForward {
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  std::int64_t inner = 0;
};

/// Two matrix products with an element-wise operator between them, forward and backward, from an
/// input to an output. Weights are of outputs and inputs, as in PyTorch.
inline TensorGraph feed_forward_graph(const FeedForward& sizes, const StepPrecision& precision) {
  GraphBuilder build(precision);
  build.begin_block("ffn", 1);
  const Value x = build.input("x", {{sizes.tokens, sizes.width}, precision.compute});
  const Value up = build.parameter("up.weight", {sizes.inner, sizes.width});
  const Value down = build.parameter("down.weight", {sizes.width, sizes.inner});
  const Value inner = build.einsum("up", x, up, "t i, o i -> t o");
  const Value active = build.pointwise("activation", {inner});
  build.output("y", build.einsum("down", active, down, "t i, o i -> t o"));
  build.differentiate("ffn");
  return build.finish();
}

struct TransformerBlock {
  std::int64_t batch = 0;
  std::int64_t seq = 0;
  std::int64_t width = 0;
  std::int64_t heads = 0;
  std::int64_t inner = 0;
};

/// Attention and a feed-forward network with residual connections, without norms, from an input to
/// an output.
inline TensorGraph transformer_block_graph(const TransformerBlock& sizes,
                                           const StepPrecision& precision) {
  GraphBuilder build(precision);
  build.begin_block("block", 1);
  const std::int64_t w = sizes.width;
  const Value x = build.input("x", {{sizes.batch, sizes.seq, w}, precision.compute});
  const auto project = [&](const std::string& name, Value from, std::int64_t in, std::int64_t out) {
    return build.einsum(name, from, build.parameter(name + ".weight", {out, in}),
                        "b s i, o i -> b s o");
  };
  const Value q = project("wq", x, w, w);
  const Value k = project("wk", x, w, w);
  const Value v = project("wv", x, w, w);
  const base::Attention whole{.batch = sizes.batch,
                              .seq_q = sizes.seq,
                              .seq_kv = sizes.seq,
                              .q_heads = sizes.heads,
                              .kv_heads = sizes.heads,
                              .head_dim = w / sizes.heads,
                              .value_dim = w / sizes.heads,
                              .dtype = precision.compute};
  const Value attended = project("wo", build.attention("attention", q, k, v, whole), w, w);
  const Value middle = build.add("attention_residual", {x, attended});
  const Value active = build.pointwise("activation", {project("w1", middle, w, sizes.inner)});
  build.output("y", build.add("residual", {middle, project("w2", active, sizes.inner, w)}));
  build.differentiate("block");
  return build.finish();
}

}  // namespace strategies::autoshard
