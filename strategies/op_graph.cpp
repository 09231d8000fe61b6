#include "strategies/op_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "strategies/op_builder.hpp"

namespace strategies {

namespace {

std::string block_name(LayerKind kind) {
  std::string name = kind.mixture ? "moe_layer" : "layer";
  if (kind.window > 0) name += fmt::format("_window_{}", kind.window);
  return name;
}

/// Side by side, attention and MLP are reduced together, after the MLP; without a norm of its own
/// the MLP reads what the attention has gathered and saved.
void merge_branches(std::vector<Op>& ops, std::size_t mlp_begin, bool own_norm) {
  for (std::size_t i = 0; i < mlp_begin; ++i) ops[i].reduces_output = false;
  if (own_norm) return;
  for (std::size_t i = mlp_begin; i < ops.size(); ++i) ops[i].gathers_input = false;
}

Block layer_block(const OpBuilder& build, LayerKind kind) {
  const ModelSpec& model = build.model();
  Block block{block_name(kind), kind, {}};
  std::vector<Op>& ops = block.ops;
  const bool mixture = kind.mixture && model.mixture;
  const bool own_norm = !model.parallel_block || model.norms_per_layer > 1;
  if (model.norms_per_layer > 0) ops.push_back(build.norm("attention_norm"));
  if (model.parallel_block && own_norm) ops.push_back(build.norm("mlp_norm"));
  build.attention(ops, kind.window);
  if (model.norms_per_layer > 2) ops.push_back(build.norm("post_attention_norm"));
  if (!model.parallel_block) {
    ops.push_back(build.residual("attention_residual", 1));
    if (model.norms_per_layer > 1) ops.push_back(build.norm("mlp_norm"));
  }
  const std::size_t mlp_begin = ops.size();
  if (mixture)
    build.mixture(ops);
  else
    build.mlp(ops, own_norm);
  if (model.parallel_block) merge_branches(ops, mlp_begin, own_norm);
  if (model.norms_per_layer > 3) ops.push_back(build.norm("post_mlp_norm"));
  ops.push_back(build.residual("mlp_residual", model.parallel_block ? 2 : 1));
  return block;
}

}  // namespace

std::string_view name_of(OpKind kind) {
  return op_kind_names[static_cast<std::size_t>(kind)].first;
}

base::DType stored_type(base::DType compute) {
  switch (compute) {
    case base::DType::fp32:
    case base::DType::tf32: return base::DType::fp32;
    case base::DType::fp16: return base::DType::fp16;
    default: return base::DType::bf16;
  }
}

bool countable(const ModelSpec& model, const OpOptions& options) {
  const auto wide = [](std::int64_t count) { return static_cast<double>(count); };
  const std::int64_t value = model.latent ? model.latent->value_head_dim : model.head_dim;
  double widest =
      std::max({wide(model.hidden), 2 * wide(model.ffn), wide(model.vocab),
                3.0 * model.heads * wide(model.head_dim + value), model.heads * wide(options.seq)});
  if (model.mixture) {
    const Mixture& mixture = *model.mixture;
    const double copies =
        mixture.experts_per_token * std::max(1.0, mixture.capacity_factor) + mixture.experts;
    widest = std::max(widest, copies * std::max(wide(model.hidden), 2 * wide(mixture.expert_ffn)));
    widest = std::max(widest, 2 * wide(mixture.shared_ffn));
  }
  // An operator moves at most eight times its widest tensor, at most four bytes an element.
  return wide(options.batch) * wide(options.seq) * widest * 8 * 4 < 0x1p60;
}

OpGraph build_ops(const ModelSpec& model, const OpOptions& options) {
  CHECK_INVARIANT(options.batch > 0 && options.seq > 0 && options.tensor > 0);
  CHECK_INVARIANT(countable(model, options));
  const OpBuilder build(model, options);
  OpGraph graph;
  graph.batch = options.batch;
  graph.seq = options.seq;
  graph.embedding_block = 0;
  graph.blocks.push_back({"embedding", {}, {}});
  build.embedding(graph.blocks.back().ops);
  std::vector<LayerKind> kinds;
  for (const LayerKind& kind : model.layers) {
    const auto found = std::find(kinds.begin(), kinds.end(), kind);
    graph.layer_block.push_back(1 + static_cast<int>(found - kinds.begin()));
    if (found != kinds.end()) continue;
    kinds.push_back(kind);
    graph.blocks.push_back(layer_block(build, kind));
  }
  graph.head_block = static_cast<int>(graph.blocks.size());
  graph.blocks.push_back({"head", {}, {}});
  build.head(graph.blocks.back().ops);
  return graph;
}

}  // namespace strategies
