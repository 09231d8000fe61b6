#include "strategies/autoshard/pricing.hpp"

#include <limits>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

Pricing::Pricing(const Problem& problem) : problem_(problem), producers_(problem.tensors.size()) {
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const ProblemNode& node = problem.nodes[n];
    CHECK_INVARIANT(!node.choices.empty());
    for (std::size_t r = 0; r < node.results.size(); ++r)
      producers_[at(node.results[r])] = {static_cast<int>(n), static_cast<int>(r)};
    for (const Choice& choice : node.choices)
      CHECK_INVARIANT(choice.operands.size() == node.operands.size() &&
                      choice.results.size() == node.results.size());
  }
  for (const Producer& producer : producers_) CHECK_INVARIANT(producer.node >= 0);
  for (const LayoutGraph& graph : problem.layout_graphs) {
    free_.emplace_back(graph, Travel::any);
    still_.emplace_back(graph, Travel::still);
  }
}

const WayTable& Pricing::ways(const ProblemEdge& edge) const {
  const int graph = problem_.tensors[at(edge.tensor)].layouts;
  return (edge.still ? still_ : free_)[at(graph)];
}

int Pricing::layout_of(int tensor, const std::vector<int>& choices) const {
  const Producer& producer = producers_[at(tensor)];
  return problem_.nodes[at(producer.node)]
      .choices[at(choices[at(producer.node)])]
      .results[at(producer.result)];
}

int Pricing::needed_layout(const ProblemEdge& edge, const std::vector<int>& choices) const {
  return problem_.nodes[at(edge.node)]
      .choices[at(choices[at(edge.node)])]
      .operands[at(edge.operand)];
}

base::Seconds Pricing::time(const ProblemEdge& edge, const std::vector<int>& choices) const {
  const int from = layout_of(edge.tensor, choices);
  const int to = needed_layout(edge, choices);
  if (!reaches(edge, from, to)) return base::Seconds::infinity();
  return problem_.runs(edge) * edge.weight * ways(edge).time(from, to);
}

bool Pricing::reaches(const ProblemEdge& edge, int from, int to) const {
  if (!ways(edge).reaches(from, to)) return false;
  const std::vector<base::Bytes>& bytes =
      problem_.layout_graphs[at(problem_.tensors[at(edge.tensor)].layouts)].local_bytes;
  return !edge.shrinks || bytes[at(to)] <= bytes[at(from)];
}

double Pricing::memory_bytes(const std::vector<int>& choices) const {
  double bytes = problem_.fixed_bytes;
  for (std::size_t t = 0; t < problem_.tensors.size(); ++t) {
    const ProblemTensor& tensor = problem_.tensors[t];
    if (!tensor.kept_bytes.empty())
      bytes += tensor.kept_bytes[at(layout_of(static_cast<int>(t), choices))];
  }
  return bytes;
}

Solution Pricing::price(std::vector<int> choices) const {
  Solution solution;
  const auto add = [&](const ProblemNode& node, base::Seconds time) {
    solution.time += time;
    if (node.once) solution.once += time;
  };
  for (std::size_t n = 0; n < problem_.nodes.size(); ++n) {
    const ProblemNode& node = problem_.nodes[n];
    add(node, node.choices[at(choices[n])].time * (node.copies * problem_.runs(node)));
  }
  for (const ProblemEdge& edge : problem_.edges) {
    add(problem_.nodes[at(edge.node)], time(edge, choices));
    const int from = layout_of(edge.tensor, choices);
    const int to = needed_layout(edge, choices);
    solution.ways.emplace_back();
    if (reaches(edge, from, to)) solution.ways.back() = ways(edge).arcs(from, to);
  }
  for (const auto& [a, b] : problem_.ties)
    if (layout_of(a, choices) != layout_of(b, choices)) solution.time = base::Seconds::infinity();
  solution.memory_bytes = memory_bytes(choices);
  solution.choices = std::move(choices);
  return solution;
}

std::vector<int> Pricing::result_layouts(int tensor) const {
  const Producer& producer = producers_[at(tensor)];
  std::vector<int> layouts;
  for (const Choice& choice : problem_.nodes[at(producer.node)].choices)
    layouts.push_back(choice.results[at(producer.result)]);
  return layouts;
}

Factor Pricing::factor_of(const ProblemEdge& edge) const {
  const WayTable& table = ways(edge);
  Factor factor{{producers_[at(edge.tensor)].node, edge.node},
                {result_layouts(edge.tensor), {}},
                {table.layouts(), table.layouts()},
                {}};
  for (const Choice& choice : problem_.nodes[at(edge.node)].choices)
    factor.labels[1].push_back(choice.operands[at(edge.operand)]);
  const double times = problem_.runs(edge) * edge.weight;
  for (int from = 0; from < table.layouts(); ++from)
    for (int to = 0; to < table.layouts(); ++to) {
      factor.costs.push_back(reaches(edge, from, to)
                                 ? times * table.time(from, to).us() +
                                       arc_cost * static_cast<double>(table.arcs(from, to).size())
                                 : infinity);
    }
  return factor;
}

Factor Pricing::factor_of(const std::pair<int, int>& tie) const {
  const int layouts = free_[at(problem_.tensors[at(tie.first)].layouts)].layouts();
  CHECK_INVARIANT(layouts == free_[at(problem_.tensors[at(tie.second)].layouts)].layouts());
  Factor factor{{producers_[at(tie.first)].node, producers_[at(tie.second)].node},
                {result_layouts(tie.first), result_layouts(tie.second)},
                {layouts, layouts},
                std::vector<double>(at(layouts) * at(layouts), infinity)};
  for (int l = 0; l < layouts; ++l) factor.costs[at(l * layouts + l)] = 0;
  return factor;
}

FactorGraph Pricing::times() const {
  FactorGraph graph;
  for (const ProblemNode& node : problem_.nodes) {
    graph.costs.emplace_back();
    for (const Choice& choice : node.choices)
      graph.costs.back().push_back(choice.time.us() * node.copies * problem_.runs(node));
  }
  // A factor of a node with itself (a layer that reads what its copy before it made) is a cost of
  // the node's choices.
  const auto add = [&](Factor factor) {
    if (factor.scope[0] != factor.scope[1]) {
      graph.factors.push_back(std::move(factor));
      return;
    }
    std::vector<double>& costs = graph.costs[at(factor.scope[0])];
    for (std::size_t c = 0; c < costs.size(); ++c)
      costs[c] += factor.costs[at(factor.labels[0][c] * factor.extents[1] + factor.labels[1][c])];
  };
  for (const ProblemEdge& edge : problem_.edges) add(factor_of(edge));
  for (const std::pair<int, int>& tie : problem_.ties) add(factor_of(tie));
  // Labels that no choice has are left out.
  return merged(restricted(graph, all_choices(graph)));
}

std::vector<std::vector<double>> Pricing::bytes() const {
  std::vector<std::vector<double>> bytes;
  for (const ProblemNode& node : problem_.nodes) {
    bytes.emplace_back(node.choices.size(), 0.0);
    for (std::size_t r = 0; r < node.results.size(); ++r) {
      const std::vector<double>& kept = problem_.tensors[at(node.results[r])].kept_bytes;
      if (kept.empty()) continue;
      for (std::size_t c = 0; c < node.choices.size(); ++c)
        bytes.back()[c] += kept[at(node.choices[c].results[r])];
    }
  }
  return bytes;
}

Solution price(const Problem& problem, std::vector<int> choices) {
  return Pricing(problem).price(std::move(choices));
}

}  // namespace strategies::autoshard
