#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "strategies/autoshard/solve.hpp"

/// Small problems of every kind, and their answers by trying everything.
namespace strategies::autoshard {

struct RandomShape {
  int nodes = 6;
  int layouts = 4;
  int choices = 3;
};

/// Layouts are told apart by number only. Times are whole microseconds, bytes whole numbers, so
/// that sums are exact and ties are frequent.
inline Problem random_problem(std::mt19937& random, const RandomShape& shape) {
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Problem problem;
  for (int g = 0; g < 2; ++g) {
    LayoutGraph graph;
    graph.layouts.resize(static_cast<std::size_t>(shape.layouts));
    for (int l = 0; l < shape.layouts; ++l)
      graph.local_bytes.push_back(base::Bytes::from_double(1 + below(3)));
    for (int from = 0; from < shape.layouts; ++from) {
      graph.first_arc.push_back(static_cast<int>(graph.arcs.size()));
      for (int to = 0; to < shape.layouts; ++to) {
        if (from == to || below(3) == 0) continue;
        Arc arc;
        arc.from = from;
        arc.to = to;
        const bool slices = below(4) == 0;
        arc.time = base::Seconds::from_us(slices ? 0 : 1 + below(20));
        if (!slices) arc.op = base::Collective::all_gather;
        graph.arcs.push_back(arc);
      }
    }
    graph.first_arc.push_back(static_cast<int>(graph.arcs.size()));
    problem.layout_graphs.push_back(graph);
  }
  for (int n = 0; n < shape.nodes; ++n) {
    ProblemNode node;
    node.name = "node" + std::to_string(n);
    node.copies = 1 + below(3);
    node.once = below(3) == 0;
    const int results = 1 + below(2);
    for (int r = 0; r < results; ++r) {
      node.results.push_back(static_cast<int>(problem.tensors.size()));
      ProblemTensor tensor{node.name + "." + std::to_string(r), below(2), {}};
      if (below(2) == 0)
        for (int l = 0; l < shape.layouts; ++l) tensor.kept_bytes.push_back(1 + below(9));
      problem.tensors.push_back(tensor);
    }
    const int operands = n == 0 ? 0 : below(3);
    for (int o = 0; o < operands; ++o) {
      // Seldom a later tensor, or one of the node's own, as a layer reads what its copy before
      // made.
      const int readers = 1 + (below(4) == 0);
      const int first = below(static_cast<int>(problem.tensors.size()));
      node.operands.push_back(problem.tensors[static_cast<std::size_t>(first)].layouts);
      for (int i = 0; i < readers; ++i) {
        int tensor = first;
        if (i > 0) tensor = below(static_cast<int>(problem.tensors.size()));
        if (problem.tensors[static_cast<std::size_t>(tensor)].layouts != node.operands.back())
          continue;
        problem.edges.push_back({tensor, n, o, 0.5 * below(4), below(5) == 0, below(8) == 0});
      }
    }
    const int choices = 1 + below(shape.choices);
    for (int c = 0; c < choices; ++c) {
      Choice choice;
      for (std::size_t o = 0; o < node.operands.size(); ++o)
        choice.operands.push_back(below(shape.layouts));
      for (int r = 0; r < results; ++r) choice.results.push_back(below(shape.layouts));
      choice.time = base::Seconds::from_us(below(15));
      node.choices.push_back(choice);
    }
    problem.nodes.push_back(node);
  }
  for (int t = 0; t + 1 < static_cast<int>(problem.tensors.size()); ++t)
    if (below(6) == 0 && problem.tensors[static_cast<std::size_t>(t)].layouts ==
                             problem.tensors[static_cast<std::size_t>(t) + 1].layouts)
      problem.ties.emplace_back(t, t + 1);
  problem.fixed_bytes = below(5);
  problem.micro_batches = 1 + below(4);
  return problem;
}

/// Every combination of choices within the limits; the first of the quickest ones.
inline std::optional<Solution> solve_by_trying_all(const Problem& problem,
                                                   const SolveOptions& options) {
  const Pricing pricing(problem);
  std::optional<Solution> best;
  Domains domains = options.allowed;
  if (domains.empty()) domains = all_choices(pricing.times());
  std::vector<std::size_t> places(domains.size(), 0);
  if (std::any_of(domains.begin(), domains.end(), [](const auto& d) { return d.empty(); }))
    return best;
  for (bool more = true; more;) {
    std::vector<int> choices;
    for (std::size_t n = 0; n < domains.size(); ++n) choices.push_back(domains[n][places[n]]);
    const Solution solution = pricing.price(choices);
    if (solution.time < base::Seconds::infinity() &&
        options.memory.contains(solution.memory_bytes) &&
        (!best || solution.time.us() < best->time.us() - 1e-6))
      best = solution;
    more = false;
    for (std::size_t n = domains.size(); n-- > 0 && !more;) {
      more = ++places[n] < domains[n].size();
      if (!more) places[n] = 0;
    }
  }
  return best;
}

}  // namespace strategies::autoshard
