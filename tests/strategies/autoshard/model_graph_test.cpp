#include "strategies/autoshard/model_graph.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "strategies/op_graph.hpp"
#include "strategies/placement/element_set.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies::autoshard {
namespace {

constexpr std::array<const char*, 14> models{
    "llama-3.1-8b", "llama-3.1-70b",  "mistral-7b", "qwen2.5-72b",     "qwen3-8b",
    "gpt2",         "gpt3-175b.yaml", "opt-6.7b",   "bloom",           "falcon-40b",
    "gemma-2-9b",   "mixtral-8x7b",   "olmo-2-7b",  "deepseek-v2-lite"};

const Node& node_named(const TensorGraph& graph, std::string_view name) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [&](const Node& node) { return node.name == name; });
  if (found == graph.nodes.end()) FAIL("no " << name);
  return *found;
}

TensorGraph graph_of(const std::string& name, const StepShape& shape = {4, 1024}) {
  return model_graph(shipped_model(name), shape, {});
}

double parameters(const TensorGraph& graph) {
  double sum = 0;
  for (const Node& node : graph.nodes)
    if (node.role == Role::parameter)
      sum +=
          node.copies * static_cast<double>(placement::element_count(node.results.front().shape));
  return sum;
}

TEST_CASE("model graph: has the parameters of the model, each with one gradient of its shape") {
  for (const char* name : models) {
    INFO(name);
    const ModelSpec model = shipped_model(name);
    const TensorGraph graph = graph_of(name);
    // Dropout has none.
    CHECK(left_out(model).size() == (model.dropout > 0 ? 1 : 0));
    CHECK(parameters(graph) == static_cast<double>(count_parameters(model).total()));
    std::set<Value> with_gradient;
    for (const auto& [value, gradient] : graph.gradients) {
      CHECK(with_gradient.insert(value).second);
      CHECK(type_of(graph, value).shape == type_of(graph, gradient).shape);
      CHECK(type_of(graph, gradient).dtype == base::DType::fp32);
    }
    const auto held = std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                    [](const Node& node) { return node.role == Role::parameter; });
    CHECK(static_cast<std::size_t>(held) == with_gradient.size());
  }
}

/// FLOPs of strategies::build_ops on one rank.
double flop_of_ops(const ModelSpec& model, const StepShape& shape) {
  OpOptions options;
  options.batch = shape.batch;
  options.seq = shape.seq;
  const OpGraph ops = build_ops(model, options);
  double sum = 0;
  const auto add = [&](const Block& block) {
    for (const Op& op : block.ops)
      for (const auto* kernels : {&op.forward, &op.backward_input, &op.backward_weight})
        for (const base::Kernel& kernel : *kernels) sum += base::flop_of(kernel).count();
  };
  add(ops.blocks[static_cast<std::size_t>(ops.embedding_block)]);
  for (const int block : ops.layer_block) add(ops.blocks[static_cast<std::size_t>(block)]);
  add(ops.blocks[static_cast<std::size_t>(ops.head_block)]);
  return sum;
}

TEST_CASE("model graph: does the work of the operators of a plan") {
  for (const char* name : models) {
    INFO(name);
    CHECK(flop_of(graph_of(name)).count() ==
          Approx(flop_of_ops(shipped_model(name), {4, 1024})).epsilon(1e-12));
  }
}

TEST_CASE("model graph: six operations for each parameter and token, and attention") {
  // Llama-3.1-8B: all parameters but the embedding's 128256 x 4096 and 65 norms of 4096 are in
  // matrices. Attention: 32 layers, 3.5 times the forward's 2 (128 + 128) for each of 32 heads and
  // each pair of a query with one of the keys up to it.
  const double tokens = 4.0 * 1024;
  const double matrices = 8030261248.0 - 128256.0 * 4096 - 65 * 4096.0;
  const double attention = 32 * 3.5 * 512 * 32 * 4 * (1024 * 1025 / 2.0);
  CHECK(flop_of(graph_of("llama-3.1-8b")).count() ==
        Approx(6 * matrices * tokens + attention).epsilon(1e-12));
}

TEST_CASE("model graph: operands are what their sources give, backward needs no later copies") {
  for (const char* name : models) {
    INFO(name);
    const TensorGraph graph = graph_of(name);
    for (const Node& node : graph.nodes) {
      INFO(node.name);
      REQUIRE(node.operands.size() == node.operand_types.size());
      for (std::size_t i = 0; i < node.operands.size(); ++i) {
        double copies = 0;
        for (const Source& source : node.operands[i]) {
          CHECK(type_of(graph, source.value) == node.operand_types[i]);
          copies += source.copies;
          const Node& maker = graph.nodes[static_cast<std::size_t>(source.value.node)];
          CHECK((node.phase == Phase::backward || maker.phase == Phase::forward));
        }
        CHECK(copies == node.copies);  // every copy reads one tensor
      }
    }
  }
}

/// Of kernels of a rank.
struct Load {
  double flop = 0;
  double bytes = 0;
};

Load work_of(const Node& node, const Signature& signature, const std::vector<std::int64_t>& sizes) {
  Load work;
  for (const base::Kernel& kernel : kernels_of(node, signature, sizes)) {
    work.flop += base::flop_of(kernel).count();
    work.bytes += base::bytes_of(kernel).as_double();
  }
  return work;
}

