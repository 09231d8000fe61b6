#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

/// Number formats of a mixed-precision step.
struct StepPrecision {
  base::DType parameter = base::DType::fp32;  ///< at rest
  base::DType compute = base::DType::bf16;    ///< of activations, and what parameters are cast to
  base::DType reduce = base::DType::fp32;     ///< of gradients of parameters, when they are summed
};

inline constexpr base::DType index_type = base::DType::fp32;  ///< 4 bytes

/// Writes down a forward pass operator by operator and derives the backward pass from it.
///
/// Memory-bound operators are fused kernels that read and write each tensor once. Names are put
/// behind that of the block.
class GraphBuilder {
 public:
  /// \pre activations have 16 or 32 bits.
  explicit GraphBuilder(StepPrecision precision);

  /// What follows belongs to this block, of which there are `copies`.
  int begin_block(std::string name, double copies);
  /// The order of a forward pass, copy after copy; else all copies of a block are in a row.
  void walk(std::vector<int> blocks) { graph_.walk = std::move(blocks); }
  /// What the block gets from outside; `link` says from where.
  Value entry(std::string name, const TensorType& type);
  void link(Value entry, Value from, double copies);

  Value input(std::string name, const TensorType& type);
  /// An input that has no gradient.
  Value indices(std::string name, placement::Shape shape);
  /// Cast to the compute type where that is another.
  Value parameter(std::string name, placement::Shape shape);

  /// `equation` as "b s i, o i -> b s o": every letter in two of the three tensors.
  Value einsum(std::string name, Value x, Value weight, std::string equation);
  /// x of three dims, weight of outputs and inputs, bias of outputs.
  Value linear(std::string name, Value x, Value weight, Value bias);
  /// Terms of fewer dims than the first are added along all of its outer ones.
  Value add(std::string name, const std::vector<Value>& terms);
  /// Element-wise; backward reads all operands.
  Value pointwise(std::string name, const std::vector<Value>& operands);
  /// `parameters`: weight, and bias of a layer norm; of the last dim in `groups` parts.
  Value norm(std::string name, Value x, const std::vector<Value>& parameters,
             std::int64_t groups = 1);
  Value rotary(std::string name, Value x, std::int64_t heads);
  /// `whole`: of all ranks, forward.
  Value attention(std::string name, Value q, Value k, Value v, base::Attention whole);
  /// The last dim in parts of these sizes.
  std::vector<Value> split(std::string name, Value x, const std::vector<std::int64_t>& sizes);
  struct KeysAndValues {
    Value keys;
    Value values;
  };
  /// Latent attention: x has, of each head, the part of the key that is not rotated and the value
  /// of `value_dim`; the rotated part is the same for all heads.
  KeysAndValues latent_keys(std::string name, Value x, Value rotated, std::int64_t heads,
                            std::int64_t value_dim);
  Value embedding(std::string name, Value table, Value indices);
  /// Ends a forward pass: gives the gradient of the logits.
  void cross_entropy(std::string name, Value logits, Value labels);
  struct Routes {
    Value weights;
    Value experts;  ///< indices
  };
  /// The highest `count` of scores along the last dim.
  Routes route(std::string name, Value scores, std::int64_t count);
  /// `slots` rows for each of `experts`.
  Value dispatch(std::string name, Value x, Value chosen, std::int64_t experts, std::int64_t slots);
  /// The weighted sum of each token's rows.
  Value combine(std::string name, Value rows, const Routes& routes);

  /// Gives a value away: at rest it and its gradient, which comes from outside, lie alike.
  void output(std::string name, Value value);

  /// The gradient of a value that the end of the forward pass, or another block, gives.
  void seed(Value value, Value gradient) { gradients_[value].push_back(gradient); }
  /// As entry(), for the gradient of what the block gives away.
  Value seed_entry(std::string_view block, Value output);
  /// Backward pass of a block. \pre its outputs have their gradients.
  void differentiate(std::string_view block);
  /// The sum of all gradients of a value. \pre it has one.
  Value gradient_of(Value value);

  const TensorType& type(Value value) const { return type_of(graph_, value); }

  /// Gradients of parameters and inputs come to rest. \pre all blocks are differentiated.
  TensorGraph finish();

 private:
  struct Block {
    std::string name;
    double copies = 1;
  };
  struct Taped {
    std::size_t block = 0;
    std::function<void()> backward;
  };
  /// A parameter or an input.
  struct Leaf {
    std::size_t block = 0;
    std::string name;
    Value stored;
    Value used;
  };

  Value append(Node node);
  Value emit(std::string name, Operation operation, Work work, const std::vector<Value>& operands,
             std::vector<TensorType> results);
  /// A fused kernel over all tensors.
  Value pass(std::string name, Operation operation, const std::vector<Value>& operands,
             std::vector<TensorType> results);
  Value product(std::string name, Value left, Value right, const std::string& left_dims,
                const std::string& right_dims, const std::string& result_dims);
  Value cast(std::string name, Value value, base::DType type);
  void rest(const Leaf& leaf);
  void turn_back(std::string_view block);
  void tape(std::function<void()> backward) { tape_.push_back({block_, std::move(backward)}); }

  StepPrecision precision_;
  TensorGraph graph_;
  std::vector<Block> blocks_;
  std::size_t block_ = 0;
  Phase phase_ = Phase::forward;
  std::vector<Taped> tape_;
  std::map<Value, std::vector<Value>> gradients_;
  std::vector<Leaf> leaves_;
};

}  // namespace strategies::autoshard
