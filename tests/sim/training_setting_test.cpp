// From the row of a table to a model, a plan and a machine.

#include "sim/collective_sweep.hpp"
#include "sim/training/setting.hpp"
#include "tests/sim/training_support.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/published.hpp"

namespace sim::training {
namespace {

const std::shared_ptr<const topology::HardwareRegistry>& registry() {
  static const auto shipped = [] {
    auto read =
        topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
    REQUIRE(read);
    return std::make_shared<const topology::HardwareRegistry>(std::move(*read));
  }();
  return shipped;
}

const Frameworks& frameworks() {
  static const Frameworks shipped = [] {
    auto read = Frameworks::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/frameworks");
    REQUIRE(read);
    return std::move(*read);
  }();
  return shipped;
}

std::string text_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& diagnostic : diagnostics) text += diagnostic.format() + "\n";
  return text;
}

Row row_of(const Cells& cells) {
  const auto table = base::parse_csv(csv_of({cells}), "t.csv");
  REQUIRE(table);
  const auto rows = read_rows(*table);
  INFO((rows ? "" : text_of(rows.error())));
  REQUIRE(rows);
  return rows->front();
}

Setting setting_of(const Cells& cells) {
  const auto setting = setting_of(row_of(cells), frameworks(), *registry());
  INFO((setting ? "" : setting.error()));
  REQUIRE(setting);
  return *setting;
}

std::string reason_of(const Cells& cells) {
  const auto setting = setting_of(row_of(cells), frameworks(), *registry());
  return setting ? "" : setting.error();
}

TEST_CASE("a GPT of Megatron has biases, learned positions and a padded vocabulary") {
  const Setting setting = setting_of(gpt("a"));
  // 50,257 padded to a multiple of 128 x tp 2 = 256: 197 x 256.
  CHECK(setting.model.vocab == 50432);
  // Embeddings 50,432 x 1,024 and 1,024 positions, used again as head. A layer: attention
  // 4 x (1,024 x 1,024) + 4 x 1,024 biases, MLP 2 x (1,024 x 4,096) + 4,096 + 1,024 biases, two
  // norms of 2 x 1,024; one more norm at the end.
  const std::int64_t layer =
      4 * 1024 * 1024 + 4 * 1024 + 2 * 1024 * 4096 + 4096 + 1024 + 2 * 2 * 1024;
  CHECK(strategies::count_parameters(setting.model).total() ==
        (50432 + 1024) * 1024 + 2 * layer + 2 * 1024);
  CHECK(setting.model.dropout == 0.1);
  CHECK(setting.plan.precision.gradients == base::DType::fp16);
  CHECK_FALSE(setting.plan.overlap.gradient_reduce);
  CHECK(setting.plan.micro_batches() == 2);  // 32 sequences / dp 4 / 4
  CHECK(setting.inferred.empty());
}

TEST_CASE("families differ in norms, positions and gates") {
  const Cells llama{{"framework", "nanotron"}, {"model", "Llama-style"},
                    {"activation", "swiglu"},  {"gated", "1"},
                    {"precision", "bf16"},     {"flash_attention", "1"}};
  const Setting setting = setting_of(with(gpt("a"), llama));
  CHECK(setting.model.gated);
  CHECK(setting.model.norm == strategies::Norm::rms);
  CHECK(setting.model.position == strategies::Position::rotary);
  CHECK(setting.model.vocab == 50258);  // to a multiple of tp 2
  CHECK(setting.plan.attention_kernels == "flash-attention-2");
  // Those are fused: a row without fused attention has the usual ones.
  CHECK(setting_of(with(with(gpt("a"), llama), {{"flash_attention", "0"}}))
            .plan.attention_kernels.empty());
  CHECK(setting.plan.precision.gradients == base::DType::fp32);
  // nanotron reduces gradients while the backward runs, but not those of ZeRO-1.
  CHECK_FALSE(setting_of(with(with(gpt("a"), llama), {{"overlap", "tp"}, {"zero", "1"}}))
                  .plan.overlap.gradient_reduce);
  CHECK(setting_of(with(with(gpt("a"), llama), {{"overlap", "tp"}, {"zero", "0"}}))
            .plan.overlap.gradient_reduce);
  CHECK(setting_of(with(gpt("a"), {{"model", "MPT 1b"}, {"framework", "llm-foundry"}}))
            .model.position == strategies::Position::alibi);
  CHECK(setting_of(with(gpt("a"), {{"model", "BLOOM 1b"}})).model.embedding_norm);
  const Setting nemotron = setting_of(with(gpt("a"), {{"activation", "relu2"}}));
  CHECK(nemotron.model.activation == strategies::Activation::relu_squared);
  CHECK(nemotron.model.position == strategies::Position::rotary);
}

