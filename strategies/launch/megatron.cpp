#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>

#include "strategies/launch/draft.hpp"
#include "strategies/launch/megatron_model.hpp"

/// Megatron-LM: arguments of pretrain_gpt.py (Megatron-Core models).
namespace strategies::launch {

namespace {

void add_tensor(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  out.option("--tensor-model-parallel-size", plan.tensor);
  draft.expressed({"tensor_parallel", "sequence_parallel"});
  if (plan.sequence_parallel && plan.tensor > 1) out.flag("--sequence-parallel");
  draft.cannot("overlap.tensor", "--tp-comm-overlap takes all matrices apart in parts");
  if (plan.overlap.tensor == TensorOverlap::parts) out.flag("--tp-comm-overlap");
  if (plan.overlap.tensor != TensorOverlap::own_part) draft.expressed({"overlap.tensor"});
  draft.always("tensor_backward", "merged");
  draft.always("loss", "vocabulary_parallel");
  draft.always("fused_projections", "true");
}

/// "Et*3|t*4|t*3L": embedding, layers and loss of each virtual stage.
std::string layout_of(const std::vector<int>& layers) {
  std::string text = "E";
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) text += '|';
    if (layers[i] == 1) text += 't';
    if (layers[i] > 1) text += fmt::format("t*{}", layers[i]);
  }
  return text + (text.back() >= '0' && text.back() <= '9' ? ",L" : "L");
}

/// Equal runs of layers have an option of their own, given ends another; else all is spelt out.
void add_layers(Draft& draft, Arguments& out, bool interleaved) {
  const Plan& plan = draft.plan();
  const bool virtual_stages = interleaved && plan.virtual_stages > 1;
  const bool listed = !plan.stage_layers.empty() || plan.uneven == Uneven::first;
  if (virtual_stages && !listed)
    out.option("--num-virtual-stages-per-pipeline-rank", plan.virtual_stages);
  if (plan.account_for_embedding) out.flag("--account-for-embedding-in-pipeline-split");
  if (plan.account_for_loss) out.flag("--account-for-loss-in-pipeline-split");
  if (plan.first_stage_layers)
    out.option("--decoder-first-pipeline-num-layers", *plan.first_stage_layers);
  if (plan.last_stage_layers)
    out.option("--decoder-last-pipeline-num-layers", *plan.last_stage_layers);
  if (listed)
    out.option("--pipeline-model-parallel-layout", layout_of(stage_layers(plan, draft.model())));
  draft.expressed({"stage_layers", "virtual_stages"});
}

void add_pipeline(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  out.option("--pipeline-model-parallel-size", plan.pipeline);
  draft.expressed({"pipeline_parallel"});
  if (plan.pipeline == 1) return;
  draft.cannot("schedule", "Megatron-LM has 1f1b and interleaved");
  const bool interleaved = plan.schedule == ScheduleKind::interleaved;
  if (interleaved || plan.schedule == ScheduleKind::one_f_one_b) {
    draft.expressed({"schedule"});
    add_layers(draft, out, interleaved);
  } else {
    draft.cannot("stage_layers", "they belong to the schedule");
    draft.cannot("virtual_stages", "they belong to the schedule");
  }
  if (interleaved && !plan.overlaps_messages()) out.flag("--no-overlap-p2p-communication");
  if (interleaved)
    draft.expressed({"overlap.point_to_point"});
  else
    draft.always("overlap.point_to_point", "false");
  if (!plan.scatters_messages && plan.tensor > 1 && !plan.sequence_parallel)
    out.flag("--no-scatter-gather-tensors-in-pipeline");
  draft.expressed({"messages"});
}

void add_zero(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  if (plan.zero >= 1) out.flag("--use-distributed-optimizer");
  if (plan.zero >= 2) {
    out.flag("--use-megatron-fsdp");
    out.option("--data-parallel-sharding-strategy",
               plan.zero == 2 ? "optim_grads" : "optim_grads_params");
    out.option("--ckpt-format", "fsdp_dtensor");
  }
  if (plan.data_replicate > 1)
    out.option("--num-distributed-optimizer-instances", plan.data_replicate);
  draft.expressed({"data_parallel", "zero", "data_replicate"});
  draft.always("zero_split", "elements");
  draft.always("sync", plan.zero >= 2 ? "every" : "last");
  draft.always("fsdp.reshard_after_forward", "true");
  draft.always("fsdp.layers_per_unit", "[1]");
  draft.always("fsdp.prefetch", "1");
  draft.always("fsdp.root", "none");
  draft.always("fsdp.offload", "false");
  draft.always("fsdp.gather_dtype", base::name_of(plan.precision.parameters));
  draft.always("fsdp.reduce_dtype", base::name_of(plan.precision.gradients));
}

