// Plans as options of frameworks: every name is one that the framework documents, values come back,
// and no field of a plan is dropped without a word.

#include "strategies/launch/launch.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "strategies/launch/plan_fields.hpp"
#include "tests/strategies/launch_options.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"

namespace strategies::launch {
namespace {

/// Options of a bash array: name and the rest of the line.
std::map<std::string, std::string> arguments_of(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines(text.substr(text.find("arguments=(")));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find("--");
    if (begin != 2) continue;
    const std::size_t blank = line.find(' ', begin);
    all[line.substr(begin, blank - begin)] =
        blank == std::string::npos ? "" : line.substr(blank + 1);
  }
  return all;
}

/// "section.key" and its value; of a list over several lines the first.
std::map<std::string, std::string> toml_of(const std::string& text) {
  std::map<std::string, std::string> all;
  std::string section;
  std::istringstream lines(text);
  const std::regex pair(R"((\w+) = (.*))");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (line.starts_with("["))
      section = line.substr(1, line.size() - 2);
    else if (std::regex_match(line, match, pair))
      all[section + "." + match[1].str()] = match[2];
  }
  return all;
}

std::set<std::string> json_keys(const std::string& text) {
  std::set<std::string> keys;
  const std::regex key(R"rx("([^"]+)": )rx");
  for (std::sregex_iterator it(text.begin(), text.end(), key), end; it != end; ++it)
    keys.insert((*it)[1]);
  return keys;
}

template <class Map>
std::set<std::string> names_of(const Map& map) {
  std::set<std::string> names;
  for (const auto& [name, value] : map) names.insert(name);
  return names;
}

std::set<std::string> unknown(const std::set<std::string>& used,
                              const std::set<std::string>& known) {
  std::set<std::string> left;
  for (const std::string& name : used)
    if (!known.contains(name)) left.insert(name);
  return left;
}

std::set<std::string> undocumented(const Framework& framework, const std::string& text) {
  if (framework.name == "megatron") return unknown(names_of(arguments_of(text)), megatron_names);
  if (framework.name == "scaletorch")
    return unknown(names_of(arguments_of(text)), scaletorch_names);
  if (framework.name == "torchtitan") return unknown(names_of(toml_of(text)), torchtitan_names);
  REQUIRE(framework.name == "deepspeed");
  return unknown(json_keys(text), deepspeed_names);
}

/// A plan that check_plan lets through on `gpus` GPUs.
Plan checked(Plan plan, const ModelSpec& model, int gpus) {
  const base::Diagnostics problems = check_plan(plan, model, gpus, {});
  for (const base::Diagnostic& one : problems)
    if (one.severity == base::Severity::error) FAIL(one.format());
  return plan;
}

/// Everything on: a pipeline, tensor, context and data parallelism.
Plan rich_plan() {
  Plan plan;
  plan.tensor = 2;
  plan.sequence_parallel = true;
  plan.pipeline = 2;
  plan.data = 4;
  plan.context.degree = 2;
  plan.zero = 1;
  plan.micro_batch = 2;
  plan.global_batch = 64;
  plan.sequence = 4096;
  return plan;
}

using Change = std::function<void(Plan&)>;
struct NamedChange {
  const char* name;
  Change change;
};

/// One for every field that plan_fields tells, and some that it tells together.
const std::vector<NamedChange>& changes() {
  static const std::vector<NamedChange> all{
      {"tensor", [](Plan& p) { p.tensor = 4; }},
      {"pipeline", [](Plan& p) { p.pipeline = 4; }},
      {"data", [](Plan& p) { p.data = 2; }},
      {"data_replicate", [](Plan& p) { p.data_replicate = 2; }},
      {"zero 0", [](Plan& p) { p.zero = 0; }},
      {"zero 2", [](Plan& p) { p.zero = 2; }},
      {"zero 3", [](Plan& p) { p.zero = 3; }},
      {"zero_split", [](Plan& p) { p.owns_tensors = true; }},
      {"sequence_parallel", [](Plan& p) { p.sequence_parallel = false; }},
      {"fused_projections", [](Plan& p) { p.fused_projections = false; }},
      {"tensor_backward", [](Plan& p) { p.reduce_per_linear = true; }},
      {"loss", [](Plan& p) { p.gather_logits = true; }},
      {"loss_kernels", [](Plan& p) { p.loss_kernels = LossKernels::eager; }},
      {"context_parallel", [](Plan& p) { p.context.degree = 4; }},
      {"attention", [](Plan& p) { p.context.attention = ContextAttention::all_gather; }},
      {"ring", [](Plan& p) { p.context.attention = ContextAttention::ring; }},
      {"ulysses",
       [](Plan& p) {
         p.context.attention = ContextAttention::ulysses;
         p.context.ulysses = p.context.degree;
       }},
      {"expand_kv", [](Plan& p) { p.context.expand_kv = true; }},
      {"gpipe", [](Plan& p) { p.schedule = ScheduleKind::gpipe; }},
      {"interleaved",
       [](Plan& p) {
         p.schedule = ScheduleKind::interleaved;
         p.virtual_stages = 2;
       }},
      {"zb-h1", [](Plan& p) { p.schedule = ScheduleKind::zb_h1; }},
      {"zb-v",
       [](Plan& p) {
         p.schedule = ScheduleKind::zb_v;
         p.virtual_stages = 2;
       }},
      {"stage_layers",
       [](Plan& p) {
         p.stage_layers = {15, 17};
       }},
      {"first_stage_layers", [](Plan& p) { p.first_stage_layers = 14; }},
      {"micro_batch", [](Plan& p) { p.micro_batch = 4; }},
      {"global_batch", [](Plan& p) { p.global_batch = 128; }},
      {"recompute selective", [](Plan& p) { p.recompute = Recompute::selective; }},
      {"recompute full", [](Plan& p) { p.recompute = Recompute::full; }},
      {"recompute every",
       [](Plan& p) {
         p.recompute = Recompute::full;
         p.recompute_every = 2;
       }},
      {"recompute operators",
       [](Plan& p) {
         p.recompute = Recompute::operators;
         p.recompute_operators = {"norm"};
       }},
      {"recompute rotary",
       [](Plan& p) {
         p.recompute = Recompute::operators;
         p.recompute_operators = {"rotary"};
       }},
      {"flash_attention", [](Plan& p) { p.flash_attention = false; }},
      {"fp8", [](Plan& p) { p.precision.compute = base::DType::fp8; }},
      {"fp8 current",
       [](Plan& p) {
         p.precision.compute = base::DType::fp8;
         p.precision.scaling = Scaling::current;
       }},
      {"mxfp8",
       [](Plan& p) {
         p.precision.compute = base::DType::fp8;
         p.precision.scaling = Scaling::mx;
       }},
      {"tf32", [](Plan& p) { p.precision.compute = base::DType::tf32; }},
      {"fp16", [](Plan& p) { p.precision.compute = p.precision.parameters = base::DType::fp16; }},
      {"gradients", [](Plan& p) { p.precision.gradients = base::DType::bf16; }},
      {"master", [](Plan& p) { p.precision.master = base::DType::bf16; }},
      {"moments", [](Plan& p) { p.precision.moments = base::DType::fp8; }},
      {"adam", [](Plan& p) { p.optimizer.kind = OptimizerKind::adam; }},
      {"sgd", [](Plan& p) { p.optimizer.kind = OptimizerKind::sgd; }},
      {"muon", [](Plan& p) { p.optimizer.kind = OptimizerKind::muon; }},
      {"shampoo", [](Plan& p) { p.optimizer.kind = OptimizerKind::shampoo; }},
      {"launch", [](Plan& p) { p.optimizer.launch = OptimizerLaunch::foreach; }},
      {"clip_gradients", [](Plan& p) { p.clip_gradients = false; }},
      {"offload", [](Plan& p) { p.offload.optimizer = true; }},
      {"bucket", [](Plan& p) { p.bucket = base::Bytes::from_mib(64); }},
      {"buckets", [](Plan& p) { p.ddp.buckets = BucketPolicy::deepspeed; }},
      {"sync", [](Plan& p) { p.sync = GradientSync::every; }},
      {"gradient_reduce", [](Plan& p) { p.overlap.gradient_reduce = false; }},
      {"parameter_gather", [](Plan& p) { p.overlap.parameter_gather = false; }},
      {"point_to_point", [](Plan& p) { p.overlap.point_to_point = true; }},
      {"overlap.tensor", [](Plan& p) { p.overlap.tensor = TensorOverlap::parts; }},
      {"own_part", [](Plan& p) { p.overlap.tensor = TensorOverlap::own_part; }},
      {"accumulation", [](Plan& p) { p.execution.fused_accumulation = false; }},
      {"gate", [](Plan& p) { p.execution.fused_gate = false; }},
      {"loss of nanotron", [](Plan& p) { p.loss_kernels = LossKernels::sharded; }},
      {"rank_order", [](Plan& p) { p.order = parse_rank_order("tp-pp-cp-dp", {}).value(); }},
  };
  return all;
}

std::string told(const Launch& launch) {
  std::string text = launch.text;
  for (const base::Diagnostic& one : launch.left_out) text += one.format() + "\n";
  // What describes the plan as a whole in a comment does not count as an option or a word.
  return std::regex_replace(text, std::regex("# test: [^\n]*\n(#   [^\n]*\n)*"), "");
}

TEST_CASE("no field of a plan is dropped: it changes the options or what is left out") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  const Plan plain = checked(rich_plan(), model, 32);
  for (const Framework& framework : frameworks()) {
    const std::string before =
        told(framework.write({.name = "test", .model = model, .plan = plain}, framework));
    for (const NamedChange& one : changes()) {
      Plan plan = rich_plan();
      one.change(plan);
      plan = checked(plan, model, 128);
      INFO(framework.name << ": " << one.name);
      CHECK(plan_fields(plan, model) != plan_fields(plain, model));
      const Launch made =
          framework.write({.name = "test", .model = model, .plan = plan}, framework);
      CHECK(told(made) != before);
      CHECK(undocumented(framework, made.text) == std::set<std::string>{});
    }
  }
}

TEST_CASE("every model that is shipped can be written, with documented options only") {
  const std::string name =
      GENERATE("llama-3.1-405b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b", "gemma-3-1b",
               "qwen3-235b-a22b", "falcon-7b", "bloom", "gpt2-xl", "olmo-2-7b", "nemotron-4-340b");
  const ModelSpec model = shipped_model(name);
  Plan plan;
  plan.data = 8;
  plan.expert.degree = model.mixture ? 8 : 1;
  plan.global_batch = 64;
  plan.sequence = 1024;
  plan = checked(plan, model, 8);
  for (const Framework& framework : frameworks()) {
    INFO(name << ": " << framework.name);
    const Launch made = framework.write({.name = "test", .model = model, .plan = plan}, framework);
    CHECK(undocumented(framework, made.text) == std::set<std::string>{});
  }
}

TEST_CASE("Megatron-LM's arguments say what the plan says") {
  const ModelSpec model = shipped_model("llama-3.1-70b");
  Plan plan;
  plan.tensor = 8;
  plan.sequence_parallel = true;
  plan.pipeline = 4;
  plan.schedule = ScheduleKind::interleaved;
  plan.virtual_stages = 5;
  plan.zero = 1;
  plan.global_batch = 128;
  plan.sequence = 8192;
  plan = checked(plan, model, 64);
  const Framework& framework = *find_framework("megatron");
  const Launch made = framework.write({.name = "x", .model = model, .plan = plan}, framework);
  CHECK(made.left_out.empty());
  const auto all = arguments_of(made.text);
  CHECK(all.at("--tensor-model-parallel-size") == "8");
  CHECK(all.at("--pipeline-model-parallel-size") == "4");
  CHECK(all.at("--num-virtual-stages-per-pipeline-rank") == "5");
  CHECK(all.contains("--sequence-parallel"));
  CHECK(all.contains("--use-distributed-optimizer"));
  CHECK(all.at("--num-layers") == "80");
  CHECK(all.at("--num-query-groups") == "8");
  CHECK(all.at("--padded-vocab-size") == "128256");
  CHECK(all.at("--global-batch-size") == "128");
  // 40 M elements, the bucket of Megatron-Core for two data-parallel ranks.
  CHECK(all.at("--ddp-bucket-size") == "40000000");
  // 8 x 4 x 2 ranks by 8 a node.
  CHECK(made.text.find("torchrun=(--nnodes 8 --nproc-per-node 8)") != std::string::npos);
}

TEST_CASE("uneven stages are spelt out for Megatron-LM and torchtitan") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  Plan plan;
  plan.pipeline = 4;
  plan.stage_layers = {7, 9, 1, 15};
  plan.global_batch = 8;
  plan.sequence = 2048;
  plan = checked(plan, model, 4);
  const Framework& megatron = *find_framework("megatron");
  const auto flags =
      arguments_of(megatron.write({.name = "x", .model = model, .plan = plan}, megatron).text);
  CHECK(flags.at("--pipeline-model-parallel-layout") == "'Et*7|t*9|t|t*15,L'");
  const Framework& torchtitan = *find_framework("torchtitan");
  const std::string toml =
      torchtitan.write({.name = "x", .model = model, .plan = plan}, torchtitan).text;
  // Layers 0-6 with the embedding, 7-15, 16, 17-31 with norm and head.
  CHECK(toml.find("[\"tok_embeddings\", \"layers.0\",") != std::string::npos);
  CHECK(toml.find("  [\"layers.16\"],\n") != std::string::npos);
  CHECK(toml.find("\"layers.31\", \"norm\", \"output\"]") != std::string::npos);
}

