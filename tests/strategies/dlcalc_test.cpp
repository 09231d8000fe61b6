#include "strategies/dlcalc.hpp"

#include "tests/support/catch.hpp"

namespace strategies {
namespace {

// Shaped like dlcalc's own examples.
const std::string llama = R"(model:
  n_layers: 80
  hidden_sz: 8192
  inter_sz: 28672
  n_q_heads: 64
  n_kv_heads: 8
  head_dim: 128
  vocab_sz: 128256
  glu: true
  rotary_embeds: true
  dropout: false
  tie_embeddings: true
parallelism:
  tp: 8
  pp: 2
  dp: 64
  vpp: 1
  sp: true
  zero_level: 1
  n_param_buckets: 5
performance:
  activation_checkpointing_type: selective
data:
  gbs: 2048
  seqlen: 2048
  microbatch_sz: 1
hardware:
  node_type: p4d.24xlarge
)";

const std::string oss = R"(model:
  n_layers: 36
  hidden_sz: 2880
  inter_sz: 2880
  n_q_heads: 64
  n_kv_heads: 8
  head_dim: 64
  vocab_sz: 201088
  glu: true
  rotary_embeds: true
  dropout: false
  tie_embeddings: false
  moe:
    n_experts: 128
    expert_inter_sz: 2880
    experts_per_token: 4
    capacity_factor: 1.0
    moe_frequency: 1.0
    expert_tp_degree: 1
parallelism:
  {tp: 1, cp: 1, pp: 6, dp: 128, ep: 8, vpp: 6, sp: true, zero_level: 1, n_param_buckets: 5}
performance: {activation_checkpointing_type: selective}
data: {gbs: 8192, seqlen: 4096, microbatch_sz: 1}
hardware: {node_type: p4d.24xlarge}
)";

base::Document parsed(const std::string& yaml) {
  const base::Result<base::Document> document = base::parse_yaml(yaml, "d.yaml");
  REQUIRE(document);
  return *document;
}

std::vector<std::string> formatted(const base::Diagnostics& diagnostics) {
  std::vector<std::string> lines;
  for (const base::Diagnostic& problem : diagnostics) lines.push_back(problem.format());
  return lines;
}