void add_data(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  add_zero(draft, out);
  if (plan.overlap.gradient_reduce) out.flag("--overlap-grad-reduce");
  if (plan.zero >= 1 && plan.overlap.parameter_gather && plan.overlap.gradient_reduce)
    out.flag("--overlap-param-gather");
  draft.expressed({"overlap.gradient_reduce"});
  draft.cannot("overlap.parameter_gather",
               "--overlap-param-gather goes with --overlap-grad-reduce only");
  if (plan.overlap.gradient_reduce || !plan.overlap.parameter_gather)
    draft.expressed({"overlap.parameter_gather"});
  draft.always("ddp.buckets", "megatron");
  if (plan.zero < 2 && plan.overlap.gradient_reduce)
    out.option("--ddp-bucket-size",
               static_cast<std::int64_t>(plan.bucket.as_double() /
                                         base::bytes_of(plan.precision.gradients)));
  draft.cannot("bucket", plan.overlap.gradient_reduce
                             ? "Megatron-FSDP has units of layers instead"
                             : "without overlap Megatron-LM has one bucket");
  if (plan.zero < 2 && plan.overlap.gradient_reduce) draft.expressed({"bucket"});
  draft.cannot("gather_bucket", "parameters are gathered by the buckets of gradients");
}

void add_context(Draft& draft, Arguments& out) {
  const ContextParallel& context = draft.plan().context;
  draft.expressed({"context_parallel"});
  if (context.degree == 1) return;
  out.option("--context-parallel-size", context.degree);
  draft.always("context.expand_kv", "false");
  draft.cannot("context.attention", "rings of Megatron-LM are zig-zag");
  if (context.attention == ContextAttention::ring) return;
  const bool ulysses = context.attention == ContextAttention::ulysses;
  const bool gathers = context.attention == ContextAttention::all_gather;
  if (gathers && context.ulysses > 1) {
    draft.cannot("context.ulysses", "a2a goes with p2p only");
    draft.cannot("context.attention", "a2a goes with p2p only");
    return;
  }
  const bool both = !ulysses && context.ulysses > 1;
  out.option("--cp-comm-type", ulysses ? "a2a" : gathers ? "allgather" : both ? "a2a+p2p" : "p2p");
  if (both)
    out.flag(fmt::format("--hierarchical-context-parallel-sizes {} {}", context.ulysses,
                         context.ring()));
  draft.expressed({"context.attention", "context.ulysses"});
}

void add_experts(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  if (!draft.model().mixture) return;
  out.option("--expert-model-parallel-size", plan.expert.degree);
  out.option("--expert-tensor-parallel-size", plan.expert.tensor_or(plan.tensor));
  draft.expressed({"expert_parallel", "expert_tensor_parallel"});
  out.flag("--moe-grouped-gemm");
  if (plan.expert.degree == 1) return;
  const Dispatcher dispatcher = plan.expert.dispatcher;
  out.option("--moe-token-dispatcher-type", dispatcher == Dispatcher::all_to_all   ? "alltoall"
                                            : dispatcher == Dispatcher::all_gather ? "allgather"
                                                                                   : "flex");
  if (dispatcher == Dispatcher::node_limited) {
    out.flag("--moe-enable-deepep");
    const int groups = std::max(1, plan.expert.degree / plan.expert.inner());
    if (plan.expert.inner() > 1 && plan.expert.nodes_per_token < groups) {
      out.option("--moe-router-num-groups", groups);
      out.option("--moe-router-group-topk", plan.expert.nodes_per_token);
    }
    draft.expressed({"expert.nodes_per_token"});
  }
  if (plan.overlap.expert) out.flag("--overlap-moe-expert-parallel-comm");
  draft.expressed({"expert.dispatcher", "overlap.expert"});
  draft.always("expert.own_axis", "false");
  draft.always("expert.backward_exchange", "true");
  draft.always("expert.dispatch", "bf16");
}

/// The modules that --recompute-modules names, for operators of ours.
std::optional<std::vector<std::string>> modules_of(const std::vector<std::string>& operators) {
  std::set<std::string> left(operators.begin(), operators.end());
  std::vector<std::string> modules;
  const auto take = [&](const char* module, std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (!left.contains(name)) return;
    for (const char* name : names) left.erase(name);
    modules.emplace_back(module);
  };
  take("core_attn", {"attention"});
  take("layernorm", {"norm"});
  take("mlp", {"mlp_up", "activation", "mlp_down"});
  take("moe", {"router", "dispatch", "expert_up", "expert_activation", "expert_down", "combine"});
  take("moe_act", {"expert_activation"});
  if (!left.empty()) return std::nullopt;
  return modules;
}

