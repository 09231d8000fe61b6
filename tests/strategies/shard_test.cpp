#include "strategies/shard.hpp"

#include <numeric>

#include "tests/support/catch.hpp"

namespace strategies {
namespace {

// A GPT layer of hidden 1,024 on 2 sequences of 512 tokens: the hidden states are
// 2 x 512 x 1024 x 2 bytes = 2 MiB.
constexpr std::int64_t hidden_bytes = 2LL * 1024 * 1024;

ModelSpec small_gpt() {
  ModelSpec model;
  model.name = "small";
  model.hidden = 1024;
  model.ffn = 4096;
  model.heads = model.kv_heads = 16;
  model.head_dim = 64;
  model.vocab = 32000;
  model.positions = 512;
  model.gated = false;
  model.layers.resize(4);
  return model;
}

Plan plan_with(int tensor, bool sequence_parallel) {
  Plan plan;
  plan.tensor = tensor;
  plan.data = 1;
  plan.sequence_parallel = sequence_parallel;
  plan.micro_batch = 2;
  plan.global_batch = 2;
  plan.sequence = 512;
  return plan;
}

struct Traffic {
  int count = 0;
  std::int64_t bytes = 0;
};

Traffic traffic(const std::vector<Work>& works, base::Collective op) {
  Traffic sum;
  for (const Work& work : works) {
    if (!work.communication || work.communication->op != op) continue;
    sum.count += 1;
    sum.bytes += work.communication->bytes.count();
  }
  return sum;
}

const ShardedBlock& layer(const ShardedGraph& graph) {
  return graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
}

TEST_CASE("one rank alone says nothing") {
  const ShardedGraph graph = shard(small_gpt(), plan_with(1, false));
  for (const ShardedBlock& block : graph.blocks) {
    for (const Work& work : block.forward) CHECK_FALSE(work.communication);
    for (const Work& work : block.backward) CHECK_FALSE(work.communication);
  }
}

TEST_CASE("tensor parallel: two all-reduces of the hidden states each way") {
  const ShardedGraph graph = shard(small_gpt(), plan_with(4, false));
  const Traffic forward = traffic(layer(graph).forward, base::Collective::all_reduce);
  const Traffic backward = traffic(layer(graph).backward, base::Collective::all_reduce);
  CHECK((forward.count == 2 && forward.bytes == 2 * hidden_bytes));
  CHECK((backward.count == 2 && backward.bytes == 2 * hidden_bytes));
  CHECK(graph.boundary.count() == hidden_bytes);
}

TEST_CASE(
    "sequence parallel: as many bytes on a ring as the all-reduces it replaces, plus the "
    "re-gather") {
  const ShardedGraph graph = shard(small_gpt(), plan_with(4, true));
  // An all-reduce is a reduce-scatter and an all-gather: 2 + 2 for the two of forward.
  CHECK(traffic(layer(graph).forward, base::Collective::all_gather).bytes == 2 * hidden_bytes);
  CHECK(traffic(layer(graph).forward, base::Collective::reduce_scatter).bytes == 2 * hidden_bytes);
  CHECK(traffic(layer(graph).forward, base::Collective::all_reduce).count == 0);
  // Backward gathers two gradients, and two inputs again for the weight gradients.
  CHECK(traffic(layer(graph).backward, base::Collective::all_gather).bytes == 4 * hidden_bytes);
  CHECK(traffic(layer(graph).backward, base::Collective::reduce_scatter).bytes == 2 * hidden_bytes);
  CHECK(graph.boundary.count() == hidden_bytes / 4);
}

TEST_CASE("scattered messages carry a tensor rank's share, which is gathered behind them") {
  Plan plan = plan_with(4, false);
  CHECK_FALSE(shard(small_gpt(), plan).behind_message);
  plan.scatters_messages = true;
  const ShardedGraph graph = shard(small_gpt(), plan);
  CHECK(graph.boundary.count() == hidden_bytes / 4);
  REQUIRE(graph.behind_message);
  CHECK(graph.behind_message->op == base::Collective::all_gather);
  CHECK(graph.behind_message->bytes.count() == hidden_bytes);
  // With sequence parallelism each rank has its share only.
  plan.sequence_parallel = true;
  CHECK_FALSE(shard(small_gpt(), plan).behind_message);
}

TEST_CASE("parameters of a rank: matrices divided, norms whole") {
  const ModelSpec model = small_gpt();
  // 12 h^2 in four matrices, 2 h in two norms.
  const std::int64_t matrices = 12LL * 1024 * 1024;
  CHECK(layer(shard(model, plan_with(1, false))).parameters == matrices + 2LL * 1024);
  CHECK(layer(shard(model, plan_with(4, false))).parameters == matrices / 4 + 2LL * 1024);
}

TEST_CASE("the tensors of a block are its parameters, experts apart") {
  ModelSpec model = small_gpt();
  model.mixture = Mixture{.experts = 8, .experts_per_token = 2, .expert_ffn = 1024};
  model.layers[1].mixture = true;
  Plan plan = plan_with(2, false);
  plan.expert.degree = GENERATE(1, 2);
  for (const ShardedBlock& block : shard(model, plan).blocks) {
    const auto sum = [](const std::vector<std::int64_t>& tensors) {
      return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0});
    };
    CHECK(sum(block.parameter_tensors) == block.parameters);
    CHECK(sum(block.expert_tensors) == block.expert_parameters);
    CHECK((block.expert_parameters > 0) == (plan.expert.degree > 1 && block.name == "moe_layer"));
  }
  // A dense layer: two norms, the matrices qkv, output, up and down.
  CHECK(layer(shard(model, plan)).parameter_tensors.size() == 6);
  plan.fused_projections = false;
  CHECK(layer(shard(model, plan)).parameter_tensors.size() == 8);
}

