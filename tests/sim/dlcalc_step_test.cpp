#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/kernel.hpp"
#include "sim/scenario.hpp"
#include "sim/schedule/play.hpp"
#include "tests/sim/dlcalc_vectors.hpp"
#include "topology/hardware.hpp"

/// What dlcalc computes and sends in a step, and what we do.
namespace sim::dlcalc {
namespace {

using base::Collective;
using strategies::Axis;

/// dlcalc's figures of the node types of its vectors; rates one way, per GPU.
struct Machine {
  double peak;        ///< FLOP/s
  double achievable;  ///< of the peak
  double memory;      ///< bytes/s
  double intra;
  double inter;
};
constexpr double intra_latency = 3e-6;
constexpr double inter_latency = 30e-6;

const Machine& machine_of(const Vector& one) {
  static const std::map<std::string, Machine> machines{
      {"p4d.24xlarge", {312e12, 0.869, 1555e9, 300e9, 6.25e9}},
      {"p5.48xlarge", {989e12, 0.803, 3350e9, 450e9, 50e9}},
      {"p6-b200.48xlarge", {2250e12, 0.776, 4916e9, 900e9, 50e9}}};
  return machines.at(one.input.node_type);
}

/// FLOPs that dlcalc charges with a time, where a kernel is bound by them.
double flop_in(const Vector& one, double seconds) {
  return seconds * machine_of(one).peak * machine_of(one).achievable;
}

/// Bytes that one rank sends in each of `steps` steps of a ring.
double bytes_a_step(double seconds, double steps, double latency, double rate) {
  return (seconds / steps - latency) * rate;
}

double flop_of_works(const std::vector<strategies::Work>& works, const std::string& label) {
  double sum = 0;
  for (const strategies::Work& work : works)
    if (work.label.starts_with(label))
      for (const base::Kernel& kernel : work.kernels) sum += base::flop_of(kernel).count();
  return sum;
}

/// Memory traffic of all kernels of so labelled works.
double traffic_of_works(const std::vector<strategies::Work>& works, const std::string& label) {
  double sum = 0;
  for (const strategies::Work& work : works)
    if (work.label.starts_with(label))
      for (const base::Kernel& kernel : work.kernels) sum += base::bytes_of(kernel).as_double();
  return sum;
}

double bytes_of_works(const std::vector<strategies::Work>& works, Collective op,
                      strategies::AxisSet axes) {
  double sum = 0;
  for (const strategies::Work& work : works)
    if (work.communication && work.communication->op == op && work.communication->axes == axes)
      sum += work.communication->bytes.as_double();
  return sum;
}

TEST_CASE("bubbles") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::Plan& plan = one.plan();
    const schedule::CellTimes times{.forward = 1.0 / plan.virtual_stages,
                                    .backward = 2.0 / plan.virtual_stages};
    const double work = 3.0 * plan.micro_batches();
    const double ours = schedule::play(table_of(one), times).longest_stage() / work - 1;
    const double theirs = one.number("comm_s", "pipeline_bubble_fraction");
    // gpt-oss again: 5 / 64, where interleaving would make it 5 / (6 x 64).
    CHECK(ours == Approx(one.name == "gpt_oss_120b" ? 6 * theirs : theirs).margin(1e-9));
  }
}