void add_recompute(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  const auto selective = [&](const std::vector<std::string>& modules) {
    out.option("--recompute-granularity", "selective");
    out.flag(fmt::format("--recompute-modules {}", fmt::join(modules, " ")));
    draft.expressed({"recompute", "recompute_operators"});
  };
  switch (plan.recompute) {
    case Recompute::none: draft.expressed({"recompute"}); break;
    case Recompute::selective: selective({"core_attn"}); break;
    case Recompute::full:
      draft.expressed({"recompute"});
      out.option("--recompute-granularity", "full");
      out.option("--recompute-method", "uniform");
      out.option("--recompute-num-layers", 1);
      draft.always("recompute_every", "1");
      break;
    case Recompute::operators:
      draft.cannot("recompute", "see recompute_operators");
      draft.cannot("recompute_operators",
                   "--recompute-modules has core_attn, layernorm, mlp, moe and moe_act");
      if (const auto modules = modules_of(plan.recompute_operators)) selective(*modules);
      break;
  }
}

void add_compute(Draft& draft, Arguments& out) {
  const Precision& precision = draft.plan().precision;
  draft.cannot("precision.compute", "Megatron-LM has fp32, fp16, bf16, fp8 and nvfp4");
  draft.cannot("precision.scaling", "no recipe of Megatron-LM scales like that");
  switch (precision.compute) {
    case base::DType::fp32: draft.expressed({"precision.compute"}); break;
    case base::DType::tf32: break;
    case base::DType::fp16:
      out.flag("--fp16");
      draft.expressed({"precision.compute"});
      break;
    case base::DType::bf16:
      out.flag("--bf16");
      draft.expressed({"precision.compute"});
      break;
    case base::DType::fp8:
      out.flag("--bf16");
      out.option("--fp8-format", "hybrid");
      if (precision.scaling == Scaling::nv) break;
      out.option("--fp8-recipe", precision.scaling == Scaling::delayed     ? "delayed"
                                 : precision.scaling == Scaling::current   ? "tensorwise"
                                 : precision.scaling == Scaling::blockwise ? "blockwise"
                                                                           : "mxfp8");
      draft.expressed({"precision.compute", "precision.scaling"});
      break;
    case base::DType::fp4:
      out.flag("--bf16");
      out.option("--fp4-format", "e2m1");
      draft.expressed({"precision.compute"});
      draft.always("precision.scaling", "nv");
      break;
  }
}

void add_precision(Draft& draft, Arguments& out) {
  const Precision& precision = draft.plan().precision;
  add_compute(draft, out);
  const bool half = precision.compute == base::DType::fp16;
  const bool full = precision.compute == base::DType::fp32;
  if (precision.parameters == base::DType::fp8) {
    out.flag("--fp8-param-gather");
    draft.expressed({"precision.parameters"});
  }
  draft.always("precision.parameters", half ? "fp16" : full ? "fp32" : "bf16");
  if (precision.gradients == base::DType::bf16 && !half && !full) {
    out.flag("--grad-reduce-in-bf16");
    draft.expressed({"precision.gradients"});
  } else if (precision.gradients == base::DType::fp32) {
    if (!full) out.flag("--accumulate-allreduce-grads-in-fp32");
    draft.expressed({"precision.gradients"});
  }
  draft.always("precision.gradients", half ? "fp16" : "fp32");
  // Types of --main-params-dtype, --exp-avg-dtype and --exp-avg-sq-dtype.
  const auto among = [](base::DType type, std::initializer_list<base::DType> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
  };
  const bool aware =
      precision.master != base::DType::fp32 || precision.moments != base::DType::fp32;
  draft.cannot("precision.master", "--main-params-dtype has fp32 and fp16");
  draft.cannot("precision.moments", "--exp-avg-dtype has fp32, fp16 and fp8");
  if (among(precision.master, {base::DType::fp32, base::DType::fp16}))
    draft.expressed({"precision.master"});
  if (among(precision.moments, {base::DType::fp32, base::DType::fp16, base::DType::fp8}))
    draft.expressed({"precision.moments"});
  if (aware || draft.plan().offload.optimizer) out.flag("--use-precision-aware-optimizer");
  if (precision.master == base::DType::fp16) out.option("--main-params-dtype", "fp16");
  if (among(precision.moments, {base::DType::fp16, base::DType::fp8})) {
    out.option("--exp-avg-dtype", base::name_of(precision.moments));
    out.option("--exp-avg-sq-dtype", base::name_of(precision.moments));
  }
}