TEST_CASE("recompute keeps less and computes more") {
  Plan plan = plan_with(1, false);
  plan.flash_attention = false;
  const ShardedGraph none = shard(small_gpt(), plan);
  plan.recompute = Recompute::selective;
  const ShardedGraph selective = shard(small_gpt(), plan);
  plan.recompute = Recompute::full;
  const ShardedGraph full = shard(small_gpt(), plan);
  CHECK(layer(full).saved.count() == hidden_bytes);
  CHECK(layer(full).saved < layer(selective).saved);
  CHECK(layer(selective).saved < layer(none).saved);
  // Beside what runs again both hold the gradients of one operator.
  CHECK(layer(none).saved ==
        layer(selective).saved + layer(selective).working - layer(none).working);
  CHECK(none.recompute_flop.count() == 0);
  CHECK(selective.recompute_flop < full.recompute_flop);
  // Full recompute is one more forward of the layers: a third of forward and backward, head aside.
  const base::Flop model = model_flop(small_gpt(), plan);
  const double head = 6.0 * 1024 * 32000 * 1024;  // 6 h V for each of 1,024 tokens
  CHECK(full.recompute_flop.count() == Approx((model.count() - head) / 3));
}

TEST_CASE("weight gradients are added up by their products or by a kernel of its own") {
  const auto weight_gradient = [](const Plan& plan) {
    const ShardedGraph graph = shard(small_gpt(), plan);
    for (const Work& work : layer(graph).backward_weight)
      if (work.label == "mlp_down weight gradient") return work.kernels;
    return std::vector<base::Kernel>{};
  };
  Plan plan = plan_with(1, false);
  plan.global_batch = 4;  // two micro-batches
  // The matrix product has fp32 sums of 4,096 x 1,024 and reads what is there.
  const std::vector<base::Kernel> fused = weight_gradient(plan);
  REQUIRE(fused.size() == 1);
  CHECK(std::get<base::Gemm>(fused[0]).adds);
  CHECK(std::get<base::Gemm>(fused[0]).output == base::DType::fp32);
  // Or it writes bf16, and a kernel reads that and the sum and writes the sum: 2 + 4 + 4 bytes.
  plan.execution.fused_accumulation = false;
  const std::vector<base::Kernel> apart = weight_gradient(plan);
  REQUIRE(apart.size() == 2);
  CHECK_FALSE(std::get<base::Gemm>(apart[0]).adds);
  CHECK(std::get<base::Gemm>(apart[0]).output == base::DType::bf16);
  CHECK(std::get<base::MemoryBound>(apart[1]).bytes.count() == 10LL * 4096 * 1024);
  // One micro-batch has nothing to add to; FSDP reduces each.
  plan.global_batch = 2;
  CHECK(weight_gradient(plan).size() == 1);
  plan.global_batch = 4;
  plan.zero = 3;
  CHECK(weight_gradient(plan).size() == 1);
}

