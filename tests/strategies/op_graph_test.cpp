#include "strategies/op_graph.hpp"

#include <algorithm>

#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

const Block& layer_of(const OpGraph& graph, int layer) {
  return graph.blocks[static_cast<std::size_t>(graph.layer_block[static_cast<std::size_t>(layer)])];
}

const Op& op_named(const Block& block, const std::string& name) {
  const auto found = std::find_if(block.ops.begin(), block.ops.end(),
                                  [&](const Op& op) { return op.name == name; });
  if (found == block.ops.end()) FAIL(block.name << " has no " << name);
  return *found;
}

std::vector<std::string> names(const Block& block) {
  std::vector<std::string> list;
  for (const Op& op : block.ops) list.push_back(op.name);
  return list;
}

template <class Kernel>
const Kernel& kernel(const std::vector<base::Kernel>& kernels) {
  REQUIRE_FALSE(kernels.empty());
  REQUIRE(std::holds_alternative<Kernel>(kernels.front()));
  return std::get<Kernel>(kernels.front());
}

std::int64_t traffic(const std::vector<base::Kernel>& kernels) {
  base::Bytes sum;
  for (const base::Kernel& k : kernels) sum += bytes_of(k);
  return sum.count();
}

double gemm_flop(const std::vector<base::Kernel>& kernels) {
  double sum = 0;
  for (const base::Kernel& k : kernels)
    if (const auto* gemm = std::get_if<base::Gemm>(&k)) sum += flop_of(*gemm).count();
  return sum;
}

double attention_flop(const std::vector<base::Kernel>& kernels) {
  double sum = 0;
  for (const base::Kernel& k : kernels)
    if (std::holds_alternative<base::Attention>(k)) sum += flop_of(k).count();
  return sum;
}

struct Work {
  double forward_gemm = 0;
  double backward_gemm = 0;
  double forward_attention = 0;
  double backward_attention = 0;
};

void add(Work& work, const Block& block) {
  for (const Op& op : block.ops) {
    work.forward_gemm += gemm_flop(op.forward);
    work.backward_gemm += gemm_flop(op.backward_input) + gemm_flop(op.backward_weight);
    work.forward_attention += attention_flop(op.forward);
    work.backward_attention += attention_flop(op.backward_input);
  }
}

Work whole_model(const OpGraph& graph) {
  Work work;
  add(work, graph.blocks[static_cast<std::size_t>(graph.embedding_block)]);
  for (int layer = 0; layer < static_cast<int>(graph.layer_block.size()); ++layer)
    add(work, layer_of(graph, layer));
  add(work, graph.blocks[static_cast<std::size_t>(graph.head_block)]);
  return work;
}

// SC21 (arXiv 2104.04473, section 3.2) without recompute, attention in full squares:
//   F = 72 b s l h^2 (1 + s/(6h) + v/(12 l h)).
// Its terms: 72 b s l h^2 layers' matrices, 12 b s^2 l h attention, 6 b s h v head.
TEST_CASE("GPT-3's operators add up to the formula of the Megatron-LM paper") {
  const double b = 2, s = 2048, l = 96, h = 12288, v = 51200;
  const OpGraph graph = build_ops(shipped_model("gpt3-175b.yaml"), {.batch = 2, .seq = 2048});
  const Work work = whole_model(graph);
  const double gemm = 72 * b * s * l * h * h + 6 * b * s * h * v;
  CHECK(work.forward_gemm == Approx(gemm / 3).epsilon(1e-12));
  CHECK(work.backward_gemm == Approx(2 * gemm / 3).epsilon(1e-12));
  // A causal kernel visits s(s+1)/2 of s^2 pairs: 4 b s^2 l h forward becomes 2 b s (s+1) l h; its
  // backward makes five products of two, 2.5 times the forward and not twice.
  CHECK(work.forward_attention == Approx(2 * b * s * (s + 1) * l * h).epsilon(1e-12));
  CHECK(work.backward_attention == Approx(5 * b * s * (s + 1) * l * h).epsilon(1e-12));
  const double formula = 72 * b * s * l * h * h * (1 + s / (6 * h) + v / (12 * l * h));
  const double full_square = work.forward_attention * 3 * 2 * s / (s + 1);
  CHECK(work.forward_gemm + work.backward_gemm + full_square == Approx(formula).epsilon(1e-12));
}

