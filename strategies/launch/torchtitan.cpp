#include <algorithm>
#include <array>
#include <string>

#include "base/quoted.hpp"
#include "strategies/launch/draft.hpp"
#include "strategies/launch/literal.hpp"

/// torchtitan: the TOML of a job.
namespace strategies::launch {

namespace {

/// TOML tables in the order in which they are begun.
class Toml {
 public:
  void table(std::string_view name) {
    text_ += fmt::format("{}[{}]\n", text_.empty() ? "" : "\n", name);
  }
  template <class T>
  void set(std::string_view key, const T& value) {
    raw(key, literal(value));
  }
  void set(std::string_view key, const std::vector<std::string>& list) { raw(key, array(list)); }
  /// One list a line.
  void set(std::string_view key, const std::vector<std::vector<std::string>>& lists) {
    std::string value = "[\n";
    for (const std::vector<std::string>& list : lists) value += fmt::format("  {},\n", array(list));
    raw(key, value + "]");
  }
  const std::string& text() const { return text_; }

 private:
  static std::string array(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& one : list)
      text += fmt::format("{}{}", text.empty() ? "" : ", ", base::quoted(one));
    return "[" + text + "]";
  }
  void raw(std::string_view key, std::string_view value) {
    text_ += fmt::format("{} = {}\n", key, value);
  }
  std::string text_;
};

/// Model flavors by their sizes (torchtitan/models/*/__init__.py).
struct Flavor {
  std::string_view model;
  std::string_view flavor;
  int layers;
  std::int64_t hidden;
  int heads;
  int kv_heads;
  std::int64_t ffn;
  bool latent;
  int experts;
};
constexpr std::array<Flavor, 6> flavors{{
    {"llama3", "8B", 32, 4096, 32, 8, 14336, false, 0},
    {"llama3", "70B", 80, 8192, 64, 8, 28672, false, 0},
    {"llama3", "405B", 126, 16384, 128, 8, 53248, false, 0},
    {"deepseek_v3", "16B", 27, 2048, 16, 16, 10944, true, 64},
    {"deepseek_v3", "236B", 60, 5120, 128, 128, 12288, true, 160},
    {"deepseek_v3", "671B", 61, 7168, 128, 128, 18432, true, 256},
}};

void add_model(Draft& draft, Toml& out) {
  const ModelSpec& model = draft.model();
  const Precision& precision = draft.plan().precision;
  out.table("model");
  const auto* found = std::find_if(flavors.begin(), flavors.end(), [&](const Flavor& one) {
    return one.layers == model.layer_count() && one.hidden == model.hidden &&
           one.heads == model.heads && one.kv_heads == model.kv_heads && one.ffn == model.ffn &&
           one.latent == model.latent.has_value() &&
           one.experts == (model.mixture ? model.mixture->experts : 0) && !model.qk_norm &&
           !model.qkv_bias &&
           std::none_of(model.layers.begin(), model.layers.end(),
                        [](const LayerKind& layer) { return layer.window > 0; });
  });
  if (found == flavors.end()) {
    draft.lacks(fmt::format(
        "model: no flavor of torchtitan known here has {} layers of width {} with {} heads; set "
        "model.name and model.flavor to one of yours",
        model.layer_count(), model.hidden, model.heads));
  } else {
    out.set("name", found->model);
    out.set("flavor", found->flavor);
  }
  draft.cannot("precision.compute", "torchtitan has bf16, fp32, float8 and mxfp8");
  draft.cannot("precision.scaling", "torchtitan scales float8 by tensor as it is now, or mx");
  const bool mx = precision.scaling == Scaling::mx;
  if (precision.compute == base::DType::fp8 && (mx || precision.scaling == Scaling::current)) {
    out.set("converters", std::vector<std::string>{mx ? "mx" : "float8"});
    draft.expressed({"precision.compute", "precision.scaling"});
  }
}

void add_training(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  out.table("training");
  // With a pipeline the local batch is cut into its micro-batches, else it is accumulated.
  const std::int64_t local =
      plan.pipeline > 1 ? plan.global_batch / plan.data : std::int64_t{plan.micro_batch};
  out.set("local_batch_size", local);
  out.set("global_batch_size", plan.global_batch);
  out.set("seq_len", plan.sequence);
  draft.expressed({"micro_batch", "global_batch", "sequence"});
  out.set("max_norm", 1.0);
  draft.always("clip_gradients", "true");
  const Precision& precision = plan.precision;
  const bool full = precision.compute == base::DType::fp32;
  out.set("mixed_precision_param", full ? "float32" : "bfloat16");
  out.set("mixed_precision_reduce", "float32");
  if (full || precision.compute == base::DType::bf16) draft.expressed({"precision.compute"});
  draft.always("precision.parameters", full ? "fp32" : "bf16");
  draft.always("precision.gradients", "fp32");
  draft.always("precision.master", "fp32");
  draft.always("precision.moments", "fp32");
  draft.always("fsdp.gather_dtype", full ? "fp32" : "bf16");
  draft.always("fsdp.reduce_dtype", "fp32");
  out.set("enable_cpu_offload", plan.zero == 3 && plan.fsdp.offload);
  draft.expressed({"fsdp.offload"});
  draft.always("offload.optimizer", "false");
  out.set("compile", plan.overlap.tensor == TensorOverlap::parts);
}

void add_data(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  const bool sharded = plan.zero == 3;
  const int replicas = sharded ? plan.data_replicate : plan.data;
  out.set("data_parallel_replicate_degree", replicas);
  out.set("data_parallel_shard_degree", sharded ? plan.data / plan.data_replicate : 1);
  draft.expressed({"data_parallel"});
  draft.cannot("zero", "torchtitan has DDP and FSDP");
  if (sharded || plan.zero == 0) draft.expressed({"zero"});
  if (sharded) draft.expressed({"data_replicate"});
  draft.always("data_replicate", "1");
  if (!sharded && plan.zero == 0 && (plan.tensor > 1 || plan.context.degree > 1))
    draft.remark(
        "torchtitan has DDP without other parallelism only; with it this is HSDP of one "
        "shard");
  draft.cannot("zero_split", "see zero");
  draft.cannot("fsdp.reshard_after_forward", "torchtitan reshards to all ranks or not");
  if (sharded) {
    const int after = plan.fsdp.ranks_after_forward;
    out.set("fsdp_reshard_after_forward", after == 1 ? "never" : "always");
    if (after < 2) draft.expressed({"fsdp.reshard_after_forward"});
  }
  draft.always("fsdp.layers_per_unit", "[1]");
  draft.always("fsdp.prefetch", "1");
  draft.always("fsdp.root", "head");
  draft.always("overlap.gradient_reduce", "true");
  draft.always("overlap.parameter_gather", "true");
  draft.always("sync", sharded ? "every" : "last");
  draft.always("ddp.buckets", "sequential");
  draft.always("bucket", fmt::format("{} B", base::Bytes::from_mib(25).count()));
  draft.always("ddp.first_bucket_size", fmt::format("{} B", base::Bytes::from_mib(1).count()));
  draft.cannot("gather_bucket", "see zero");
}

void add_tensor(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  out.set("tensor_parallel_degree", plan.tensor);
  draft.expressed({"tensor_parallel"});
  draft.always("sequence_parallel", "true");
  if (plan.tensor > 1) {
    out.set("disable_loss_parallel", plan.gather_logits);
    out.set("enable_async_tensor_parallel", plan.overlap.tensor == TensorOverlap::parts);
  }
  draft.expressed({"loss"});
  draft.cannot("overlap.tensor", "async tensor parallel of torchtitan is in parts");
  if (plan.overlap.tensor != TensorOverlap::own_part) draft.expressed({"overlap.tensor"});
  draft.always("tensor_backward", "merged");
  draft.always("fused_projections", "false");
}

/// Names of torch.distributed.pipelining; empty where it has none.
std::string_view schedule_of(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::gpipe: return "GPipe";
    case ScheduleKind::one_f_one_b: return "1F1B";
    case ScheduleKind::interleaved: return "Interleaved1F1B";
    case ScheduleKind::zb_v: return "ZBVZeroBubble";
    case ScheduleKind::dualpipe_v: return "DualPipeV";
    default: return {};
  }
}