// P parameters of a layer in 16 bits, gradients in fp32. Parameters that are sharded one by one are
// read and written once behind each gathering, 4 P bytes, and their gradients read in 16 bits and
// written in 32, 6 P. Views of a flat one are put together (4 P), cast (6 P), divided (8 P).
TEST_CASE("fully sharded data parallel copies parameters and gradients as they lie") {
  Plan plan = plan_with(1, false);
  plan.zero = 3;
  plan.data = 4;
  plan.global_batch = 8;
  const auto copied = [&](bool forward) {
    const ShardedGraph graph = shard(small_gpt(), plan);
    const ShardedBlock& layer = graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
    double bytes = 0;
    for (const Work& work : forward ? layer.forward : layer.backward)
      if (work.label.starts_with("copy"))
        bytes += std::get<base::MemoryBound>(work.kernels.front()).bytes.as_double();
    return bytes / static_cast<double>(layer.parameters);
  };
  CHECK(copied(true) == Approx(4));
  CHECK(copied(false) == Approx(4 + 6));
  plan.fsdp.ranks_after_forward = 1;  // stays gathered
  CHECK(copied(false) == Approx(6));
  plan.execution.fsdp_layout = FsdpLayout::flat;
  CHECK(copied(true) == 0);
  CHECK(copied(false) == Approx(4 + 6 + 8));
  plan.execution.fsdp_layout = FsdpLayout::buffer;
  CHECK(copied(false) == 0);
  plan.execution.fsdp_layout = FsdpLayout::per_parameter;
  plan.zero = 2;
  CHECK(copied(false) == 0);
}

TEST_CASE("eager kernels move more bytes, matrix products as many") {
  Plan plan = plan_with(1, false);
  const ShardedGraph fused = shard(small_gpt(), plan);
  plan.execution.elementwise_traffic = 1.5;
  const ShardedGraph eager = shard(small_gpt(), plan);
  const auto bytes = [](const ShardedGraph& graph, const char* label) {
    for (const Work& work : layer(graph).forward)
      if (work.label == label) return bytes_of(work.kernels.front()).count();
    return std::int64_t{0};
  };
  // Reads and writes 1,024 x 1,024 of 2 bytes.
  CHECK(bytes(fused, "attention_norm") == 2 * hidden_bytes);
  CHECK(bytes(eager, "attention_norm") == 3 * hidden_bytes);
  CHECK(bytes(eager, "mlp_down") == bytes(fused, "mlp_down"));
}

TEST_CASE("asynchronous tensor parallelism computes one part with nothing beside it") {
  Plan plan = plan_with(4, true);
  const auto works = [&](TensorOverlap overlap, const char* label) {
    plan.overlap.tensor = overlap;
    std::vector<Work> found;
    const ShardedGraph graph = shard(small_gpt(), plan);
    for (const Work& work : layer(graph).forward)
      if (work.label == label) found.push_back(work);
    return found;
  };
  // 1,024 tokens on 4 ranks: three parts of 256 while tokens are gathered, one behind them; the
  // other way round where sums are scattered.
  const std::vector<Work> gathered = works(TensorOverlap::parts, "mlp_up");
  REQUIRE(gathered.size() == 2);
  CHECK(gathered[0].kernels.size() == 3);
  CHECK(std::get<base::Gemm>(gathered[0].kernels[0]).m == 256);
  CHECK(gathered[0].communication->op == base::Collective::all_gather);
  CHECK(gathered[1].kernels.size() == 1);
  CHECK_FALSE(gathered[1].communication);
  const std::vector<Work> scattered = works(TensorOverlap::parts, "mlp_down");
  REQUIRE(scattered.size() == 2);
  CHECK_FALSE(scattered[0].communication);
  CHECK(scattered[1].kernels.size() == 3);
  CHECK(scattered[1].communication->op == base::Collective::reduce_scatter);
  // The own part beside the gather, then 768 tokens; what is scattered waits for all.
  const std::vector<Work> own = works(TensorOverlap::own_part, "mlp_up");
  REQUIRE(own.size() == 2);
  CHECK(std::get<base::Gemm>(own[0].kernels[0]).m == 256);
  CHECK(own[0].communication);
  CHECK(std::get<base::Gemm>(own[1].kernels[0]).m == 768);
  CHECK(works(TensorOverlap::own_part, "mlp_down").size() == 1);
}

