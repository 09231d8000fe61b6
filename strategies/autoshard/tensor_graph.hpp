#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/kernel.hpp"
#include "strategies/autoshard/layout_graph.hpp"
#include "strategies/autoshard/rules.hpp"

/// The operators of one micro-batch, forward and backward, with the tensors between them in global
/// shapes: those of the whole device mesh. A layer stands for all equal ones.
namespace strategies::autoshard {

enum class Role : std::uint8_t { input, parameter, operation };
enum class Phase : std::uint8_t { forward, backward };

/// A result of a node.
struct Value {
  int node = -1;
  int result = 0;

  auto operator<=>(const Value&) const = default;
};

/// Where copies of an operand come from.
struct Source {
  Value value;
  double copies = 1;
};

/// Without work of its own: a view, or fused into its neighbours.
struct NoWork {
  bool operator==(const NoWork&) const = default;
};

/// A pass over tensors, `passes[i]` times over operand i, or over result i - operands.
struct MemoryWork {
  std::vector<double> passes;
  int kernels = 1;
};

/// The matrix product of the first two operands.
struct MatrixWork {};

/// \pre the signature of Family::attention, or of its backward: labels of batch, queries and heads
/// are those of the first operand.
struct AttentionWork {
  base::Attention whole;
};

using Work = std::variant<NoWork, MemoryWork, MatrixWork, AttentionWork>;

struct Node {
  std::string name;  ///< with the module path: "layers.attention.q_projection"
  Role role = Role::operation;
  Phase phase = Phase::forward;
  Operation operation;
  Work work;
  std::vector<std::vector<Source>> operands;  ///< several sources: of different copies
  std::vector<TensorType> operand_types;
  std::vector<TensorType> results;
  double copies = 1;
  int block = 0;  ///< whose copies they are: of TensorGraph::walk
  /// The operand comes as it is, without a collective: a cast before or after which, on the other
  /// side, communication is in the type that the precision asks for.
  bool still = false;
};

struct TensorGraph {
  std::vector<Node> nodes;
  /// Blocks in the order of a forward pass, each as often as its nodes have copies.
  std::vector<int> walk;
  /// Parameters, inputs and outputs with their gradients: at rest both have the same layout.
  std::vector<std::pair<Value, Value>> gradients;
};

const TensorType& type_of(const TensorGraph& graph, Value value);
Shapes shapes_of(const Node& node);

/// The signature of an operation. Inputs and parameters have none.
Signature signature_of(const Node& node);

/// What a rank runs that has `sizes` of each label: the slowest rank. Of a causal attention whose
/// queries are cut that is the last one, whose queries see all keys.
std::vector<base::Kernel> kernels_of(const Node& node, const Signature& signature,
                                     const std::vector<std::int64_t>& sizes);

/// On one rank, all copies.
base::Flop flop_of(const TensorGraph& graph);

}  // namespace strategies::autoshard