// Every matrix is multiplied once with each token: 2 FLOP per weight and token.
TEST_CASE("the matrices of a layer cost two operations per weight and token") {
  const std::int64_t tokens = 2LL * 512;
  for (const char* name : {"llama-3.1-8b", "qwen3-8b", "gpt-neox-20b", "deepseek-v2-lite"}) {
    const ModelSpec model = shipped_model(name);
    const OpGraph graph = build_ops(model, {.batch = 2, .seq = 512});
    std::int64_t weights = 0;  // parameters without biases, norms and sinks
    Work work;
    add(work, layer_of(graph, 0));
    for (const Op& op : layer_of(graph, 0).ops) {
      if (gemm_flop(op.forward) == 0) continue;
      const auto& gemm = std::get<base::Gemm>(op.forward.front());
      weights += gemm.k * gemm.n;
      const bool biased = op.parameters != gemm.k * gemm.n;
      CHECK(op.parameters == gemm.k * gemm.n + (biased ? gemm.n : 0));
    }
    INFO(name);
    CHECK(work.forward_gemm == Approx(2.0 * static_cast<double>(weights * tokens)).epsilon(1e-12));
    CHECK(work.backward_gemm == Approx(2 * work.forward_gemm).epsilon(1e-12));
  }
}

TEST_CASE("a dense layer in order, with its shapes on one of eight ranks") {
  const OpGraph graph =
      build_ops(shipped_model("llama-3.1-70b"),
                {.batch = 1, .seq = 4096, .tensor = 8, .sequence_parallel = true});
  const Block& layer = layer_of(graph, 0);
  CHECK(layer.name == "layer");
  CHECK(names(layer) == std::vector<std::string>{"attention_norm", "qkv_projection", "rotary",
                                                 "attention", "output_projection",
                                                 "attention_residual", "mlp_norm", "mlp_up",
                                                 "mlp_activation", "mlp_down", "mlp_residual"});
  // 64 query heads and 8 key-value heads of 128 over 8 ranks: (8 + 2 x 1) x 128.
  CHECK(kernel<base::Gemm>(op_named(layer, "qkv_projection").forward) ==
        base::Gemm{.m = 4096, .n = 1280, .k = 8192});
  CHECK(kernel<base::Gemm>(op_named(layer, "qkv_projection").backward_input) ==
        base::Gemm{.m = 4096, .n = 8192, .k = 1280});
  CHECK(kernel<base::Gemm>(op_named(layer, "qkv_projection").backward_weight) ==
        base::Gemm{.m = 8192, .n = 1280, .k = 4096});
  const base::Attention& attention = kernel<base::Attention>(op_named(layer, "attention").forward);
  CHECK((attention.q_heads == 8 && attention.kv_heads == 1 && attention.head_dim == 128));
  CHECK((attention.batch == 1 && attention.seq_q == 4096 && attention.seq_kv == 4096));
  CHECK_FALSE(attention.backward);
  CHECK(kernel<base::Attention>(op_named(layer, "attention").backward_input).backward);
  CHECK(kernel<base::Gemm>(op_named(layer, "output_projection").forward) ==
        base::Gemm{.m = 4096, .n = 8192, .k = 1024});
  // Gate and up in one product: 2 x 28,672 / 8.
  CHECK(kernel<base::Gemm>(op_named(layer, "mlp_up").forward) ==
        base::Gemm{.m = 4096, .n = 7168, .k = 8192});
  CHECK(kernel<base::Gemm>(op_named(layer, "mlp_down").forward) ==
        base::Gemm{.m = 4096, .n = 8192, .k = 3584});
  // A norm works on 4,096 / 8 tokens: reads and writes 512 x 8,192 elements of two bytes.
  CHECK(traffic(op_named(layer, "mlp_norm").forward) == 2LL * 512 * 8192 * 2);
  CHECK(traffic(op_named(layer, "mlp_norm").backward_input) == 3LL * 512 * 8192 * 2);
  // Activation: reads 2 x 3,584, writes 3,584; backward reads three and writes two of 3,584.
  CHECK(traffic(op_named(layer, "mlp_activation").forward) == 4096LL * 3 * 3584 * 2);
  CHECK(traffic(op_named(layer, "mlp_activation").backward_input) == 4096LL * 5 * 3584 * 2);
  CHECK(graph.layer_block == std::vector<int>(80, 1));
}

