#include <algorithm>
#include <string>

#include "strategies/launch/draft.hpp"

/// ScaleTorch: arguments of its trainer, which reads dataclasses as flags.
namespace strategies::launch {

namespace {

void add_parallel(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  out.option("--tensor_parallel_size", plan.tensor);
  out.option("--pipeline_parallel_size", plan.pipeline);
  out.option("--data_parallel_size", plan.data);
  out.option("--context_parallel_size", plan.context.degree);
  draft.expressed({"tensor_parallel", "pipeline_parallel", "data_parallel", "context_parallel"});
  if (draft.model().mixture) {
    out.option("--expert_parallel_size", plan.expert.degree);
    draft.expressed({"expert_parallel"});
    draft.always("expert_tensor_parallel", "1");
    draft.always("expert.own_axis", "true");
    draft.always("expert.dispatcher", "all_to_all");
    draft.always("expert.dispatch", "bf16");
    draft.always("expert.backward_exchange", "false");
    draft.always("overlap.expert", "false");
  }
  draft.always("sequence_parallel", "false");
  draft.always("overlap.tensor", "false");
  draft.always("tensor_backward", "per_linear");
  draft.always("loss", "gather_logits");
  draft.always("fused_projections", "false");
  draft.always("context.attention", "ring");
  draft.always("context.ulysses", "1");
  draft.always("context.expand_kv", "true");
}

void add_pipeline(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  if (plan.pipeline == 1) return;
  draft.cannot("schedule", "ScaleTorch has 1f1b and afab");
  const bool gpipe = plan.schedule == ScheduleKind::gpipe;
  if (gpipe || plan.schedule == ScheduleKind::one_f_one_b) {
    out.option("--pipeline_parallel_engine", gpipe ? "afab" : "1f1b");
    draft.expressed({"schedule"});
  }
  draft.always("virtual_stages", "1");
  draft.always("messages", "whole");
  draft.always("overlap.point_to_point", "false");
  // It gives the first stages a layer more where layers do not divide.
  std::vector<int> layers(static_cast<std::size_t>(plan.pipeline),
                          draft.model().layer_count() / plan.pipeline);
  for (int i = 0; i < draft.model().layer_count() % plan.pipeline; ++i)
    ++layers[static_cast<std::size_t>(i)];
  draft.cannot("stage_layers", "ScaleTorch cuts equal stages, the first ones longer by one");
  if (stage_layers(plan, draft.model()) == layers) draft.expressed({"stage_layers"});
}

void add_data(Draft& draft) {
  draft.cannot("zero", "ScaleTorch's trainer has DDP; FSDP is in its examples");
  if (draft.plan().zero == 0) draft.expressed({"zero"});
  draft.always("data_replicate", "1");
  for (const char* key : {"zero_split", "overlap.parameter_gather", "gather_bucket"})
    draft.cannot(key, "see zero");
  draft.always("sync", "last");
  draft.always("overlap.gradient_reduce", "true");
  draft.always("ddp.buckets", "best_fit");
  draft.always("bucket",
               fmt::format("{} B", (std::int64_t{1} << 24) *
                                       base::bits_of(draft.plan().precision.gradients) / 8));
  draft.always("offload.optimizer", "false");
}

void add_numbers(Draft& draft, Arguments& out) {
  const Precision& precision = draft.plan().precision;
  draft.cannot("precision.compute", "ScaleTorch has bfloat16, float16 and float32");
  const std::string_view type = precision.compute == base::DType::bf16   ? "bfloat16"
                                : precision.compute == base::DType::fp16 ? "float16"
                                : precision.compute == base::DType::fp32 ? "float32"
                                                                         : "";
  if (!type.empty()) {
    out.option("--dtype", type);
    draft.expressed({"precision.compute"});
    draft.always("precision.parameters", base::name_of(precision.compute));
    // The optimizer works on the parameters as they are.
    draft.always("precision.master", base::name_of(precision.compute));
    draft.always("precision.moments", base::name_of(precision.compute));
  }
  draft.always("precision.gradients", "fp32");
  out.option("--use_flash_attention", draft.plan().flash_attention);
  draft.expressed({"flash_attention"});
  draft.always("loss_kernels", "eager");
  draft.always("execution.gradient_accumulation", "apart");
  draft.always("execution.gated_activation", "apart");
}

void add_recompute(Draft& draft, Arguments& out) {
  const Plan& plan = draft.plan();
  draft.cannot("recompute", "ScaleTorch computes whole layers again, or nothing");
  draft.cannot("recompute_operators", "see recompute");
  draft.always("recompute_every", "1");
  if (plan.recompute == Recompute::full && plan.pipeline > 1)
    return draft.cannot("recompute", "its pipeline ignores gradient_checkpointing");
  if (plan.recompute != Recompute::none && plan.recompute != Recompute::full) return;
  out.option("--gradient_checkpointing", plan.recompute == Recompute::full);
  draft.expressed({"recompute"});
}

void add_optimizer(Draft& draft, Arguments& out) {
  const Optimizer& optimizer = draft.plan().optimizer;
  const OptimizerKind kind = optimizer.kind;
  draft.cannot("optimizer.kind", "ScaleTorch has adamw, adam, sgd and lamb");
  if (kind == OptimizerKind::adam || kind == OptimizerKind::adamw || kind == OptimizerKind::sgd) {
    out.option("--optimizer_type", name_of(kind));
    draft.expressed({"optimizer.kind"});
  }
  const bool fused = optimizer.launch == OptimizerLaunch::fused;
  draft.cannot("optimizer.launch", "ScaleTorch has a fused AdamW; else PyTorch chooses foreach");
  if (kind == OptimizerKind::adamw && optimizer.launch != OptimizerLaunch::for_loop) {
    out.option("--use_fused_adam", fused);
    draft.expressed({"optimizer.launch"});
  } else if (optimizer.launch == OptimizerLaunch::foreach) {
    draft.expressed({"optimizer.launch"});
  }
  draft.always("optimizer.momentum", "false");
  draft.always("optimizer.gradients", "in_place");
  draft.cannot("clip_gradients", "--max_grad_norm has no value that turns it off");
  if (!draft.plan().clip_gradients) return;
  out.option("--max_grad_norm", 1.0);
  draft.expressed({"clip_gradients"});
}

}  // namespace

Launch scaletorch(const Job& job, const Framework& framework) {
  Draft draft(job, framework);
  Arguments out;
  out.group("model");
  out.option("--model_name_or_path", job.model.name);
  out.option("--num_hidden_layers", job.model.layer_count());
  out.option("--num_attention_heads", job.model.heads);
  out.option("--num_key_value_heads", job.model.kv_heads);
  draft.remark("--model_name_or_path: the model as Hugging Face names it, or its folder");
  out.group("batch");
  out.option("--micro_batch_size", job.plan.micro_batch);
  out.option("--gradient_accumulation_steps", job.plan.micro_batches());
  out.option("--sequence_length", job.plan.sequence);
  draft.expressed({"micro_batch", "global_batch", "sequence"});
  out.group("parallelism");
  add_parallel(draft, out);
  add_pipeline(draft, out);
  add_data(draft);
  draft.cannot("rank_order", "the grid of ScaleTorch is tp-ep-cp-pp-dp, tp fastest");
  if (has_order(job.plan, "tp-ep-cp-pp-dp")) draft.expressed({"rank_order"});
  out.group("memory, numbers and kernels");
  add_recompute(draft, out);
  add_numbers(draft, out);
  out.group("optimizer");
  add_optimizer(draft, out);
  draft.remark("Data, tokenizer, learning rate and checkpoints are yours to add; then");
  draft.remark("torchrun \"${torchrun[@]}\" tools/train.py \"${arguments[@]}\"");
  return {comments(draft.head()) + torchrun(job) + out.bash("arguments"), draft.left_out()};
}

}  // namespace strategies::launch
