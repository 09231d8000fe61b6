#pragma once

#include <algorithm>
#include <vector>

#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

struct RatioRange {
  double low = 0;
  double high = 0;
};

/// AutoParallel's notion of memory, in place of bytes: of each parameter the share that a rank has,
/// all parameters alike. The sum over parameters lies between those of max(best, low) and of
/// max(best, high), where best is the least share that the parameter can have.
/// \pre `problem` was made of `graph`.
inline RatioRange keep_ratios(Problem& problem, const TensorGraph& graph, double low, double high) {
  RatioRange range;
  for (ProblemTensor& tensor : problem.tensors) tensor.kept_bytes.clear();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].role != Role::parameter) continue;
    ProblemTensor& tensor =
        problem.tensors[static_cast<std::size_t>(problem.nodes[n].results.front())];
    const LayoutGraph& layouts = problem.layout_graphs[static_cast<std::size_t>(tensor.layouts)];
    const double whole = layouts.local_bytes.front().as_double();  // replicated comes first
    double best = 1;
    for (const base::Bytes local : layouts.local_bytes) {
      tensor.kept_bytes.push_back(graph.nodes[n].copies * local.as_double() / whole);
      best = std::min(best, local.as_double() / whole);
    }
    range.low += graph.nodes[n].copies * std::max(best, low);
    range.high += graph.nodes[n].copies * std::max(best, high);
  }
  return range;
}

}  // namespace strategies::autoshard
