#include "strategies/autoshard/stage_problem.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string block_name(const ProblemNode& node) { return node.name.substr(0, node.name.find('.')); }

/// Nodes whose results are given, or come of one given tensor alone (casts and aliases of it).
std::vector<bool> given(const Problem& problem, const std::vector<int>& producer) {
  std::vector<bool> given;
  for (const ProblemNode& node : problem.nodes) given.push_back(node.operands.size() <= 1);
  for (bool changed = true; changed;) {
    changed = false;
    for (const ProblemEdge& edge : problem.edges) {
      if (!given[at(edge.node)] || given[at(producer[at(edge.tensor)])]) continue;
      given[at(edge.node)] = false;
      changed = true;
    }
  }
  return given;
}

}  // namespace

std::vector<Block> blocks_of(const Problem& problem) {
  std::vector<Block> blocks;
  for (const ProblemNode& node : problem.nodes) {
    const std::string name = block_name(node);
    const bool known = std::any_of(blocks.begin(), blocks.end(),
                                   [&](const Block& block) { return block.name == name; });
    if (!known) blocks.push_back({name, static_cast<int>(std::lround(node.copies))});
  }
  return blocks;
}

std::optional<Problem> stage_problem(const Problem& problem,
                                     const std::map<std::string, int>& copies, int in_flight) {
  const auto copies_in = [&](int node) {
    const auto found = copies.find(block_name(problem.nodes[at(node)]));
    return found == copies.end() ? 0 : found->second;
  };
  Problem stage;
  stage.layout_graphs = problem.layout_graphs;
  stage.fixed_bytes = problem.fixed_bytes;
  std::vector<int> new_node(problem.nodes.size(), -1);
  std::vector<int> new_tensor(problem.tensors.size(), -1);
  std::vector<int> producer(problem.tensors.size(), -1);
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const ProblemNode& node = problem.nodes[n];
    for (const int tensor : node.results) producer[at(tensor)] = static_cast<int>(n);
    const int left = copies_in(static_cast<int>(n));
    if (left == 0) continue;
    new_node[n] = static_cast<int>(stage.nodes.size());
    stage.nodes.push_back(node);
    stage.nodes.back().results.clear();
    for (const int tensor : node.results) {
      new_tensor[at(tensor)] = static_cast<int>(stage.tensors.size());
      stage.nodes.back().results.push_back(new_tensor[at(tensor)]);
      stage.tensors.push_back(problem.tensors[at(tensor)]);
      // Parameters are kept once, activations of every micro-batch in flight.
      const double times = left / node.copies * (node.operands.empty() ? 1 : in_flight);
      for (double& bytes : stage.tensors.back().kept_bytes) bytes *= times;
    }
    stage.nodes.back().copies = left;
  }
  const std::vector<bool> is_given = given(problem, producer);
  for (const ProblemEdge& edge : problem.edges) {
    const int from = producer[at(edge.tensor)];
    if (new_node[at(edge.node)] < 0) continue;
    if (new_node[at(from)] < 0) {
      if (is_given[at(from)]) return std::nullopt;
      continue;
    }
    ProblemEdge kept = edge;
    kept.node = new_node[at(edge.node)];
    kept.tensor = new_tensor[at(edge.tensor)];
    const ProblemNode& reader = problem.nodes[at(edge.node)];
    if (block_name(problem.nodes[at(from)]) == block_name(reader))
      kept.weight = std::max(0.0, edge.weight - (reader.copies - copies_in(edge.node)));
    stage.edges.push_back(kept);
  }
  for (const auto& [a, b] : problem.ties)
    if (new_tensor[at(a)] >= 0 && new_tensor[at(b)] >= 0)
      stage.ties.emplace_back(new_tensor[at(a)], new_tensor[at(b)]);
  return stage;
}

}  // namespace strategies::autoshard