// 64 heads: 8 on each of 8 ranks are a multiple of four; 2 on each of 32 are with two sequences
// only.
TEST_CASE("softmax whose heads are no multiple of four runs operator by operator") {
  const auto layer_with = [](OpOptions options) {
    options.seq = 1024;
    options.flash_attention = false;
    const OpGraph graph = build_ops(shipped_model("gpt-22b.yaml"), options);
    return names(layer_of(graph, 0));
  };
  const std::vector<std::string> fused = layer_with({.batch = 1, .tensor = 8});
  CHECK(layer_with({.batch = 2, .tensor = 32}) == fused);
  CHECK(layer_with({.batch = 1, .fused_softmax = false, .tensor = 32}) == fused);
  std::vector<std::string> eager = fused;
  const auto behind = std::find(eager.begin(), eager.end(), "attention") + 1;
  eager.insert(behind, {"scores_to_fp32", "scaled_scores", "masked_scores", "softmax_output"});
  CHECK(layer_with({.batch = 1, .tensor = 32}) == eager);

  const OpGraph graph =
      build_ops(shipped_model("gpt-22b.yaml"),
                {.batch = 1, .seq = 1024, .flash_attention = false, .tensor = 32});
  // Scores of 2 heads: read in two bytes and written in four; then four and four.
  const std::int64_t scores = 2LL * 1024 * 1024;
  CHECK(traffic(op_named(layer_of(graph, 0), "scores_to_fp32").forward) == scores * 6);
  CHECK(traffic(op_named(layer_of(graph, 0), "masked_scores").backward_input) == scores * 8);
  CHECK(op_named(layer_of(graph, 0), "softmax_output").saved_bytes == scores * 4);
}

TEST_CASE("key-value heads fewer than ranks are replicated") {
  const OpGraph graph = build_ops(shipped_model("llama-3.1-70b"), {.seq = 128, .tensor = 16});
  const Block& layer = layer_of(graph, 0);
  // 64 / 16 query heads, and one key-value head although 8 / 16 is less.
  CHECK(kernel<base::Gemm>(op_named(layer, "qkv_projection").forward).n == (4LL + 2) * 128);
  CHECK(kernel<base::Attention>(op_named(layer, "attention").forward).kv_heads == 1);
}

TEST_CASE("a layer gathers twice and reduces twice") {
  const auto count = [](const Block& block, bool Op::*flag) {
    return std::count_if(block.ops.begin(), block.ops.end(),
                         [&](const Op& op) { return op.*flag; });
  };
  const auto check = [&](const char* name, int layer, int gathers, int reductions) {
    const OpGraph graph =
        build_ops(shipped_model(name), {.seq = 128, .tensor = 2, .sequence_parallel = true});
    INFO(name);
    CHECK(count(layer_of(graph, layer), &Op::gathers_input) == gathers);
    CHECK(count(layer_of(graph, layer), &Op::reduces_output) == reductions);
  };
  check("llama-3.1-8b", 0, 2, 2);
  check("mixtral-8x7b", 0, 2, 2);       // once around all experts
  check("qwen1.5-moe-a2.7b", 0, 2, 2);  // the shared expert joins the routed ones
  check("gpt-neox-20b", 0, 2, 1);       // side by side: two norms, one sum
  check("falcon-40b", 0, 2, 1);
  check("deepseek-v3", 0, 3, 2);  // queries and keys from their ranks, then the MLP
}

TEST_CASE("a mixture: router in fp32, grouped products, shared experts before the sum") {
  const OpGraph graph = build_ops(shipped_model("mixtral-8x7b"), {.batch = 1, .seq = 4096});
  const Block& layer = layer_of(graph, 0);
  CHECK(layer.name == "moe_layer");
  const base::Gemm& router = kernel<base::Gemm>(op_named(layer, "router").forward);
  CHECK((router.m == 4096 && router.n == 8 && router.k == 4096));
  CHECK(router.dtype == base::DType::fp32);
  // 4,096 tokens go to 2 of 8 experts each: 1,024 rows an expert, gate and up 2 x 14,336 wide.
  CHECK(kernel<base::Gemm>(op_named(layer, "expert_up").forward) ==
        base::Gemm{.m = 1024, .n = 28672, .k = 4096, .batch = 8});
  CHECK(kernel<base::Gemm>(op_named(layer, "expert_down").forward) ==
        base::Gemm{.m = 1024, .n = 4096, .k = 14336, .batch = 8});
  CHECK(kernel<base::Gemm>(op_named(layer, "expert_up").backward_weight) ==
        base::Gemm{.m = 4096, .n = 28672, .k = 1024, .batch = 8});
  // Dispatch reads 4,096 rows and writes 8,192; combine the other way round.
  CHECK(traffic(op_named(layer, "dispatch").forward) == (4096 + 8192) * 4096LL * 2);
  CHECK(traffic(op_named(layer, "combine").forward) == (4096 + 8192) * 4096LL * 2);
  CHECK(op_named(layer, "expert_up").expert);
  CHECK_FALSE(op_named(layer, "router").expert);

  const OpGraph qwen = build_ops(shipped_model("qwen1.5-moe-a2.7b"), {.seq = 60});
  CHECK(names(layer_of(qwen, 0)) ==
        std::vector<std::string>{"attention_norm", "qkv_projection", "rotary", "attention",
                                 "output_projection", "attention_residual", "mlp_norm", "router",
                                 "dispatch", "shared_up", "shared_activation", "shared_down",
                                 "expert_up", "expert_activation", "expert_down", "combine",
                                 "mlp_residual"});
}