void add_pipeline(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  out.set("pipeline_parallel_degree", plan.pipeline);
  draft.expressed({"pipeline_parallel"});
  if (plan.pipeline == 1) return;
  const std::string_view schedule = schedule_of(plan.schedule);
  draft.cannot("schedule",
               "torchtitan has GPipe, 1F1B, Interleaved1F1B, ZBVZeroBubble and DualPipeV");
  draft.cannot("stage_layers", "they belong to the schedule");
  draft.cannot("virtual_stages", "they belong to the schedule");
  if (!schedule.empty()) {
    out.set("pipeline_parallel_schedule", schedule);
    std::vector<std::vector<std::string>> modules;
    int layer = 0;
    for (const int length : stage_layers(plan, draft.model())) {
      std::vector<std::string>& part = modules.emplace_back();
      if (modules.size() == 1) part.emplace_back("tok_embeddings");
      for (int i = 0; i < length; ++i) part.push_back(fmt::format("layers.{}", layer++));
    }
    modules.back().emplace_back("norm");
    modules.back().emplace_back("output");
    out.set("module_fqns_per_model_part", modules);
    draft.expressed({"schedule", "stage_layers", "virtual_stages"});
  }
  out.set("pipeline_parallel_microbatch_size", plan.micro_batch);
  draft.always("messages", "whole");
  draft.always("overlap.point_to_point", "true");
}