TEST_CASE("experts of DeepSeek-V3 are Megatron-LM's arguments") {
  const ModelSpec model = shipped_model("deepseek-v3");
  Plan plan;
  plan.pipeline = 8;
  plan.expert.degree = 32;
  plan.expert.dispatcher = Dispatcher::node_limited;
  plan.first_stage_layers = 6;
  plan.last_stage_layers = 7;
  plan.zero = 1;
  plan.global_batch = 256;
  plan.sequence = 4096;
  plan = checked(plan, model, 256);
  const Framework& framework = *find_framework("megatron");
  const auto all =
      arguments_of(framework.write({.name = "x", .model = model, .plan = plan}, framework).text);
  CHECK(all.at("--moe-layer-freq") == "'[0]*3+[1]*58'");
  CHECK(all.at("--expert-model-parallel-size") == "32");
  CHECK(all.at("--moe-token-dispatcher-type") == "flex");
  CHECK(all.contains("--moe-enable-deepep"));
  CHECK(all.at("--decoder-first-pipeline-num-layers") == "6");
  CHECK(all.at("--kv-lora-rank") == "512");
  CHECK(all.at("--moe-router-score-function") == "sigmoid");
}

TEST_CASE("torchtitan's batch is local with a pipeline and accumulated without") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  const Framework& framework = *find_framework("torchtitan");
  Plan plan;
  plan.zero = 3;
  plan.micro_batch = 2;
  plan.global_batch = 64;
  plan.sequence = 8192;
  const Plan flat = checked(plan, model, 8);
  auto toml = toml_of(framework.write({.name = "x", .model = model, .plan = flat}, framework).text);
  CHECK(toml.at("training.local_batch_size") == "2");
  CHECK(toml.at("training.global_batch_size") == "64");
  CHECK(toml.at("parallelism.data_parallel_shard_degree") == "8");
  CHECK(toml.at("model.flavor") == "\"8B\"");
  plan.pipeline = 2;
  const Plan piped = checked(plan, model, 8);
  toml = toml_of(framework.write({.name = "x", .model = model, .plan = piped}, framework).text);
  // 64 sequences over 4 data-parallel ranks, cut in micro-batches of 2.
  CHECK(toml.at("training.local_batch_size") == "16");
  CHECK(toml.at("parallelism.pipeline_parallel_microbatch_size") == "2");
}

