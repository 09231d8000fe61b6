#include "strategies/autoshard/hand_written.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include "strategies/autoshard/summary.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;
using placement::Placement;
using placement::Replicate;
using placement::Shard;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Whether a projection writes into the residual stream, by its name in model_graph().
bool leads_back(const Node& node) {
  return node.name.ends_with(".output_projection") || node.name.ends_with(".down");
}

class Rule {
 public:
  Rule(HandWritten plan, std::size_t mesh_dims) : plan_(plan), mesh_dims_(mesh_dims) {}

  /// A projection of x with a weight of outputs and inputs.
  bool allows(const Node& node, const Layout& x, const Layout& weight) const {
    for (std::size_t d = 0; d < mesh_dims_; ++d) {
      const bool tensor = plan_ == HandWritten::megatron && d + 1 == mesh_dims_;
      const Placement used = tensor ? Placement{Shard{leads_back(node) ? 1 : 0}} : Replicate{};
      if (weight.placements[d] != used) return false;
      if (!tensor && x.placements[d] != Placement{Shard{0}}) return false;
    }
    return true;
  }

  bool allows_rest(const Layout& weight) const {
    return std::all_of(weight.placements.begin(), weight.placements.end(), [&](const Placement& p) {
      return placement::is_replicate(p) == (plan_ == HandWritten::ddp);
    });
  }

 private:
  HandWritten plan_;
  std::size_t mesh_dims_;
};

}  // namespace

Domains choices_of(HandWritten plan, const TensorGraph& graph, const Problem& problem) {
  Domains domains;
  for (const ProblemNode& node : problem.nodes) {
    domains.emplace_back(node.choices.size());
    for (std::size_t c = 0; c < node.choices.size(); ++c) domains.back()[c] = static_cast<int>(c);
  }
  const auto layout = [&](int layouts, int index) -> const Layout& {
    return problem.layout_graphs[at(layouts)].layouts[at(index)];
  };
  const Rule rule(plan, problem.layout_graphs.front().layouts.front().placements.size());
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    const bool projects =
        node.operation.family == Family::einsum || node.operation.family == Family::linear;
    if (node.phase != Phase::forward || !projects || node.operand_types[1].shape.size() != 2)
      continue;
    const std::optional<int> weight = parameter_of(graph, node.operands[1].front().value);
    if (!weight) continue;
    const ProblemNode& made = problem.nodes[n];
    std::erase_if(domains[n], [&](int c) {
      const Choice& choice = made.choices[at(c)];
      return !rule.allows(node, layout(made.operands[0], choice.operands[0]),
                          layout(made.operands[1], choice.operands[1]));
    });
    const ProblemNode& parameter = problem.nodes[at(*weight)];
    std::erase_if(domains[at(*weight)], [&](int c) {
      return !rule.allows_rest(layout(problem.tensors[at(parameter.results[0])].layouts,
                                      parameter.choices[at(c)].results[0]));
    });
  }
  return domains;
}

}  // namespace strategies::autoshard