void add_context(Draft& draft, Toml& out) {
  const ContextParallel& context = draft.plan().context;
  out.set("context_parallel_degree", context.degree);
  draft.expressed({"context_parallel"});
  if (context.degree == 1) return;
  draft.always("context.ulysses", "1");
  draft.always("context.expand_kv", "false");
  draft.cannot("context.attention",
               "torchtitan gathers keys and values or passes them round "
               "zig-zag");
  const bool gathers = context.attention == ContextAttention::all_gather;
  if (!gathers && context.attention != ContextAttention::zigzag) return;
  out.set("context_parallel_rotate_method", gathers ? "allgather" : "alltoall");
  draft.expressed({"context.attention"});
}

void add_experts(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  if (!draft.model().mixture) return;
  out.set("expert_parallel_degree", plan.expert.degree);
  draft.expressed({"expert_parallel"});
  draft.always("expert_tensor_parallel",
               plan.expert.degree > 1 ? "1" : fmt::format("{}", plan.tensor));
  draft.always("expert.own_axis", "false");
  draft.always("expert.dispatcher", "all_to_all");
  draft.always("expert.dispatch", "bf16");
  draft.always("expert.backward_exchange", "true");
  draft.always("overlap.expert", "false");
}

/// The operators that torchtitan's selective checkpointing "op" computes again: it keeps attention,
/// collectives and every second matrix product.
constexpr std::string_view selective_operators =
    "[activation, k_projection, mlp_gate, norm, output_projection, residual, rotary]";

void add_recompute(Draft& draft, Toml& out) {
  const Plan& plan = draft.plan();
  out.table("activation_checkpoint");
  switch (plan.recompute) {
    case Recompute::none:
      out.set("mode", "none");
      draft.expressed({"recompute"});
      break;
    case Recompute::full:
      out.set("mode", plan.recompute_every == 1 ? "full" : "selective");
      if (plan.recompute_every > 1)
        out.set("selective_ac_option", fmt::format("{}", plan.recompute_every));
      draft.expressed({"recompute", "recompute_every"});
      break;
    case Recompute::selective:
      draft.cannot("recompute", "torchtitan's selective keeps the attention");
      out.set("mode", "none");
      break;
    case Recompute::operators:
      draft.always("recompute_operators", selective_operators);
      out.set("mode", "selective");
      out.set("selective_ac_option", "op");
      draft.expressed({"recompute"});
      break;
  }
}

void add_optimizer(Draft& draft, Toml& out) {
  const Optimizer& optimizer = draft.plan().optimizer;
  out.table("optimizer");
  draft.cannot("optimizer.kind", "torchtitan has Adam and AdamW");
  const bool decoupled = optimizer.kind == OptimizerKind::adamw;
  if (decoupled || optimizer.kind == OptimizerKind::adam) {
    out.set("name", decoupled ? "AdamW" : "Adam");
    out.set("implementation", optimizer.launch == OptimizerLaunch::fused     ? "fused"
                              : optimizer.launch == OptimizerLaunch::foreach ? "foreach"
                                                                             : "for-loop");
    draft.expressed({"optimizer.kind", "optimizer.launch"});
  }
  draft.always("optimizer.gradients", "in_place");
}

}  // namespace

Launch torchtitan(const Job& job, const Framework& framework) {
  Draft draft(job, framework);
  Toml out;
  out.table("job");
  out.set("description", job.name);
  add_model(draft, out);
  add_optimizer(draft, out);
  add_training(draft, out);
  out.table("parallelism");
  add_data(draft, out);
  add_tensor(draft, out);
  add_pipeline(draft, out);
  add_context(draft, out);
  add_experts(draft, out);
  add_recompute(draft, out);
  const Precision& precision = job.plan.precision;
  if (precision.compute == base::DType::fp8 && precision.scaling == Scaling::current) {
    out.table("float8");
    out.set("recipe_name", "tensorwise");
  } else if (precision.compute == base::DType::fp8 && precision.scaling == Scaling::mx) {
    out.table("mx");
    out.set("recipe_name", "mxfp8_cublas");
  }
  draft.cannot("rank_order", "the mesh of torchtitan is tp-cp-dp-pp, tp fastest");
  if (has_order(job.plan, "tp-cp-dp-pp")) draft.expressed({"rank_order"});
  draft.always("loss_kernels", "eager");
  draft.always("flash_attention", "true");
  draft.always("execution.gradient_accumulation", "fused");
  draft.always("execution.gated_activation", "fused");
  draft.remark("Data, tokenizer, learning rate, steps and checkpoints are yours to add; then");
  draft.remark(
      fmt::format("torchrun --nnodes {} --nproc-per-node {} -m torchtitan.train "
                  "--job.config_file THIS_FILE",
                  nodes_of(job), std::min(job.ranks_per_node, job.plan.ranks())));
  return {comments(draft.head()) + "\n" + out.text(), draft.left_out()};
}

}  // namespace strategies::launch