TEST_CASE("a second peak is read out of the note") {
  const auto noted = [](const char* note) {
    return row_of(with(gpt("a"), {{"note", note}})).noted_reserved_gib;
  };
  CHECK(noted("memory is of rank 0; NICs inferred (p5); reserved 49.81 GiB") == 49.81);
  CHECK(noted("reserved 7 GiB; outlier") == 7);
  CHECK(!noted("peak memory is what the allocator reserved"));
  CHECK(!noted("reserved 123456789012345678901234567890 GiB"));
  CHECK(!noted("not reserved 3.5 GiB"));
}

TEST_CASE("experts, latent attention and windows come from columns and notes") {
  std::vector<std::string> inferred;
  const Cells deepseek{{"activation", "swiglu"},
                       {"gated", "1"},
                       {"layers", "4"},
                       {"attention", "mla"},
                       {"experts", "8"},
                       {"experts_per_token", "2"},
                       {"expert_ffn", "512"},
                       {"shared_experts", "1"},
                       {"dense_layers", "1"},
                       {"note", "mla: q rank 96, kv rank 64, head 32 nope + 16 rope, v 24"}};
  const auto model = model_of(row_of(with(gpt("a"), deepseek)), Framework{}, inferred);
  REQUIRE(model);
  REQUIRE(model->latent);
  CHECK(model->latent->q_rank == 96);
  CHECK(model->latent->kv_rank == 64);
  CHECK(model->head_dim == 48);
  CHECK(model->latent->value_head_dim == 24);
  CHECK_FALSE(model->layers[0].mixture);
  CHECK(model->layers[3].mixture);
  CHECK(model->mixture->shared_ffn == 512);
  const auto windowed = model_of(
      row_of(with(gpt("a"), {{"note", "every second layer has a 128-token sliding window"}})),
      Framework{}, inferred);
  REQUIRE(windowed);
  CHECK(windowed->layers[0].window == 128);
  CHECK(windowed->layers[1].window == 0);
}

TEST_CASE("context and expert parallelism and scaled formats are said in the plan's words") {
  const Cells cells{{"activation", "swiglu"},
                    {"gated", "1"},
                    {"experts", "8"},
                    {"experts_per_token", "2"},
                    {"expert_ffn", "512"},
                    {"cp", "2"},
                    {"ep", "2"},
                    {"dp", "2"},
                    {"sequence_parallel", "1"},
                    {"gpu", "H100-SXM5-80GB"},
                    {"precision", "fp8"},
                    {"note", "current scaling"}};
  const Setting setting = setting_of(with(gpt("a"), cells));
  CHECK(setting.plan.context.degree == 2);
  CHECK(setting.plan.expert.degree == 2);
  CHECK(setting.plan.expert.tensor == 1);
  CHECK(setting.plan.data == 2);  // 8 GPUs / (tp 2 x cp 2)
  CHECK(setting.plan.precision.compute == base::DType::fp8);
  CHECK(setting.plan.precision.parameters == base::DType::bf16);
  CHECK(setting.plan.precision.scaling == strategies::Scaling::current);
  CHECK(setting.inferred == std::vector<std::string>{"whole experts"});
}

TEST_CASE("what a row leaves open is inferred and told") {
  // A replica of dp 4 takes 64 / 4 = 16 sequences: 16 at once with full recompute, else 4.
  const Cells open{{"micro_batch", ""}, {"global_batch", "64"}, {"zero", ""}};
  const Setting plain = setting_of(with(gpt("a"), open));
  CHECK(plain.plan.micro_batch == 4);
  CHECK(plain.inferred == std::vector<std::string>{"micro batch 4", "ZeRO-0"});
  CHECK(setting_of(with(with(gpt("a"), open), {{"recompute", "full"}})).plan.micro_batch == 16);
  // Twelve layers on two stages: six a stage, interleaved as 2 x 3 layers.
  const Setting piped = setting_of(with(gpt("a"), {{"layers", "12"},
                                                   {"pp", "2"},
                                                   {"dp", "2"},
                                                   {"vp", ""},
                                                   {"schedule", ""},
                                                   {"micro_batch", ""}}));
  CHECK(piped.plan.micro_batch == 1);
  CHECK(piped.plan.virtual_stages == 2);
  CHECK(piped.plan.schedule == strategies::ScheduleKind::interleaved);
}

