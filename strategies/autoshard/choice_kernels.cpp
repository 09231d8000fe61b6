#include "strategies/autoshard/choice_kernels.hpp"

#include <optional>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

const LayoutGraph& layouts_of(const Problem& problem, int tensor) {
  return problem.layout_graphs[static_cast<std::size_t>(
      problem.tensors[static_cast<std::size_t>(tensor)].layouts)];
}

bool has_layouts(const Problem& problem, const ProblemNode& node, const Choice& choice,
                 const Signature& signature, const Sharding& sharding) {
  for (std::size_t i = 0; i < node.operands.size(); ++i)
    if (problem.layout_graphs[static_cast<std::size_t>(node.operands[i])].find(
            operand_layout(signature, sharding, static_cast<int>(i))) != choice.operands[i])
      return false;
  for (std::size_t r = 0; r < node.results.size(); ++r)
    if (layouts_of(problem, node.results[r])
            .find(result_layout(signature, sharding, static_cast<int>(r))) != choice.results[r])
      return false;
  return true;
}

}  // namespace

base::Kernel accumulation_kernel(base::Bytes local) { return base::MemoryBound{local * 3}; }

std::vector<base::Kernel> kernels_of(const TensorGraph& graph, const Problem& problem, int node,
                                     const Choice& choice, const placement::Mesh& mesh,
                                     const Prices& prices) {
  if (node >= static_cast<int>(graph.nodes.size())) {
    const ProblemNode& alias = problem.nodes[static_cast<std::size_t>(node)];
    if (!alias.accumulates) return {};
    const LayoutGraph& layouts = layouts_of(problem, alias.results.front());
    return {
        accumulation_kernel(layouts.local_bytes[static_cast<std::size_t>(choice.results.front())])};
  }
  const Node& its = graph.nodes[static_cast<std::size_t>(node)];
  if (its.role != Role::operation || std::holds_alternative<NoWork>(its.work)) return {};
  const Signature signature = signature_of(its);
  std::optional<std::pair<base::Seconds, std::vector<base::Kernel>>> best;
  for (const Sharding& sharding : enumerate_shardings(signature, mesh)) {
    if (!has_layouts(problem, problem.nodes[static_cast<std::size_t>(node)], choice, signature,
                     sharding))
      continue;
    std::vector<base::Kernel> kernels =
        kernels_of(its, signature, local_sizes(signature, sharding, mesh));
    base::Seconds time;
    for (const base::Kernel& kernel : kernels) time += prices.kernel(kernel);
    if (!best || time < best->first) best = {time, std::move(kernels)};
  }
  CHECK_INVARIANT(best);
  return std::move(best->second);
}

}  // namespace strategies::autoshard