TEST_CASE("messages of tensor parallelism: as many bytes forward, fewer backward") {
  for (const Vector& one : whole_vectors()) {
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), one.plan());
    const strategies::ShardedBlock* layer = block_named(sharded, "layer");
    if (one.plan().tensor == 1 || layer == nullptr) continue;
    INFO(one.name);
    const int ranks = one.plan().tensor;
    const double whole = ranks * bytes_a_step(one.number("comm_s", "tp_ag_time"), ranks - 1,
                                              intra_latency, machine_of(one).intra);
    CHECK(whole == Approx(2.0 * one.context_tokens() * one.hidden()));
    CHECK(one.number("comm_s", "tp_rs_time") == one.number("comm_s", "tp_ag_time"));
    const auto forward = [&](Collective op) {
      return bytes_of_works(layer->forward, op, Axis::tensor);
    };
    const auto backward = [&](Collective op) {
      return bytes_of_works(layer->backward, op, Axis::tensor);
    };
    CHECK(forward(Collective::all_gather) == Approx(2 * whole));
    CHECK(forward(Collective::reduce_scatter) == Approx(2 * whole));
    // Twice the forward there: four of each. Here gradients are gathered twice and inputs once
    // more, unless whole layers run again, and two gradients scattered.
    const bool again = one.plan().recompute == strategies::Recompute::full;
    CHECK(backward(Collective::all_gather) == Approx((again ? 6 : 4) * whole));
    CHECK(backward(Collective::reduce_scatter) == Approx((again ? 4 : 2) * whole));
  }
}

TEST_CASE("messages between stages: the same bytes, but once a chunk and not once a layer") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::Plan& plan = one.plan();
    const double bytes = bytes_a_step(one.number("comm_s", "activation_send_time_s"), 1,
                                      inter_latency, machine_of(one).inter);
    CHECK(strategies::shard(one.model(), plan).boundary.as_double() == Approx(bytes));
    if (plan.pipeline == 1) continue;
    // In the time of every block, forward and twice more (with recompute three times) backward.
    double block = 0;
    const std::string kind = one.mixtures() == one.layers() ? "block_moe_s" : "block_dense_s";
    for (const base::Node::Entry& part : one.node->find(kind)->entries)
      block += one.number(kind, part.key);
    if (one.mixtures() % one.layers() == 0)
      CHECK(one.number("final", "transformer_block_fwd_time") == Approx(block));
    const double passes = plan.recompute == strategies::Recompute::full ? 4 : 3;
    const double charged =
        static_cast<double>(plan.micro_batches() * one.layers() / plan.pipeline) * passes;
    CHECK(one.number("iteration_s", "Transformer Block") ==
          Approx(charged * one.number("final", "transformer_block_fwd_time")));
    // What the schedule's cells send from the first stage: activations to the next, and in
    // interleaved schedules gradients to the last.
    const schedule::ScheduleTable table = table_of(one);
    int sent = 0;
    for (const schedule::Cell& cell : table.stages[0])
      if (cell.passes_on() && table.shape.next({0, cell.chunk}, cell.forward())) ++sent;
    CHECK(sent == plan.micro_batches() * (2 * plan.virtual_stages - 1));
    if (one.name == "llama3_70b") {
      CHECK(charged == 32 * 40 * 3);
      CHECK(sent == 32);
    }
  }
}

TEST_CASE("tokens to experts: the same bytes") {
  for (const Vector& one : whole_vectors()) {
    if (!one.model().mixture) continue;
    INFO(one.name);
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), one.plan());
    const double ranks = one.plan().expert.degree;
    // Off a node only what leaves it counts; ranks of a node that hold different experts.
    const int in_node = 8 / one.expert_tensor();
    const double nodes = std::floor(ranks / in_node);
    const double time = one.number("comm_s", "a2a_time_s");
    const double bytes = nodes <= 1
                             ? (time - intra_latency) * machine_of(one).intra * ranks / (ranks - 1)
                             : (time - inter_latency) * machine_of(one).inter * ranks /
                                   (ranks - 1) * nodes / (nodes - 1);
    // With each row of 16-bit elements ours sends the router's weight, 4 bytes.
    const double weights = bytes / (2.0 * static_cast<double>(one.model().hidden)) * 4;
    const strategies::ShardedBlock* layer = block_named(sharded, "moe_layer");
    CHECK(bytes_of_works(layer->forward, Collective::all_to_all, Axis::expert) ==
          Approx(2 * bytes + weights));
    CHECK(bytes_of_works(layer->backward, Collective::all_to_all, Axis::expert) ==
          Approx(2 * bytes + weights));
  }
}