TEST_CASE("recipes of who measured speak where a row is silent") {
  const Cells silent{{"framework", "NeMo 24.07"}, {"gpu", "H100-SXM5-80GB"}, {"precision", "bf16"},
                     {"sequence_parallel", "1"},  {"overlap", ""},           {"recompute", ""}};
  const Setting nemo = setting_of(with(gpt("a"), silent));
  CHECK(nemo.plan.overlap.tensor == strategies::TensorOverlap::parts);
  CHECK(nemo.plan.precision.gradients == base::DType::bf16);
  CHECK(nemo.plan.recompute == strategies::Recompute::none);
  CHECK(setting_of(with(with(gpt("a"), silent), {{"overlap", "grad param"}})).plan.overlap.tensor ==
        strategies::TensorOverlap::none);
  const Cells mcore{{"framework", "Megatron-LM"}, {"source", "Megatron-Core"}};
  const Setting other = setting_of(with(with(gpt("a"), silent), mcore));
  CHECK(other.plan.overlap.tensor == strategies::TensorOverlap::none);
  CHECK(other.plan.precision.gradients == base::DType::fp32);

  const Cells deepseek{{"framework", "Megatron-Bridge 25.09"}, {"model", "DeepSeekV3"}};
  const Setting recomputes = setting_of(with(with(gpt("a"), silent), deepseek));
  CHECK(recomputes.plan.recompute == strategies::Recompute::operators);
  CHECK(recomputes.plan.recompute_operators ==
        std::vector<std::string>{"q_b_projection", "kv_b_projection"});
  CHECK(setting_of(with(with(with(gpt("a"), silent), deepseek), {{"recompute", "none"}}))
            .plan.recompute == strategies::Recompute::none);
}

TEST_CASE("two layers too few for even stages are the embedding and the head") {
  const Cells zero_bubble{
      {"layers", "6"}, {"pp", "4"}, {"tp", "2"}, {"dp", "1"}, {"schedule", "1f1b"}};
  const Setting setting = setting_of(with(gpt("a"), zero_bubble));
  CHECK(setting.plan.account_for_embedding);
  CHECK(setting.plan.account_for_loss);
}

TEST_CASE("ZeRO within fewer ranks than replicas replicates its shards") {
  const Cells cells{{"n_gpus", "16"},
                    {"tp", "1"},
                    {"dp", "16"},
                    {"zero", "1"},
                    {"global_batch", "64"},
                    {"note", "ZeRO-1 within 8"},
                    {"nic_gbps_per_node", "800"}};
  CHECK(setting_of(with(gpt("a"), cells)).plan.data_replicate == 2);
}

TEST_CASE("NICs of a node together have the rate of the row") {
  const Cells two_nodes{{"n_gpus", "16"}, {"dp", "8"}};
  const auto node_with = [&](const std::string& nic, const std::string& per_node) {
    return setting_of(with(with(gpt("a"), two_nodes),
                           {{"nic_gbps_per_node", nic}, {"gpus_per_node", per_node}}))
        .machine;
  };
  const Machine full = node_with("1600", "8");  // 8 x 200 Gbit/s, as built
  CHECK(full.nodes == 2);
  CHECK(full.node.nics == 8);
  CHECK(full.node.nic_rate.gbit() == Approx(200));
  const Machine half = node_with("400", "8");  // two of them: no cloud's 4 x 100 Gbit/s is named
  CHECK((half.node.nic_rate * half.node.nics).gbit() == Approx(400));
  CHECK(half.node.nics == 2);
  CHECK(half.node.nic_kind == topology::NicKind::verbs);
  const Machine odd = node_with("250", "4");  // no whole number of NICs has it
  CHECK((odd.node.nic_rate * odd.node.nics).gbit() == Approx(250));
  CHECK(odd.nodes == 4);
  CHECK(odd.node.gpus == 4);
  const Setting unknown = setting_of(with(gpt("a"), two_nodes));
  CHECK(unknown.inferred == std::vector<std::string>{"network of dgx-a100-80"});
}