TEST_CASE("a model of other sizes than torchtitan's flavors is told") {
  const Framework& framework = *find_framework("torchtitan");
  const auto [name, flavor] = GENERATE(table<std::string, std::string>({
      {"llama-3.1-70b", "70B"},
      {"llama-3.1-405b", "405B"},
      {"deepseek-v3", "671B"},
      {"llama-2-7b", ""},  // as many layers and heads as 8B, another MLP
      {"mistral-7b", ""},  // windows
  }));
  const ModelSpec model = shipped_model(name);
  Plan plan;
  plan.zero = 3;
  plan.global_batch = 8;
  plan.sequence = 2048;
  plan = checked(plan, model, 8);
  const Launch made = framework.write({.name = "x", .model = model, .plan = plan}, framework);
  const auto toml = toml_of(made.text);
  INFO(name);
  CHECK(toml.contains("model.flavor") == !flavor.empty());
  if (!flavor.empty()) CHECK(toml.at("model.flavor") == "\"" + flavor + "\"");
}

TEST_CASE("DeepSpeed's JSON is JSON, and its batch is the product that it demands") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  Plan plan;
  plan.zero = 3;
  plan.fsdp.offload = true;
  plan.micro_batch = 2;
  plan.global_batch = 64;
  plan.sequence = 8192;
  plan = checked(plan, model, 8);
  const Framework& framework = *find_framework("deepspeed");
  const std::string text =
      framework.write({.name = "x", .model = model, .plan = plan}, framework).text;
  const auto document = base::parse_json(text, "ds.json");
  REQUIRE(document);
  const auto at = [&](const char* key) { return document->root.find(key)->text; };
  // 64 = 2 a GPU x 4 steps x 8 GPUs.
  CHECK(at("train_batch_size") == "64");
  CHECK(at("train_micro_batch_size_per_gpu") == "2");
  CHECK(at("gradient_accumulation_steps") == "4");
  const base::Node* zero = document->root.find("zero_optimization");
  CHECK(zero->find("stage")->text == "3");
  CHECK(zero->find("offload_param")->find("device")->text == "cpu");
}