void add_optimizer(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  const OptimizerKind kind = plan.optimizer.kind;
  draft.cannot("optimizer.kind", "Megatron-LM has adam (decoupled weight decay), sgd and muon");
  draft.always("optimizer.launch", "fused");
  draft.always("optimizer.gradients",
               plan.precision.compute == base::DType::fp16 ? "copied" : "in_place");
  if (kind == OptimizerKind::adam || kind == OptimizerKind::adamw || kind == OptimizerKind::sgd) {
    out.option("--optimizer", kind == OptimizerKind::sgd ? "sgd" : "adam");
    draft.expressed({"optimizer.kind", "optimizer.momentum"});
    if (kind == OptimizerKind::sgd && !plan.optimizer.momentum) out.option("--sgd-momentum", 0.0);
    if (kind == OptimizerKind::adam)
      draft.remark("Megatron-LM's adam decays weights apart from the gradient, as adamw does");
  } else if (kind == OptimizerKind::muon) {
    draft.cannot("optimizer.kind", "muon goes with zero: 0 only");
    if (plan.zero == 0) {
      out.option("--optimizer", "muon");
      out.option("--muon-num-ns-steps", plan.optimizer.newton_schulz_steps);
      out.option("--ckpt-format", "torch");
      draft.expressed({"optimizer.kind", "optimizer.newton_schulz_steps"});
    }
  }
  out.option("--clip-grad", plan.clip_gradients ? 1.0 : 0.0);
  draft.expressed({"clip_gradients", "offload.optimizer"});
  if (plan.offload.optimizer) out.flag("--optimizer-cpu-offload");
}

/// tp-cp-ep-dp-pp, or with --use-tp-pp-dp-mapping tp-cp-ep-pp-dp.
void add_order(Draft& draft, Arguments& out) {
  draft.cannot("rank_order", "Megatron-LM has tp-cp-dp-pp and tp-cp-pp-dp");
  if (has_order(draft.plan(), "tp-cp-dp-pp")) {
    draft.expressed({"rank_order"});
  } else if (has_order(draft.plan(), "tp-cp-pp-dp")) {
    out.flag("--use-tp-pp-dp-mapping");
    draft.expressed({"rank_order"});
  }
}

void add_kernels(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  out.option("--attention-backend", plan.flash_attention ? "flash" : "unfused");
  if (plan.loss_kernels == LossKernels::fused) out.flag("--cross-entropy-loss-fusion");
  if (plan.accumulates() && !plan.execution.fused_accumulation)
    out.flag("--no-gradient-accumulation-fusion");
  if (draft.model().gated && !plan.execution.fused_gate) out.flag("--no-bias-swiglu-fusion");
  if (plan.loss_kernels != LossKernels::sharded) draft.expressed({"loss_kernels"});
  draft.expressed(
      {"flash_attention", "execution.gradient_accumulation", "execution.gated_activation"});
}

}  // namespace

Launch megatron(const Job& job, const Framework& framework) {
  Draft draft(job, framework);
  Arguments out;
  out.group("model");
  add_megatron_model(draft, out);
  out.group("batch");
  out.option("--micro-batch-size", job.plan.micro_batch);
  out.option("--global-batch-size", job.plan.global_batch);
  out.option("--seq-length", job.plan.sequence);
  draft.expressed({"micro_batch", "global_batch", "sequence"});
  out.group("parallelism");
  add_tensor(draft, out);
  add_pipeline(draft, out);
  add_context(draft, out);
  add_experts(draft, out);
  add_data(draft, out);
  add_order(draft, out);
  out.group("memory, numbers and kernels");
  add_recompute(draft, out);
  add_precision(draft, out);
  add_kernels(draft, out);
  out.group("optimizer");
  add_optimizer(draft, out);
  draft.remark("Data, tokenizer, learning rate and checkpoints are yours to add; then");
  draft.remark("torchrun \"${torchrun[@]}\" pretrain_gpt.py \"${arguments[@]}\"");
  const bool ordered = (job.plan.tensor > 1 || job.plan.context.degree > 1) && job.plan.zero < 2;
  if (ordered)
    draft.remark(
        "CUDA_DEVICE_MAX_CONNECTIONS=1 is needed before Blackwell with tensor or context "
        "parallelism");
  return {comments(draft.head()) + torchrun(job) + out.bash("arguments"), draft.left_out()};
}

}  // namespace strategies::launch