TEST_CASE("a network that is measured slow plays an all-reduce at that bandwidth") {
  const Row row = row_of(with(gpt("a"), {{"gpu", "H100-SXM5-80GB"},
                                         {"n_gpus", "32"},
                                         {"dp", "16"},
                                         {"global_batch", "64"},
                                         {"precision", "bf16"},
                                         {"nic_gbps_per_node", "3200"},
                                         {"measured_busbw_gbps", "1280"}}));
  const auto setting = setting_of(row, frameworks(), *registry());
  REQUIRE(setting);
  const auto backend = calibrate::make_backend({});
  REQUIRE(backend);
  const Scenario scenario = scenario_of(row, *setting, registry(), *backend);
  // 1,280 of 3,200 Gbit/s: NICs carry about two fifths of their rate, less where the algorithm
  // sends less than the bus bandwidth through them.
  const double share = scenario.cluster.nodes()[0].type->nic_efficiency;
  CHECK(share > 0.2);
  CHECK(share < 0.45);
  const CollectiveCall call{base::Collective::all_reduce, base::Bytes::from_gib(1)};
  const base::Seconds time =
      play_collectives(prices_of(**backend), scenario.cluster, {&call, 1}).front().time;
  // 2 x 31/32 x 2^30 bytes at 160 GB/s: 13.0 ms.
  CHECK(time.s() == Approx(2.0 * 31 / 32 * 1073741824 / 160e9).epsilon(2e-3));
}

TEST_CASE("rows that cannot be expressed say why") {
  const auto [column, text, reason] = GENERATE(table<std::string, std::string, std::string>({
      {"cp", "3", "n_gpus is not a multiple of tp x pp x cp"},
      {"vp", "0", "a degree is out of range"},
      {"precision", "int8", "precision int8"},
      {"schedule", "zigzag", "schedule zigzag"},
      {"layers", "", "layers missing or out of range"},
      {"hidden", "900000000", "hidden missing or out of range"},
      {"tp", "", "tp missing"},
      {"n_gpus", "9", "n_gpus is not a multiple of tp x pp x cp"},
      {"dp", "3", "dp is not n_gpus / (tp x pp x cp)"},
      {"gpu", "A900", "no node type with 8 x 'A900'"},
      {"activation", "swash", "unknown activation 'swash'"},
      {"attention", "mla", "latent attention without its ranks"},
      {"recompute", "some", "recompute some"},
      {"global_batch", "31",
       "global_batch 31 cannot be divided by data_parallel 4 x micro_batch 4"},
      {"precision", "bf17", "precision bf17"},
  }));
  Cells cells = with(gpt("a"), {{column, text}});
  if (column == "schedule") cells = with(cells, {{"pp", "2"}, {"dp", "2"}});
  CHECK(reason_of(cells) == reason);
}

TEST_CASE("mistakes in a table are told with their line, all at once") {
  const auto table = base::parse_csv(
      csv_of({with(gpt("a"), {{"layers", "many"}, {"outcome", "perhaps"}}),
              with(gpt("b"), {{"gated", "2"}, {"step_time_s", "-1"}, {"trust", "hihg"}})}),
      "t.csv");
  REQUIRE(table);
  const auto rows = read_rows(*table);
  REQUIRE_FALSE(rows);
  CHECK(text_of(rows.error()) ==
        "t.csv:2:1: error: 'layers' is not a number: 'many'\n"
        "t.csv:2:1: error: unknown 'outcome': 'perhaps' (known: ok, oom)\n"
        "t.csv:3:1: error: 'gated' is neither 0 nor 1: '2'\n"
        "t.csv:3:1: error: 'step_time_s' is not above 0: '-1'\n"
        "t.csv:3:1: error: unknown 'trust': 'hihg' (did you mean 'high'?)\n");
  const auto short_table = base::parse_csv("id,gpu\na,b\n", "t.csv");
  REQUIRE(short_table);
  CHECK(read_rows(*short_table).error().size() == columns.size() - 3);  // one is not read
}

TEST_CASE("every published row is expressed or says what is missing") {
  const std::string text = published("training.csv");
  if (text.empty()) return;
  const auto table = base::parse_csv(text, "training.csv");
  REQUIRE(table);
  const auto rows = read_rows(*table);
  REQUIRE(rows);
  for (const Row& row : *rows) {
    const auto setting = setting_of(row, frameworks(), *registry());
    INFO(row.id << ": " << (setting ? "" : setting.error()));
    CHECK(setting);
  }
}

}  // namespace
}  // namespace sim::training
