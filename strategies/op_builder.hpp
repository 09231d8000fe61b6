#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strategies/op_graph.hpp"

/// The operators of a transformer one by one, as `build_ops` strings them together.
///
/// Memory-bound operators are counted as fused kernels: each tensor read once and written once.
/// Saved activations are what Megatron keeps with fused kernels (Korthikanti et al. 2022, arXiv
/// 2205.05198, section 4.1): each tensor belongs to the operator that needs it in its backward, and
/// a tensor that two operators need belongs to the first of them.
namespace strategies {

class OpBuilder {
 public:
  OpBuilder(const ModelSpec& model, const OpOptions& options);

  const ModelSpec& model() const { return model_; }

  Op norm(std::string name) const;
  /// Adds `branches` outputs to the residual stream, with dropout.
  Op residual(std::string name, int branches) const;
  void embedding(std::vector<Op>& ops) const;
  void attention(std::vector<Op>& ops, std::int64_t window) const;
  /// `saves_input`: nobody before keeps the input of the up projection.
  void mlp(std::vector<Op>& ops, bool saves_input) const;
  void mixture(std::vector<Op>& ops) const;
  void head(std::vector<Op>& ops) const;

 private:
  /// A weight matrix, unsharded; `out_local` when the rank's share of `out` is not out/tensor.
  struct Linear {
    OpKind kind;
    std::string name;
    TensorSplit split;
    std::int64_t in;
    std::int64_t out;
    bool bias = false;
    bool saves_input = true;
    std::int64_t out_local = 0;
    bool narrow = true;  ///< fp8 and fp4 where the plan has them; the head keeps 16 bits
  };
  /// What passes through the experts that this rank has, and the width of one.
  struct ExpertShape {
    std::int64_t tokens = 0;     ///< of this rank, that go to experts
    std::int64_t sent_rows = 0;  ///< copies of them, one for each expert that they go to
    std::int64_t experts = 0;    ///< on this rank
    std::int64_t rows_each = 0;
    std::int64_t ffn_local = 0;
    bool gathers = false;  ///< what arrives at the ranks that divide an expert goes to all of them
    bool joined = false;   ///< gathers tokens of the tensor ranks, and sums over them afterwards
    std::int64_t busy_rows = 0;       ///< sent_rows of the busiest rank
    std::int64_t busy_crossings = 0;  ///< node_limited: its tokens times the nodes they go to
    std::int64_t rows() const { return experts * rows_each; }
  };

  Op linear(Linear shape) const;
  Op expert_linear(OpKind kind, const ExpertShape& shape) const;
  Op feature_norm(std::string name, TensorSplit split, std::int64_t rows, std::int64_t features,
                  std::int64_t groups, std::int64_t parameters) const;
  Op activation(OpKind kind, std::string name, std::int64_t rows, std::int64_t width) const;
  Op rotary() const;
  Op core_attention(std::int64_t window) const;
  void eager_softmax(std::vector<Op>& ops) const;
  Op router() const;
  Op dispatch(const ExpertShape& shape) const;
  Op combine(const ExpertShape& shape) const;
  Op loss() const;
  ExpertShape expert_shape() const;
  void sort_rows(const ExpertShape& shape, Op& op) const;
  void exchange_dispatched(const ExpertShape& shape, Op& dispatch) const;
  void exchange_results(const ExpertShape& shape, Op& expert_down) const;
  void align_rows(bool up, const ExpertShape& shape, Op& op) const;
  void shared_experts(std::vector<Op>& ops, bool joined) const;
  void exchange_heads(std::string name, std::int64_t elements, std::vector<Op>& ops) const;
  void exchange_keys(std::vector<Op>& ops) const;
  void split_attention(const base::Attention& whole, Op& op) const;
  void projections(std::vector<Op>& ops) const;
  void latent_projections(std::vector<Op>& ops) const;
  void dense_mlp(std::vector<Op>& ops, const std::string& prefix, std::int64_t width, bool bias,
                 bool saves_input) const;

  bool narrow() const;
  double narrow_bytes() const;
  base::Kernel cast(std::int64_t elements, std::int64_t tensors) const;
  void quantise(std::int64_t inputs, std::int64_t outputs, std::int64_t tensors, Op& op) const;
  /// Traffic of `elements` activations and `bytes` of whatever else, in `kernels` launches.
  base::Kernel memory(std::int64_t elements, std::int64_t bytes = 0, int kernels = 1) const;
  std::int64_t local(std::int64_t count) const;
  std::int64_t up_width(std::int64_t width) const { return model_.gated ? 2 * width : width; }

  const ModelSpec& model_;
  OpOptions options_;
  std::int64_t seq_ = 0;           ///< tokens of a sequence that this context rank has
  std::int64_t tokens_ = 0;        ///< of the micro-batch, of this context rank
  std::int64_t shard_tokens_ = 0;  ///< of this rank in `sequence` operators
  std::int64_t q_heads_ = 0;       ///< of this rank
  std::int64_t kv_heads_ = 0;      ///< of this rank: at least one, replicated if need be
  std::int64_t value_dim_ = 0;
  base::DType stored_ = base::DType::bf16;  ///< activations between kernels
  std::int64_t element_ = 2;                ///< bytes of one
};

}  // namespace strategies