TEST_CASE("a preset of a framework leaves nothing of its kind to tell") {
  // What scenarios/frameworks/scaletorch.yaml says of ScaleTorch, as a plan.
  const ModelSpec model = shipped_model("qwen3-8b");
  Plan plan;
  plan.tensor = 2;
  plan.pipeline = 2;
  plan.schedule = ScheduleKind::gpipe;
  plan.order = parse_rank_order("tp-ep-cp-pp-dp", {}).value();
  plan.fused_projections = false;
  plan.reduce_per_linear = true;
  plan.gather_logits = true;
  plan.loss_kernels = LossKernels::eager;
  plan.uneven = Uneven::first;
  plan.ddp.buckets = BucketPolicy::best_fit;
  plan.execution.fused_accumulation = plan.execution.fused_gate = false;
  plan.precision.master = plan.precision.moments = base::DType::bf16;
  plan.global_batch = 16;
  plan.sequence = 2048;
  plan = checked(plan, model, 8);
  const Framework& framework = *find_framework("scaletorch");
  const Launch made = framework.write({.name = "x", .model = model, .plan = plan}, framework);
  for (const base::Diagnostic& one : made.left_out) FAIL_CHECK(one.format());
  CHECK(arguments_of(made.text).at("--pipeline_parallel_engine") == "afab");
}

TEST_CASE("a name with line ends stays in its comment") {
  const ModelSpec model = shipped_model("llama-3.1-8b");
  Plan plan;
  plan.global_batch = 8;
  plan.sequence = 128;
  plan = checked(plan, model, 1);
  const Framework& framework = *find_framework("megatron");
  const std::string text =
      framework.write({.name = "a\nrm -rf /", .model = model, .plan = plan}, framework).text;
  CHECK(text.starts_with("# a?rm -rf /"));
}

}  // namespace
}  // namespace strategies::launch