TEST_CASE("keys and values go round context ranks divided by tensor ranks") {
  int checked = 0;
  for (const Vector& one : whole_vectors()) {
    const int ranks = one.plan().context.degree;
    if (ranks == 1) continue;
    INFO(one.name);
    ++checked;
    const Machine& machine = machine_of(one);
    const double bytes = bytes_a_step(one.number("block_dense_s", "SDPA Ring Exchange"), ranks - 1,
                                      intra_latency, machine.intra);
    CHECK(bytes == Approx(2.0 * 2 * one.context_tokens() * one.key_width()));
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), one.plan());
    CHECK(bytes_of_works(block_named(sharded, "layer")->forward, Collective::send_receive,
                         Axis::ring) == Approx((ranks - 1) * bytes / one.plan().tensor));
  }
  CHECK((checked == 2 || vectors().root.items.empty()));
}

TEST_CASE("gradients: as many bytes, each kind over the ranks that have copies of it") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::Plan& plan = one.plan();
    const std::int64_t its = one.count("params", "per_device");
    CHECK(one.count("comm_s", "param_bucket_numel") == its / one.input.gradient_buckets);
    // A bucket of theirs is reduced over dp, or where there are experts over the ranks that share
    // them, though the rest has other copies; context ranks are left out.
    const double group = static_cast<double>(one.model().mixture ? one.expert_copies() : plan.data);
    const double share = one.number("comm_s", "grad_bucket_reduce_scatter_bw_term_s") *
                         machine_of(one).inter / (group - 1);
    if (!one.input.cross_dc)
      CHECK(share == Approx(4.0 * one.number("comm_s", "param_bucket_numel") / group));
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), plan);
    const Stage stage(plan, sharded, cut_layers(plan, one.model())[0]);
    double reduced = 0;
    std::vector<int> groups;
    for (int chunk = 0; chunk < stage.chunks(); ++chunk)
      for (const Bucket& bucket : stage.buckets(chunk)) {
        reduced += stage.gradient_bytes(bucket.elements).as_double();
        groups.push_back(stage.class_of(bucket).copies());
      }
    CHECK(reduced == 4 * static_cast<double>(held_by(one, sharded, 0).parameters));
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    std::vector<int> expected{plan.data * plan.context.degree};
    if (one.model().mixture)
      expected.insert(expected.begin(), static_cast<int>(one.expert_copies()));
    CHECK(groups == expected);
  }
}

TEST_CASE("flops of a layer's matrix products and of its attention") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), one.plan());
    const bool mixture = one.model().mixture.has_value();
    const strategies::ShardedBlock& layer = *block_named(sharded, mixture ? "moe_layer" : "layer");
    const std::string times = mixture ? "block_moe_s" : "block_dense_s";
    const auto theirs = [&](const char* name) { return flop_in(one, one.number(times, name)); };
    const auto ours = [&](const char* label) { return flop_of_works(layer.forward, label); };
    CHECK(ours("qkv_projection") == Approx(theirs("QKV Proj")));
    // Heads x head_dim wide, not hidden: 4,096 / 2,880 in gpt-oss.
    CHECK(ours("output_projection") ==
          Approx(theirs("Attn Out Proj") * one.query_width() / one.hidden()));
    CHECK(ours(mixture ? "expert_up" : "mlp_up") == Approx(theirs("MLP Up Proj")));
    CHECK(ours(mixture ? "expert_down" : "mlp_down") == Approx(theirs("MLP Down Proj")));
    // All scores there, those that a causal mask leaves here: s (s + 1) / 2 of s^2.
    const auto s = static_cast<double>(one.plan().sequence);
    CHECK(ours("attention") == Approx(theirs("SDPA") * (s + 1) / 2 / s));
    // Forward and backward are three products; context ranks each have their own tokens.
    const double head = flop_in(one, one.number("iteration_s", "LM Head Projection")) /
                        one.plan().micro_batches() / 3;
    CHECK(flop_of_works(block_named(sharded, "head")->forward, "head") ==
          Approx(head / one.plan().context.degree));
  }
}

