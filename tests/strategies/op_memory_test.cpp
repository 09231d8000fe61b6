#include <numeric>

#include "strategies/op_graph.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

std::int64_t saved_by_layer(const ModelSpec& model, const OpOptions& options) {
  const OpGraph graph = build_ops(model, options);
  const Block& layer = graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
  std::int64_t bytes = 0;
  for (const Op& op : layer.ops) bytes += 2 * op.saved_elements + op.saved_bytes;
  return bytes;
}

// Korthikanti et al. 2022 (arXiv 2205.05198), 16-bit activations, dropout, attention not fused.
// The paper leaves out the mean and 1/sigma of the two norms: 2 x 8 bytes a token.
TEST_CASE("what a GPT layer keeps is the formula of Korthikanti et al.") {
  const ModelSpec model = shipped_model("gpt-22b.yaml");
  const double s = 2048, b = 4, h = 6144, a = 64, t = 8;
  OpOptions options{.batch = 4, .seq = 2048, .flash_attention = false};
  const double statistics = 16 * s * b;

  // Equation 1: s b h (34 + 5 a s / h) = 6.98 GB.
  const double whole = s * b * h * (34 + 5 * a * s / h);
  CHECK(static_cast<double>(saved_by_layer(model, options)) ==
        Approx(whole + statistics).epsilon(1e-12));

  // Equation 2, tensor parallel: s b h (10 + 24/t + 5 a s / (h t)).
  options.tensor = 8;
  const double tensor = s * b * h * (10 + 24 / t + 5 * a * s / (h * t));
  CHECK(static_cast<double>(saved_by_layer(model, options)) ==
        Approx(tensor + statistics).epsilon(1e-12));

  // Equation 4, and sequence parallel: s b h / t (34 + 5 a s / h).
  options.sequence_parallel = true;
  CHECK(static_cast<double>(saved_by_layer(model, options)) ==
        Approx((whole + statistics) / t).epsilon(1e-12));

  // Without the 5 a s^2 b / t of the attention scores, as with selective recompute: 34 s b h / t.
  // Fused attention keeps one fp32 log-sum-exp per head and token.
  options.flash_attention = true;
  CHECK(static_cast<double>(saved_by_layer(model, options)) ==
        Approx((34 * s * b * h + statistics + 4 * a * s * b) / t).epsilon(1e-12));
}

// The same sum for a gated MLP of width f, k key-value heads of width d and RMS norms, no dropout:
// norms 2h, inputs of the projections h + ad + h + f, queries, keys and values (a + 2k) d, gate and
// up 2f elements; 2 x 4 bytes of 1/sigma and 4a bytes of log-sum-exp a token.
TEST_CASE("what a Llama layer keeps") {
  const std::int64_t s = 8192, h = 4096, a = 32, k = 8, d = 128, f = 14336;
  const std::int64_t elements = 4 * h + a * d + (a + 2 * k) * d + 3 * f;
  const std::int64_t bytes = s * (2 * elements + 8 + 4 * a);
  const ModelSpec model = shipped_model("llama-3.1-8b");
  CHECK(saved_by_layer(model, {.batch = 1, .seq = s}) == bytes);
  CHECK(saved_by_layer(model, {.batch = 1, .seq = s, .tensor = 4, .sequence_parallel = true}) ==
        bytes / 4);
}

// An activation that is a kernel of its own leaves what it makes for the product with the other
// half: f elements a token more. An MLP without a gate has no such product.
TEST_CASE("an activation apart from its product keeps one tensor more") {
  const std::int64_t s = 512, f = 14336;
  const auto more = [&](const char* name, int tensor) {
    OpOptions options{.batch = 1, .seq = s, .tensor = tensor};
    const std::int64_t fused = saved_by_layer(shipped_model(name), options);
    options.fused_gate = false;
    return saved_by_layer(shipped_model(name), options) - fused;
  };
  CHECK(more("llama-3.1-8b", 1) == 2 * s * f);
  CHECK(more("llama-3.1-8b", 4) == 2 * s * f / 4);
  CHECK(more("gpt-22b.yaml", 1) == 0);
}

// Without dropout unfused attention keeps the softmax only: 2 a s^2 b bytes of the 5.
TEST_CASE("unfused attention without dropout keeps two bytes a score") {
  ModelSpec model = shipped_model("gpt-22b.yaml");
  model.dropout = 0;
  const std::int64_t s = 512, a = 64;
  const std::int64_t fused = saved_by_layer(model, {.batch = 1, .seq = s});
  const std::int64_t unfused =
      saved_by_layer(model, {.batch = 1, .seq = s, .flash_attention = false});
  CHECK(unfused - fused == 2 * a * s * s - 4 * a * s);
}

// The MLP of Falcon-7B reads the norm that the attention has saved; NeoX has a norm for each.
TEST_CASE("a tensor that two operators need is kept once") {
  const std::int64_t s = 128, h = 4544, a = 71, d = 64;
  // Norm, its output, queries, one key and value head, attention's output, 4h in and out of GELU.
  const std::int64_t elements = h + h + (a + 2) * d + a * d + 8 * h;
  CHECK(saved_by_layer(shipped_model("falcon-7b"), {.batch = 1, .seq = s}) ==
        s * (2 * elements + 8 + 4 * a));
}

// Rows of experts are kept at four places: in front of the up projection, after it (gate and up),
// before the down projection, and weighted; the router keeps its input and its fp32 scores.
TEST_CASE("what a mixture layer keeps beyond attention") {
  const std::int64_t s = 1024, h = 4096, f = 14336, experts = 8, top = 2;
  const ModelSpec model = shipped_model("mixtral-8x7b");
  const OpGraph graph = build_ops(model, {.batch = 1, .seq = s});
  std::int64_t bytes = 0;
  for (const Op& op : graph.blocks[1].ops)
    if (op.kind >= OpKind::router && op.kind <= OpKind::combine)
      bytes += 2 * op.saved_elements + op.saved_bytes;
  const std::int64_t rows = s * top;
  CHECK(bytes == 2 * s * h + 4 * s * experts + 8 * rows + 2 * rows * (h + 2 * f + f + h));
}

// Section 4.3 there: dropout mask s b h of the embedding; 4 s b h of the final norm's and the
// head's inputs and 4 s b v of fp32 logits, all over t; ours adds token ids, targets, statistics.
TEST_CASE("what embedding and head keep") {
  const ModelSpec model = shipped_model("gpt-22b.yaml");
  const std::int64_t s = 2048, b = 4, h = 6144, v = 51200, t = 8;
  const OpGraph graph =
      build_ops(model, {.batch = b, .seq = s, .tensor = t, .sequence_parallel = true});
  const auto saved = [&](int block) {
    const std::vector<Op>& ops = graph.blocks[static_cast<std::size_t>(block)].ops;
    return std::accumulate(ops.begin(), ops.end(), std::int64_t{0},
                           [](std::int64_t sum, const Op& op) {
                             return sum + 2 * op.saved_elements + op.saved_bytes;
                           });
  };
  CHECK(saved(graph.embedding_block) == s * b * h / t + 8 * s * b);
  CHECK(saved(graph.head_block) == (4 * s * b * h + 4 * s * b * v + 8 * s * b) / t + 8 * s * b);
}

}  // namespace
}  // namespace strategies