TEST_CASE("latent attention: projections down are replicated, projections up are divided") {
  const OpGraph graph =
      build_ops(shipped_model("deepseek-v3"),
                {.batch = 1, .seq = 4096, .tensor = 8, .sequence_parallel = true});
  const Block& layer = layer_of(graph, 0);
  // Each rank takes its 512 tokens down to 1,536 and 512 + 64, then all tokens up for 16 heads.
  CHECK(kernel<base::Gemm>(op_named(layer, "q_a_projection").forward) ==
        base::Gemm{.m = 512, .n = 1536, .k = 7168});
  CHECK(kernel<base::Gemm>(op_named(layer, "q_b_projection").forward) ==
        base::Gemm{.m = 4096, .n = 16LL * 192, .k = 1536});
  CHECK(kernel<base::Gemm>(op_named(layer, "kv_a_projection").forward) ==
        base::Gemm{.m = 512, .n = 576, .k = 7168});
  CHECK(kernel<base::Gemm>(op_named(layer, "kv_b_projection").forward) ==
        base::Gemm{.m = 4096, .n = 16LL * 256, .k = 512});
  const base::Attention& attention = kernel<base::Attention>(op_named(layer, "attention").forward);
  CHECK((attention.q_heads == 16 && attention.kv_heads == 16));
  CHECK((attention.head_dim == 192 && attention.value_dim == 128));
  CHECK(kernel<base::Gemm>(op_named(layer, "output_projection").forward).k == 16LL * 128);
  CHECK(op_named(layer, "q_b_projection").input_elements == 4096LL * 1536);
}

TEST_CASE("layers with and without a window are different blocks") {
  const OpGraph graph = build_ops(shipped_model("gpt-oss-120b"), {.seq = 4096});
  REQUIRE(graph.blocks.size() == 4);  // embedding, two kinds of layer, head
  CHECK(graph.blocks[1].name == "moe_layer_window_128");
  CHECK(graph.blocks[2].name == "moe_layer");
  CHECK(graph.layer_block[0] == 1);
  CHECK(graph.layer_block[1] == 2);
  CHECK(graph.layer_block[35] == 2);
  CHECK(kernel<base::Attention>(op_named(graph.blocks[1], "attention").forward).window == 128);
}

TEST_CASE("norms where the family has them") {
  const OpGraph gemma = build_ops(shipped_model("gemma-2-9b"), {.seq = 64});
  CHECK(names(layer_of(gemma, 1)) ==
        std::vector<std::string>{"attention_norm", "qkv_projection", "rotary", "attention",
                                 "output_projection", "post_attention_norm", "attention_residual",
                                 "mlp_norm", "mlp_up", "mlp_activation", "mlp_down",
                                 "post_mlp_norm", "mlp_residual"});
  const OpGraph neox = build_ops(shipped_model("gpt-neox-20b"), {.seq = 64});
  CHECK(names(layer_of(neox, 0)) ==
        std::vector<std::string>{"attention_norm", "mlp_norm", "qkv_projection", "rotary",
                                 "attention", "output_projection", "mlp_up", "mlp_activation",
                                 "mlp_down", "mlp_residual"});
  const OpGraph qwen = build_ops(shipped_model("qwen3-8b"), {.seq = 64, .tensor = 4});
  // (32 + 8) heads of 128 over 4 ranks.
  CHECK(op_named(layer_of(qwen, 0), "qk_norm").output_elements == 64LL * 10 * 128);
}

TEST_CASE("embedding and head divide the vocabulary") {
  const OpGraph graph = build_ops(shipped_model("gpt2"), {.seq = 100, .tensor = 8});
  const Block& head = graph.blocks[static_cast<std::size_t>(graph.head_block)];
  CHECK(names(head) == std::vector<std::string>{"final_norm", "head", "loss"});
  // 50,257 / 8 is 6,282.1: the table is padded to 8 x 6,283 rows.
  CHECK(kernel<base::Gemm>(op_named(head, "head").forward) ==
        base::Gemm{.m = 100, .n = 6283, .k = 768});
  CHECK(op_named(head, "head").parameters == 0);  // tied
  // Loss: 2 + 7 x 4 bytes a logit forward, 2 + 3 x 4 backward; softmax kept in fp32.
  CHECK(traffic(op_named(head, "loss").forward) == 100LL * 6283 * 30);
  CHECK(traffic(op_named(head, "loss").backward_input) == 100LL * 6283 * 14);
  CHECK(op_named(head, "loss").saved_bytes == 100 * 6283 * 4 + 100 * 8);
  const Block& embedding = graph.blocks[static_cast<std::size_t>(graph.embedding_block)];
  CHECK(embedding.ops[0].parameters == (50'257LL + 1'024) * 768);
  CHECK(embedding.ops[0].reduces_output);
}