TEST_CASE("single matrices can be recomputed by name") {
  Plan plan = plan_with(1, false);
  plan.fused_projections = false;
  plan.recompute = Recompute::operators;
  plan.recompute_operators = {"k_projection"};
  // 2 x 1,024 x 1,024 x 1,024 in each of four layers.
  CHECK(shard(small_gpt(), plan).recompute_flop.count() == Approx(4 * 2.0 * 1024 * 1024 * 1024));
  plan.recompute_operators = {"qkv_projection"};
  CHECK(shard(small_gpt(), plan).recompute_flop.count() ==
        Approx(3 * 4 * 2.0 * 1024 * 1024 * 1024));
}

base::Flop forward_flop(const ShardedGraph& graph) {
  base::Flop sum;
  const auto add = [&](int block) {
    for (const Work& work : graph.blocks[static_cast<std::size_t>(block)].forward)
      for (const base::Kernel& kernel : work.kernels) sum += flop_of(kernel);
  };
  add(graph.embedding_block);
  for (const int block : graph.layer_block) add(block);
  add(graph.head_block);
  return sum;
}

TEST_CASE("model FLOPs: six a parameter and token, and the scores of causal attention") {
  const ModelSpec model = small_gpt();
  const Plan plan = plan_with(1, false);
  // 12 h^2 in the matrices of a layer, h V in the head; scores 2 x 2 h a visible pair, three times.
  const double tokens = 2 * 512;
  const double pairs = 2 * 512 * 513 / 2;
  const double matrices = 4 * 12 * 1024.0 * 1024 + 1024.0 * 32000;
  CHECK(model_flop(model, plan).count() ==
        Approx(6 * tokens * matrices + 3 * 4 * 4 * 1024 * pairs).epsilon(1e-12));
}

TEST_CASE("however a model is cut, its ranks together do the same work") {
  const double whole = forward_flop(shard(small_gpt(), plan_with(1, false))).count();
  CHECK(3 * whole == Approx(model_flop(small_gpt(), plan_with(1, false)).count()).epsilon(1e-12));
  CHECK(8 * forward_flop(shard(small_gpt(), plan_with(8, true))).count() ==
        Approx(whole).epsilon(1e-9));
  Plan plan = plan_with(2, true);
  plan.context = {.degree = 4, .attention = ContextAttention::ulysses, .ulysses = 4};
  CHECK(8 * forward_flop(shard(small_gpt(), plan)).count() == Approx(whole).epsilon(1e-9));
}

TEST_CASE("layers are cut into virtual stages as Megatron does") {
  Plan plan = plan_with(1, false);
  plan.pipeline = 2;
  plan.schedule = ScheduleKind::interleaved;
  plan.virtual_stages = 2;
  const auto cut = cut_layers(plan, small_gpt());
  // Virtual stages 0..3 of one layer each: stage 0 has layers 0 and 2, stage 1 has 1 and 3.
  CHECK((cut[0][0].first_layer == 0 && cut[0][1].first_layer == 2));
  CHECK((cut[1][0].first_layer == 1 && cut[1][1].first_layer == 3));
  CHECK((cut[0][0].embedding && !cut[0][0].head && cut[1][1].head && !cut[0][1].head));

  ModelSpec six = small_gpt();
  six.layers.resize(6);
  plan.schedule = ScheduleKind::one_f_one_b;
  plan.pipeline = 4;
  plan.account_for_embedding = plan.account_for_loss = true;
  const auto even = cut_layers(plan, six);  // 6 + 2 = 8 units on 4 stages
  CHECK(even[0][0].end_layer - even[0][0].first_layer == 1);
  CHECK(even[1][0].end_layer - even[1][0].first_layer == 2);
  CHECK(even[3][0].end_layer - even[3][0].first_layer == 1);
  CHECK(even[3][0].end_layer == 6);
}

}  // namespace
}  // namespace strategies