TEST_CASE("backward: a multiple of the forward there, operator by operator here") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const bool full = one.plan().recompute == strategies::Recompute::full;
    const double forward = one.number("final", "transformer_block_fwd_time");
    CHECK(one.number("final", "transformer_block_bwd_time") == Approx((full ? 3 : 2) * forward));
    // Fused attention computes the scores once more in its backward: five products for two, 2.5
    // times the forward, which runs again with recompute, `selective` too.
    const strategies::ShardedGraph sharded = strategies::shard(one.model(), one.plan());
    const bool mixture = one.model().mixture.has_value();
    const strategies::ShardedBlock& layer = *block_named(sharded, mixture ? "moe_layer" : "layer");
    const bool again = one.plan().recompute != strategies::Recompute::none;
    CHECK(flop_of_works(layer.backward, "attention") ==
          Approx((again ? 3.5 : 2.5) * flop_of_works(layer.forward, "attention")));
  }
}

TEST_CASE("an iteration there is one stage that has it all") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    double sum = 0;
    for (const base::Node::Entry& part : one.node->find("iteration_s")->entries)
      sum += one.number("iteration_s", part.key);
    CHECK(sum == Approx(one.number("final", "iteration_time_s")));
    // The bubble is one of layers only.
    CHECK(one.number("iteration_s", "Pipeline Bubble") ==
          Approx(one.number("iteration_s", "Transformer Block") *
                 one.number("comm_s", "pipeline_bubble_fraction")));
    // Embedding and head of each micro-batch are in the sum; here the first and the last virtual
    // stage have them.
    int embeddings = 0;
    int heads = 0;
    for (const std::vector<strategies::Chunk>& stage : cut_layers(one.plan(), one.model()))
      for (const strategies::Chunk& chunk : stage) {
        embeddings += chunk.embedding ? 1 : 0;
        heads += chunk.head ? 1 : 0;
      }
    CHECK((embeddings == 1 && heads == 1));
  }
}

TEST_CASE("flops of the model: the matrices that tokens meet, and attention") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::ModelSpec& model = one.model();
    const double theirs =
        one.number("final", "ideal_iteration_time") * machine_of(one).peak * one.input.gpus;
    const double tokens =
        static_cast<double>(one.plan().global_batch) * static_cast<double>(one.plan().sequence);
    CHECK(theirs == Approx(6 * tokens * one.number("params", "active")));
    // 6 flops a parameter and token, for norms and the look-up of the embedding, too. A tied matrix
    // is one of the head.
    const std::int64_t no_product =
        2 * model.hidden * one.layers() + (model.tied_embeddings ? 0 : model.vocab * model.hidden);
    const std::int64_t missing = one.layers() * one.wider_output() + one.mixtures() * one.router();
    // Scores and values of (s + 1) / 2 keys a token, 2 + 2 flops, forward and twice backward.
    const double attention = 3.0 * 4 * (static_cast<double>(one.plan().sequence) + 1) / 2 *
                             one.query_width() * static_cast<double>(one.layers());
    const double ours = strategies::model_flop(model, one.plan()).count() *
                        static_cast<double>(one.plan().global_batch / one.plan().micro_batch);
    CHECK(ours ==
          Approx(theirs + tokens * (6.0 * static_cast<double>(missing - no_product) + attention)));
  }
}