TEST_CASE("only GEMM inputs are narrower than sixteen bits") {
  const OpGraph graph =
      build_ops(shipped_model("llama-3.1-8b"), {.seq = 64, .dtype = base::DType::fp8});
  const Block& layer = layer_of(graph, 0);
  const Op& up = op_named(layer, "mlp_up");
  const auto& gemm = std::get<base::Gemm>(up.forward.back());
  CHECK(gemm.dtype == base::DType::fp8);
  CHECK(gemm.output == base::DType::bf16);
  CHECK(kernel<base::Attention>(op_named(layer, "attention").forward).dtype == base::DType::bf16);
  CHECK(traffic(op_named(layer, "mlp_norm").forward) == 2LL * 64 * 4096 * 2);
}

// A cast reads 2 bytes an element and writes 1 twice, by rows and by columns; scales of 4 bytes for
// 128 elements or of 1 for 32 or 16 come on top, and a pass for the maximum of the tensor.
TEST_CASE("casts in front of narrow matrix products, by how they are scaled") {
  const std::int64_t elements = 64 * 4096;  // the input of mlp_up
  const auto cast_bytes = [&](base::DType type, Scaling scaling) {
    const OpGraph graph =
        build_ops(shipped_model("llama-3.1-8b"), {.seq = 64, .dtype = type, .scaling = scaling});
    return std::get<base::MemoryBound>(op_named(layer_of(graph, 0), "mlp_up").forward.front())
        .bytes.count();
  };
  CHECK(cast_bytes(base::DType::fp8, Scaling::delayed) == elements * (2 + 2));
  CHECK(cast_bytes(base::DType::fp8, Scaling::current) == elements * (2 + 2 + 2));
  CHECK(cast_bytes(base::DType::fp8, Scaling::blockwise) == elements * (2 + 2) + elements / 16);
  CHECK(cast_bytes(base::DType::fp8, Scaling::mx) == elements * (2 + 2) + elements / 16);
  CHECK(cast_bytes(base::DType::fp4, Scaling::nv) == elements * (2 + 2 + 1) + elements / 8);
}

TEST_CASE("what a narrow matrix product keeps is its cast input; the head stays wide") {
  const OpGraph graph =
      build_ops(shipped_model("llama-3.1-8b"), {.seq = 64, .dtype = base::DType::fp8});
  const Op& up = op_named(layer_of(graph, 0), "mlp_up");
  CHECK((up.saved_elements == 0 && up.saved_bytes == 64 * 4096));
  const Block& head = graph.blocks[static_cast<std::size_t>(graph.head_block)];
  CHECK(kernel<base::Gemm>(op_named(head, "head").forward).dtype == base::DType::bf16);
}

TEST_CASE("projections apart are matrices of their own") {
  const OpGraph graph =
      build_ops(shipped_model("llama-3.1-8b"), {.seq = 64, .fused_projections = false});
  const Block& layer = layer_of(graph, 0);
  CHECK(kernel<base::Gemm>(op_named(layer, "q_projection").forward).n == 4096);
  CHECK(kernel<base::Gemm>(op_named(layer, "k_projection").forward).n == 1024);
  CHECK(kernel<base::Gemm>(op_named(layer, "mlp_gate").forward).n == 14336);
  const auto parameters = [](const Block& block) {
    std::int64_t sum = 0;
    for (const Op& op : block.ops) sum += op.parameters;
    return sum;
  };
  const OpGraph fused = build_ops(shipped_model("llama-3.1-8b"), {.seq = 64});
  CHECK(parameters(layer) == parameters(layer_of(fused, 0)));
}

TEST_CASE("counts that would leave 64 bits are told beforehand") {
  const ModelSpec model = shipped_model("llama-3.1-405b");
  CHECK(countable(model, {.batch = 64, .seq = 131'072}));
  CHECK_FALSE(countable(model, {.batch = 1'000'000, .seq = 100'000'000}));
}

}  // namespace
}  // namespace strategies
