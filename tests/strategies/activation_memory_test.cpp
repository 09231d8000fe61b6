#include "strategies/shard.hpp"
#include "tests/strategies/model_files.hpp"

/// Activation memory of a GPT layer against the closed forms of two papers, as shard() gives it:
/// with recompute accounted for, and split between the two parts of a backward.
namespace strategies {
namespace {

/// A model of Korthikanti et al. 2022 (arXiv 2205.05198), table 3, and its micro-batch.
struct Published {
  const char* name;
  int layers;
  std::int64_t hidden;
  int heads;
  int micro_batch;
};

const Published models[] = {{"22B", 48, 6144, 64, 4},
                            {"175B", 96, 12288, 96, 1},
                            {"530B", 105, 20480, 128, 1},
                            {"1T", 128, 25600, 160, 1}};
constexpr int tensor = 8;
constexpr std::int64_t sequence = 2048;

ModelSpec model_of(const Published& published) {
  ModelSpec model = shipped_model("gpt-22b.yaml");
  model.name = published.name;
  model.hidden = published.hidden;
  model.ffn = 4 * published.hidden;
  model.heads = model.kv_heads = published.heads;
  model.head_dim = published.hidden / published.heads;
  model.layers.assign(static_cast<std::size_t>(published.layers), LayerKind{});
  return model;
}

struct Setting {
  int tensor = 1;
  bool sequence_parallel = false;
  Recompute recompute = Recompute::none;
};

ShardedBlock layer_of(const Published& published, const Setting& setting) {
  Plan plan;
  plan.data = 1;
  plan.tensor = setting.tensor;
  plan.sequence_parallel = setting.sequence_parallel;
  plan.recompute = setting.recompute;
  plan.sequence = sequence;
  plan.micro_batch = published.micro_batch;
  plan.global_batch = published.micro_batch;
  plan.flash_attention = false;
  plan.precision.compute = base::DType::fp16;
  const ShardedGraph graph = shard(model_of(published), plan);
  return graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
}

double saved(const Published& published, const Setting& setting) {
  return layer_of(published, setting).saved.as_double();
}

/// s b h of the paper, bytes of a tensor of one byte an element.
double tokens_by_hidden(const Published& published) {
  return static_cast<double>(sequence * published.micro_batch * published.hidden);
}

/// 5 a s / h of the paper: scores, their softmax and dropout against the hidden width.
double scores(const Published& published) {
  return 5.0 * published.heads * static_cast<double>(sequence) /
         static_cast<double>(published.hidden);
}

/// What the paper leaves out: fp32 mean and 1/sigma of two norms, 16 bytes a token.
double statistics(const Published& published) {
  return 16.0 * static_cast<double>(sequence * published.micro_batch);
}

TEST_CASE("layers of the models of Korthikanti et al. keep what their formulas say") {
  const double t = tensor;
  for (const Published& one : models) {
    INFO(one.name);
    const double sbh = tokens_by_hidden(one);
    const double extra = statistics(one);
    const auto close_to = [](double bytes) { return Approx(bytes).epsilon(1e-12); };
    // Equation 1, without parallelism.
    CHECK(saved(one, {}) == close_to(sbh * (34 + scores(one)) + extra));
    // Equation 2, tensor parallel: norms, dropout and the inputs of matrices are not divided.
    CHECK(saved(one, {tensor}) == close_to(sbh * (10 + 24 / t + scores(one) / t) + extra));
    // Equation 4, and sequence parallel: everything is.
    CHECK(saved(one, {tensor, true}) == close_to((sbh * (34 + scores(one)) + extra) / t));
    // Selective recompute: without the scores. So too without sequence parallelism.
    CHECK(saved(one, {tensor, true, Recompute::selective}) == close_to((sbh * 34 + extra) / t));
    CHECK(saved(one, {tensor, false, Recompute::selective}) ==
          close_to(sbh * (10 + 24 / t) + extra));
    // Full recompute keeps the input of the layer, 2 s b h. With sequence parallelism each rank has
    // its share of it only, where the paper has the whole.
    CHECK(saved(one, {tensor, false, Recompute::full}) == close_to(2 * sbh));
    CHECK(saved(one, {tensor, true, Recompute::full}) == close_to(2 * sbh / t));
  }
}

TEST_CASE("selective recompute saves 70 % of GPT-3's and 65 % of MT-NLG's activations") {
  // 5 a s / h is 80 and 64: 80 / (34 + 80) and 64 / (34 + 64). Statistics are 16 of some 10^6 bytes
  // a token.
  const auto share = [](const Published& one) {
    return 1 - saved(one, {tensor, true, Recompute::selective}) / saved(one, {tensor, true});
  };
  CHECK(share(models[1]) == Approx(80.0 / 114).epsilon(1e-4));
  CHECK(share(models[2]) == Approx(64.0 / 98).epsilon(1e-4));
}

TEST_CASE("both techniques together make the activations five times smaller") {
  // The abstract's "5x": (10 + 24 / 8 + x / 8) / (34 / 8) for x = 106.7, 80, 64, 64: 6.2, 5.4, 4.9,
  // 4.9.
  const double expected[] = {6.196, 5.412, 4.941, 4.941};
  for (std::size_t i = 0; i < std::size(models); ++i) {
    INFO(models[i].name);
    CHECK(saved(models[i], {tensor}) / saved(models[i], {tensor, true, Recompute::selective}) ==
          Approx(expected[i]).epsilon(1e-3));
  }
}

TEST_CASE("between the input and the weight gradient a layer keeps 32 s b h") {
  // Zero bubble (arXiv 2401.10241), table 1: a backward needs s b (34 h + 5 a s) bytes, and 32 s b
  // h of them, inputs of the four matrices (1 + 1 + 1 + 4) h and gradients of their outputs (3 + 1
  // + 4 + 1) h, two bytes each, wait for the weight gradient.
  for (const Published& one : models) {
    INFO(one.name);
    const ShardedBlock layer = layer_of(one, {});
    CHECK(layer.kept_for_weight.as_double() == tokens_by_hidden(one) * 32);
    CHECK(layer.kept_for_weight < layer.saved);  // M_W < M_B
  }
}

TEST_CASE("flops of a forward, an input and a weight gradient") {
  // Table 1 there: s b h (24 h + 4 s), (24 h + 8 s) and 24 h. Ours sees half of the scores, for
  // they are causal: s (s + 1) / 2 pairs of s^2; its backward of the attention has five products
  // for two of the forward where the paper counts four, the scores once more.
  const auto flop = [](const std::vector<Work>& works) {
    double sum = 0;
    for (const Work& work : works)
      for (const base::Kernel& kernel : work.kernels) sum += flop_of(kernel).count();
    return sum;
  };
  for (const Published& one : models) {
    INFO(one.name);
    const ShardedBlock layer = layer_of(one, {});
    const auto s = static_cast<double>(sequence);
    const double sbh = tokens_by_hidden(one);
    const double matrices = 24 * static_cast<double>(one.hidden);
    const double visible = (s + 1) / 2 / s;
    CHECK(flop(layer.forward) == Approx(sbh * (matrices + 4 * s * visible)));
    CHECK(flop(layer.backward_input) == Approx(sbh * (matrices + 8 * s * visible * 5 / 4)));
    CHECK(flop(layer.backward_weight) == Approx(sbh * matrices));
  }
}

}  // namespace
}  // namespace strategies
