#pragma once

#include <iterator>
#include <set>
#include <sstream>
#include <string>

/// Options that frameworks document, as far as launch files use them.
namespace strategies::launch {

inline std::set<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

/// Names of arguments in megatron/training/arguments.py of NVIDIA/Megatron-LM at commit
/// 000c4ac24f61 that are used here.
inline const std::set<std::string> megatron_names = words(R"(
--num-layers --hidden-size --ffn-hidden-size --num-attention-heads --kv-channels
--group-query-attention --num-query-groups --max-position-embeddings --position-embedding-type
--normalization --swiglu --squared-relu --untie-embeddings-and-output-weights
--disable-bias-linear --add-qkv-bias --qk-layernorm --softmax-type --window-size
--window-attn-skip-freq --padded-vocab-size --hidden-dropout --attention-dropout
--multi-latent-attention --q-lora-rank --kv-lora-rank --qk-head-dim --qk-pos-emb-head-dim
--v-head-dim --num-experts --moe-router-topk --moe-ffn-hidden-size
--moe-shared-expert-intermediate-size --moe-layer-freq --moe-expert-capacity-factor
--moe-router-score-function --moe-router-enable-expert-bias --moe-grouped-gemm
--moe-token-dispatcher-type --moe-enable-deepep --moe-router-num-groups --moe-router-group-topk
--overlap-moe-expert-parallel-comm --micro-batch-size --global-batch-size --seq-length
--tensor-model-parallel-size --sequence-parallel --tp-comm-overlap
--pipeline-model-parallel-size --num-virtual-stages-per-pipeline-rank
--account-for-embedding-in-pipeline-split --account-for-loss-in-pipeline-split
--decoder-first-pipeline-num-layers --decoder-last-pipeline-num-layers
--pipeline-model-parallel-layout --no-overlap-p2p-communication
--no-scatter-gather-tensors-in-pipeline --use-distributed-optimizer --use-megatron-fsdp
--data-parallel-sharding-strategy --ckpt-format --num-distributed-optimizer-instances
--overlap-grad-reduce --overlap-param-gather --ddp-bucket-size --context-parallel-size
--cp-comm-type --hierarchical-context-parallel-sizes --expert-model-parallel-size
--expert-tensor-parallel-size --use-tp-pp-dp-mapping --recompute-granularity --recompute-method
--recompute-num-layers --recompute-modules --fp16 --bf16 --fp8-format --fp8-recipe --fp4-format
--fp8-param-gather --grad-reduce-in-bf16 --accumulate-allreduce-grads-in-fp32
--use-precision-aware-optimizer --main-params-dtype --exp-avg-dtype --exp-avg-sq-dtype
--attention-backend --cross-entropy-loss-fusion --no-gradient-accumulation-fusion
--no-bias-swiglu-fusion --optimizer --sgd-momentum --muon-num-ns-steps --clip-grad
--optimizer-cpu-offload
)");

/// Fields of dataclasses in scaletorch/trainer/config.py of jianzhnie/ScaleTorch at commit
/// 554ef290a23b.
inline const std::set<std::string> scaletorch_names = words(R"(
--model_name_or_path --num_hidden_layers --num_attention_heads --num_key_value_heads
--micro_batch_size --gradient_accumulation_steps --sequence_length --tensor_parallel_size
--pipeline_parallel_size --data_parallel_size --context_parallel_size --expert_parallel_size
--pipeline_parallel_engine --gradient_checkpointing --dtype --use_flash_attention
--optimizer_type --use_fused_adam --max_grad_norm
)");

/// "section.field" in torchtitan/config/job_config.py of pytorch/torchtitan at commit 6404b932421f.
inline const std::set<std::string> torchtitan_names = words(R"(
job.description model.name model.flavor model.converters optimizer.name optimizer.implementation
training.local_batch_size training.global_batch_size training.seq_len training.max_norm
training.mixed_precision_param training.mixed_precision_reduce training.enable_cpu_offload
training.compile parallelism.data_parallel_replicate_degree
parallelism.data_parallel_shard_degree parallelism.fsdp_reshard_after_forward
parallelism.tensor_parallel_degree parallelism.disable_loss_parallel
parallelism.enable_async_tensor_parallel parallelism.pipeline_parallel_degree
parallelism.pipeline_parallel_schedule parallelism.module_fqns_per_model_part
parallelism.pipeline_parallel_microbatch_size parallelism.context_parallel_degree
parallelism.context_parallel_rotate_method parallelism.expert_parallel_degree
activation_checkpoint.mode activation_checkpoint.selective_ac_option float8.recipe_name
mx.recipe_name
)");

/// Keys in docs/_pages/config-json.md of deepspeedai/DeepSpeed at commit 00376da49967.
inline const std::set<std::string> deepspeed_names = words(R"(
train_batch_size train_micro_batch_size_per_gpu gradient_accumulation_steps bf16 fp16 enabled
bf16_master_weights_and_grads bf16_optimizer_states data_types grad_accum_dtype
zero_optimization stage overlap_comm reduce_bucket_size allgather_bucket_size offload_optimizer
offload_param device tensor_parallel autotp_size vocab_parallel_lm_head expert_parallel
autoep_size optimizer type gradient_clipping
)");

}  // namespace strategies::launch
