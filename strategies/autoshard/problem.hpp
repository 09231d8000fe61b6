#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/units.hpp"
#include "strategies/autoshard/layout_graph.hpp"

/// What a solver chooses from: operators with ways to run them, tensors between them with layouts.
/// Indices throughout; made from a TensorGraph, and small enough to be written down by hand.
namespace strategies::autoshard {

/// A way to run an operator on the mesh.
struct Choice {
  std::vector<int> operands;  ///< the layout that each operand must have, see LayoutGraph::layouts
  std::vector<int> results;   ///< the layout that each result then has
  base::Seconds time;         ///< of its kernels on the slowest rank
};

/// A tensor that an operator makes (or that is given: parameters and inputs are made by a node
/// without operands).
struct ProblemTensor {
  std::string name;
  int layouts = 0;  ///< index into Problem::layout_graphs
  /// Bytes that a rank keeps of it while the step's memory is at its peak, by layout: weights with
  /// their gradients and optimizer states, saved activations. Empty: not kept. All copies together.
  std::vector<double> kept_bytes;
};

struct ProblemNode {
  std::string name;           ///< "layers.mlp.up", see TensorGraph
  std::vector<int> operands;  ///< layout graph of each operand
  std::vector<int> results;   ///< tensor of each result
  std::vector<Choice> choices;
  double copies = 1;  ///< equal nodes that make the same choice: repeated layers
  /// Runs once a step, with all that it reads, and not once a micro-batch: parameters, what is made
  /// of them alone, and gradients that come to rest.
  bool once = false;
  /// Adds what it reads to what earlier micro-batches have left: a gradient.
  bool accumulates = false;
};

/// A tensor is read. What it costs to get it from the layout that it has to the one that is needed
/// is paid `weight` times each time that the node runs: once a copy, less what is hidden.
struct ProblemEdge {
  int tensor = 0;
  int node = 0;
  int operand = 0;  ///< of the node; several edges to one operand: copies that read different ones
  double weight = 1;
  bool still = false;    ///< no collective allowed: the other side of a cast does it
  bool shrinks = false;  ///< only to layouts of which a rank has no more: the memory is there
};

struct Problem {
  std::vector<LayoutGraph> layout_graphs;  ///< one for each tensor type
  std::vector<ProblemTensor> tensors;
  std::vector<ProblemNode> nodes;
  std::vector<ProblemEdge> edges;
  /// Pairs of tensors that must have the same layout: parameter and gradient, input and its
  /// gradient. Both have the same layouts.
  std::vector<std::pair<int, int>> ties;
  double fixed_bytes = 0;  ///< of memory, whatever is chosen
  int micro_batches = 1;   ///< of a step

  /// Times that a node runs in a step, each copy.
  double runs(const ProblemNode& node) const { return node.once ? 1 : micro_batches; }
  double runs(const ProblemEdge& edge) const {
    return runs(nodes[static_cast<std::size_t>(edge.node)]);
  }
};

}  // namespace strategies::autoshard