TEST_CASE("memory traffic of what is no matrix product") {
  for (const Vector& one : whole_vectors()) {
    INFO(one.name);
    const strategies::Plan& plan = one.plan();
    const strategies::ModelSpec& model = one.model();
    const strategies::ShardedGraph sharded = strategies::shard(model, plan);
    const bool mixture = model.mixture.has_value();
    const std::string times = mixture ? "block_moe_s" : "block_dense_s";
    const strategies::ShardedBlock& layer = *block_named(sharded, mixture ? "moe_layer" : "layer");
    const auto theirs = [&](const std::string& section, const char* name) {
      return one.number(section, name) * machine_of(one).memory;
    };
    const auto ours = [&](const char* label) { return traffic_of_works(layer.forward, label); };
    // Norms and rotation read and write the hidden states of all tensor ranks there; here norms
    // those of one, and rotation its queries and keys.
    const double hidden = 4.0 * one.context_tokens() * one.hidden();
    CHECK(theirs(times, "Pre Attn Norm") == Approx(hidden));
    CHECK(theirs(times, "RoPE") == Approx(hidden));
    CHECK(ours("attention_norm") == Approx(hidden / plan.tensor));
    CHECK(ours("rotary") ==
          Approx(4.0 * one.context_tokens() * (one.query_width() + one.key_width()) / plan.tensor));
    // A gate: two inputs and an output; of experts not divided by their tensor ranks there.
    CHECK(ours(mixture ? "expert_activation" : "mlp_activation") ==
          Approx(theirs(times, "Glu Act") / (mixture ? one.expert_tensor() : 1)));
    // The whole table twice, forward and backward, for each micro-batch; here the forward reads and
    // writes rows of tokens, whose ids have 8 bytes, and dropout reads and writes them with a mask.
    const double dropout = model.dropout > 0 ? 5 * one.shard_tokens() * one.hidden() : 0;
    const double table = 2.0 * static_cast<double>(model.vocab * model.hidden);
    CHECK(theirs("iteration_s", "Embedding Lookup") == Approx(2.0 * table * plan.micro_batches()));
    CHECK(traffic_of_works(block_named(sharded, "embedding")->forward, "embedding") ==
          Approx(hidden + 8 * one.context_tokens() + dropout));
    // The optimizer reads and writes all states there, those that are not sharded, too. Here a rank
    // touches its shard: gradient, master weights and two moments read, 16 bytes, the latter and
    // parameters of 16 bits written, 14.
    CHECK(theirs("iteration_s", "Optimizer Step") ==
          Approx(2 * one.number("state_bytes", "total")));
    const Stage stage(plan, sharded, cut_layers(plan, model)[0]);
    double traffic = 0;
    double shards = 0;
    int index = 0;
    for (const ParameterClass& its : stage.classes()) {
      for (const base::Kernel& kernel : stage.optimizer_work(its).kernels)
        traffic += base::bytes_of(kernel).as_double();
      shards += static_cast<double>(
          base::ceil_div(stage.parameters(index++), static_cast<std::int64_t>(its.shards)));
    }
    CHECK(traffic == Approx(30 * shards));
  }
}

TEST_CASE("what dlcalc cannot do, and what neither can") {
  const std::vector<Vector> all = read_vectors();
  if (all.empty()) return;
  const auto refused = [&](const char* name) {
    const Vector& one = vector_named(all, name);
    CHECK(one.has("error"));
    return base::has_errors(one.problems);
  };
  CHECK_FALSE(refused("e01_sp_false"));
  CHECK_FALSE(refused("e02_zero3"));
  CHECK(refused("e05_layers_indivisible"));
  CHECK(refused("e06_gbs_indivisible"));
  const auto registry =
      topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(registry);
  CHECK(vector_named(all, "e03_unknown_node").has("error"));
  for (const Vector& one : all) {
    INFO(one.input.node_type);
    CHECK(registry->find_node(one.input.node_type) != nullptr);
  }
}

TEST_CASE("dlcalc's own examples are scenarios") {
  for (const std::string name : {"llama3_70b", "gpt_oss_120b"}) {
    const std::string path = reference_folder() + "/dlcalc_examples/" + name + ".yaml";
    if (!std::filesystem::exists(path)) {
      WARN("skipped: no " << path);
      continue;
    }
    const auto scenario = load_scenario(
        {.path = path,
         .set = {},
         .hardware_folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"});
    INFO((scenario ? "" : scenario.error().front().format()));
    REQUIRE(scenario);
    CHECK(scenario->name == name);
    CHECK(scenario->model.name == name);
    CHECK(scenario->cluster.gpu_count() == scenario->plan.ranks());
  }
}

}  // namespace
}  // namespace sim::dlcalc