TEST_CASE("model graph: ranks share the work that they cut, and repeat what they do not") {
  const placement::Mesh mesh({2, 4});
  int shared = 0;
  for (const char* name : {"llama-3.1-8b", "gpt2", "mixtral-8x7b", "deepseek-v2-lite"}) {
    for (const Node& node : graph_of(name, {8, 1024}).nodes) {
      if (node.role != Role::operation) continue;
      INFO(name << ": " << node.name);
      const Signature signature = signature_of(node);
      std::vector<std::int64_t> whole;
      for (const Label& label : signature.labels) whole.push_back(label.size);
      const Load all = work_of(node, signature, whole);
      for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
        double parts = 1;
        bool even = true;
        for (int d = 0; d < mesh.dims(); ++d) {
          const int label = sharding.uses[static_cast<std::size_t>(d)];
          if (label < 0) continue;
          parts *= mesh.extent(d);
          even = even && signature.labels[static_cast<std::size_t>(label)].size % 8 == 0;
        }
        const Load own = work_of(node, signature, local_sizes(signature, sharding, mesh));
        // The last part of a causal sequence has more than its share. Bytes of operands that are
        // not cut are not shared.
        CHECK(own.flop >= all.flop / parts * (1 - 1e-12));
        CHECK(own.bytes >= std::floor(all.bytes / parts));
        CHECK(own.bytes <= all.bytes);
        const bool causal = std::holds_alternative<AttentionWork>(node.work);
        if (!even || causal) continue;
        CHECK(own.flop == Approx(all.flop / parts).epsilon(1e-12));
        ++shared;
      }
    }
  }
  CHECK(shared > 1000);
}

TEST_CASE("model graph: layers follow each other") {
  // 32 equal layers: the first reads the embedding, 31 the layer before, the head the last.
  const TensorGraph llama = graph_of("llama-3.1-8b");
  const auto sources = [](const TensorGraph& graph, std::string_view name) {
    std::map<std::string, double> from;
    for (const Source& source : node_named(graph, name).operands.front())
      from[graph.nodes[static_cast<std::size_t>(source.value.node)].name] += source.copies;
    return from;
  };
  using Sources = std::map<std::string, double>;
  CHECK(sources(llama, "layers.input") ==
        Sources{{"embedding.lookup", 1}, {"layers.mlp_residual", 31}});
  CHECK(sources(llama, "head.input") == Sources{{"layers.mlp_residual", 1}});
  CHECK(sources(llama, "layers.output.gradient") ==
        Sources{{"head.norm.backward", 1}, {"layers.input.gradient", 31}});
  CHECK(sources(llama, "embedding.output.gradient") == Sources{{"layers.input.gradient", 1}});
  // DeepSeek-V2-Lite: one dense layer, then 26 with experts.
  const TensorGraph mixture = graph_of("deepseek-v2-lite");
  CHECK(sources(mixture, "layers.input") == Sources{{"embedding.lookup", 1}});
  CHECK(sources(mixture, "moe_layers.input") ==
        Sources{{"layers.mlp_residual", 1}, {"moe_layers.mlp_residual", 25}});
  // Gemma-2: 42 layers, windowed and full in turn.
  const TensorGraph turns = graph_of("gemma-2-9b");
  CHECK(sources(turns, "layers.input") == Sources{{"layers_window_4096.mlp_residual", 21}});
}

TEST_CASE("model graph: a tied table has one gradient, the sum of both uses") {
  const TensorGraph graph = graph_of("gpt2");
  const Node& sum = node_named(graph, "embedding.weight.cast.gradient");
  CHECK(sum.operation.family == Family::linear_pointwise);
  CHECK(sum.operands.size() == 2);
}

TEST_CASE("model graph: the last part of a cut causal sequence has the most keys to see") {
  // 64 queries cut in 4: the last 16 see 49, 50, ... 64 keys.
  const base::Attention whole{.batch = 2,
                              .seq_q = 64,
                              .seq_kv = 64,
                              .q_heads = 8,
                              .kv_heads = 2,
                              .head_dim = 16,
                              .value_dim = 16};
  GraphBuilder build(StepPrecision{});
  build.begin_block("test", 1);
  const Value q = build.input("q", {{2, 64, 128}, base::DType::bf16});
  const Value k = build.input("k", {{2, 64, 32}, base::DType::bf16});
  const Value v = build.input("v", {{2, 64, 32}, base::DType::bf16});
  const Value out = build.attention("core", q, k, v, whole);
  build.output("out", out);
  build.differentiate("test");
  const Node node = node_named(build.finish(), "test.core");
  const Signature signature = signature_of(node);
  const placement::Mesh mesh({4});
  for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
    const auto kernels = kernels_of(node, signature, local_sizes(signature, sharding, mesh));
    const auto& kernel = std::get<base::Attention>(kernels.front());
    if (format(operand_layout(signature, sharding, 0)) == "S(1)") {
      CHECK(kernel.seq_q == 16);
      CHECK(kernel.seq_kv == 64);
      CHECK(base::visible_pairs(kernel) == (49 + 64) / 2.0 * 16);
    }
  }
}

}  // namespace
}  // namespace strategies::autoshard