std::vector<std::string> mistakes(const std::string& yaml) {
  const base::Result<DlcalcInput> input = read_dlcalc(parsed(yaml));
  return input ? std::vector<std::string>{} : formatted(input.error());
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

TEST_CASE("a dlcalc file is told from ours by its keys") {
  CHECK(looks_like_dlcalc(parsed(llama)));
  CHECK_FALSE(looks_like_dlcalc(parsed("model: {layers: 2}\nhardware: {node_type: x}\n")));
  CHECK_FALSE(looks_like_dlcalc(parsed("model: {n_layers: 2}\n")));
  CHECK_FALSE(looks_like_dlcalc(parsed("just text\n")));
}

TEST_CASE("a dense dlcalc file becomes a model and a plan") {
  const base::Result<DlcalcInput> input = read_dlcalc(parsed(llama));
  REQUIRE(input);
  // dlcalc says 69,503,025,152; it has no final norm (8,192).
  CHECK(count_parameters(input->model).total() == 69'503'025'152 + 8'192);
  CHECK(input->node_type == "p4d.24xlarge");
  CHECK(input->node_type_where == base::SourceRef{"d.yaml", 28, 14});
  CHECK(input->gpus == 1024);
  const Plan& plan = input->plan;
  CHECK((plan.tensor == 8 && plan.pipeline == 2 && plan.data == 64));
  CHECK((plan.zero == 1 && plan.sequence_parallel));
  CHECK(plan.schedule == ScheduleKind::one_f_one_b);
  CHECK((plan.global_batch == 2048 && plan.sequence == 2048 && plan.micro_batch == 1));
  CHECK(plan.recompute == Recompute::selective);
  // dlcalc: 4,410,179,584 parameters a device with norms undivided, 882,035,916 a bucket; ours
  // divides 80 x 2 x 8,192 weights of norms by 8 and counts the final one.
  CHECK(plan.bucket.as_double() == Approx(882'035'916 * 4.0).epsilon(0.001));
  CHECK(input->origins.at("plan.tensor_parallel") == base::SourceRef{"d.yaml", 14, 7});
  CHECK(input->notes.empty());
}

TEST_CASE("a mixture in a dlcalc file") {
  const base::Result<DlcalcInput> input = read_dlcalc(parsed(oss));
  REQUIRE(input);
  const ParameterCount count = count_parameters(input->model);
  // dlcalc says 116,649,699,840. It leaves out the final norm and the routers (36 x 128 x 2,880),
  // and takes the output projection to be 2,880 wide where 64 heads of 64 are 4,096 (36 x 2,880 x
  // 1,216 more).
  CHECK(count.total() == 116'649'699'840 + 2'880 + 36LL * 128 * 2'880 + 36LL * 2'880 * 1'216);
  CHECK_FALSE(input->plan.sequence_parallel);  // nothing to divide with tp 1
  CHECK((input->plan.expert.degree == 8 && input->plan.expert.tensor == 1));
  CHECK_FALSE(input->plan.expert.own_axis);
  CHECK(input->gpus == 768);
  // dlcalc: 621,239,040 parameters a bucket.
  CHECK(input->plan.bucket.as_double() == Approx(621'239'040 * 4.0).epsilon(0.01));
  CHECK(formatted(input->notes) ==
        std::vector<std::string>{"d.yaml:21:46: warning: 64 micro-batches over pp 6 cannot be "
                                 "interleaved; vpp 6 is not used (the stages run 1F1B)"});
}

TEST_CASE("half the layers are every other layer") {
  const base::Result<DlcalcInput> input =
      read_dlcalc(parsed(replaced(oss, "moe_frequency: 1.0", "moe_frequency: 0.5")));
  REQUIRE(input);
  CHECK_FALSE(input->model.layers[0].mixture);
  CHECK(input->model.layers[1].mixture);
  CHECK_FALSE(input->model.layers[34].mixture);
  CHECK(input->model.layers[35].mixture);
}

TEST_CASE("what is not modelled yet is told, not dropped") {
  const std::string text = replaced(
      replaced(replaced(llama, "  dp: 64\n", "  dp: 64\n  cp: 2\n"), "selective",
               "super-selective"),
      "hardware:",
      "cross_dc: {n_dcs: 4, interconnect_bandwidth_gbps: 100000, interconnect_latency_s: 0.005}\n"
      "hardware:");
  const base::Result<DlcalcInput> input = read_dlcalc(parsed(text));
  REQUIRE(input);
  REQUIRE(input->cross_dc);
  CHECK(input->cross_dc->centers == 4);
  CHECK(input->cross_dc->bandwidth.gbit() == Approx(100'000));
  CHECK(input->cross_dc->latency.ms() == Approx(5));
  CHECK(input->plan.context.degree == 2);
  CHECK(input->gpus == 2048);
  CHECK(formatted(input->notes) ==
        std::vector<std::string>{
            "d.yaml:23:34: warning: super-selective is taken as selective: only attention is "
            "recomputed (norms, activations and their products are kept)",
            "d.yaml:28:11: warning: 4 data centres are not modelled yet (the cluster is taken as "
            "one)"});
}

TEST_CASE("micro-batches that cannot be interleaved run 1F1B, and the file says so") {
  // 2,048 sequences over 64 ranks are 32 micro-batches: no whole groups of 3 stages.
  const std::string text = replaced(replaced(llama, "pp: 2", "pp: 3"), "vpp: 1", "vpp: 2");
  const base::Result<DlcalcInput> input = read_dlcalc(parsed(text));
  REQUIRE(input);
  CHECK(input->plan.virtual_stages == 1);
  CHECK(input->plan.schedule == ScheduleKind::one_f_one_b);
  CHECK(formatted(input->notes) ==
        std::vector<std::string>{"d.yaml:17:8: warning: 32 micro-batches over pp 3 cannot be "
                                 "interleaved; vpp 2 is not used (the stages run 1F1B)"});
  CHECK(read_dlcalc(parsed(replaced(llama, "vpp: 1", "vpp: 2")))->plan.virtual_stages == 2);
}

struct Row {
  const char* name;
  const char* what;
  const char* with;
  std::vector<std::string> want;
};

const Row rows[] = {
    {"a missing key", "  glu: true\n", "", {"d.yaml:2:3: error: 'model.glu' is missing"}},
    {"a key with a slip",
     "  vpp: 1\n",
     "  vvp: 1\n",
     {"d.yaml:14:3: error: 'parallelism.vpp' is missing",
      "d.yaml:17:3: error: unknown key 'vvp' (did you mean 'vpp'?)"}},
    {"a zero level there is not",
     "zero_level: 1",
     "zero_level: 4",
     {"d.yaml:19:15: error: 'zero_level' is 4, must be at most 3"}},
    {"an unknown checkpointing",
     "selective",
     "selektive",
     {"d.yaml:22:34: error: 'activation_checkpointing_type' is 'selektive', must be one of none, "
      "selective, super-selective, full (did you mean 'selective'?)"}},
    {"no whole part",
     "hardware:\n  node_type: p4d.24xlarge\n",
     "hardware: {}\n",
     {"d.yaml:27:11: error: 'hardware.node_type' is missing"}},
    {"heads",
     "n_kv_heads: 8",
     "n_kv_heads: 7",
     {"d.yaml:6:15: error: 'n_kv_heads' is 7, which does not divide 'n_q_heads' 64 (each key-value "
      "head serves the same number of query heads)"}},
    {"more GPUs than there are",
     "dp: 64",
     "dp: 1000000",
     {"d.yaml:14:3: error: tp x cp x pp x dp is 16000000 GPUs, must be at most 1000000"}},
};

TEST_CASE("mistakes in a dlcalc file are told at their place") {
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(mistakes(replaced(llama, row.what, row.with)) == row.want);
  }
  CHECK(mistakes(replaced(oss, "moe_frequency: 1.0", "moe_frequency: 0.3")) ==
        std::vector<std::string>{"d.yaml:18:20: error: 'moe_frequency' 0.3 of 36 layers is 10.80 "
                                 "layers (it must be a whole number of layers)"});
}

}  // namespace
}  // namespace strategies
