#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "strategies/autoshard/solution.hpp"
#include "tests/support/catch.hpp"

/// Plans by hand: some nodes as somebody wants them, the others as is cheapest around them.
namespace sim::autoshard {

/// Layouts of the first operand, of the second, ... and of the first result, by the end of a node's
/// name; "" is any.
struct Wish {
  std::string_view name;  ///< end of the node's name
  std::vector<std::string_view> operands;
  std::string_view result;
};

class HandPlan {
 public:
  HandPlan(const strategies::autoshard::Problem& problem, const std::vector<Wish>& wishes)
      : problem_(problem) {
    for (const auto& graph : problem.layout_graphs) {
      ways_.emplace_back();
      for (std::size_t i = 0; i < graph.layouts.size(); ++i)
        ways_.back().push_back(
            strategies::autoshard::cheapest_ways(graph, static_cast<int>(i)));
    }
    maker_.resize(problem.tensors.size());
    for (std::size_t n = 0; n < problem.nodes.size(); ++n)
      for (std::size_t r = 0; r < problem.nodes[n].results.size(); ++r)
        maker_[at(problem.nodes[n].results[r])] = {static_cast<int>(n), r};
    into_.resize(problem.nodes.size());
    out_of_.resize(problem.nodes.size());
    for (std::size_t e = 0; e < problem.edges.size(); ++e) {
      into_[at(problem.edges[e].node)].push_back(e);
      out_of_[at(maker_[at(problem.edges[e].tensor)].first)].push_back(e);
    }
    for (const auto& [a, b] : problem.ties) {
      tied_[maker_[at(a)].first] = maker_[at(b)].first;
      tied_[maker_[at(b)].first] = maker_[at(a)].first;
    }
    for (std::size_t n = 0; n < problem.nodes.size(); ++n) allowed_.push_back(allow(n, wishes));
  }

  strategies::autoshard::Solution solve() {
    choices_.assign(problem_.nodes.size(), -1);
    for (int sweep = 0; sweep < 6; ++sweep)
      for (std::size_t n = 0; n < problem_.nodes.size(); ++n) improve(n);
    strategies::autoshard::Solution solution;
    solution.choices = choices_;
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n)
      solution.time += problem_.nodes[n].choices[at(choices_[n])].time * problem_.nodes[n].copies;
    for (const auto& edge : problem_.edges) {
      const auto [from, to] = ends(edge);
      const auto& graph = layouts(edge);
      const auto& ways = way(edge, from);
      REQUIRE(ways.reaches(to));
      solution.ways.push_back(strategies::autoshard::arcs_to(graph, ways, to));
      solution.time += ways.time[at(to)] * edge.weight;
    }
    return solution;
  }

 private:
  static std::size_t at(int i) { return static_cast<std::size_t>(i); }

  const strategies::autoshard::LayoutGraph& layouts_of_tensor(int tensor) const {
    return problem_.layout_graphs[at(problem_.tensors[at(tensor)].layouts)];
  }
  const strategies::autoshard::LayoutGraph& layouts(
      const strategies::autoshard::ProblemEdge& edge) const {
    return layouts_of_tensor(edge.tensor);
  }
  const strategies::autoshard::Ways& way(const strategies::autoshard::ProblemEdge& edge,
                                         int from) const {
    return ways_[at(problem_.tensors[at(edge.tensor)].layouts)][at(from)];
  }
  int made(const strategies::autoshard::ProblemEdge& edge) const {
    const auto [node, result] = maker_[at(edge.tensor)];
    return problem_.nodes[at(node)].choices[at(choices_[at(node)])].results[result];
  }
  int needed(const strategies::autoshard::ProblemEdge& edge) const {
    return problem_.nodes[at(edge.node)].choices[at(choices_[at(edge.node)])].operands[at(
        edge.operand)];
  }
  std::pair<int, int> ends(const strategies::autoshard::ProblemEdge& edge) const {
    return {made(edge), needed(edge)};
  }

  std::vector<int> allow(std::size_t n, const std::vector<Wish>& wishes) const {
    const auto& node = problem_.nodes[n];
    std::vector<int> all(node.choices.size());
    for (std::size_t c = 0; c < all.size(); ++c) all[c] = static_cast<int>(c);
    for (const Wish& wish : wishes) {
      if (!node.name.ends_with(wish.name)) continue;
      std::vector<int> some;
      for (const int c : all)
        if (grants(node, node.choices[at(c)], wish)) some.push_back(c);
      INFO(node.name << " as " << wish.name);
      REQUIRE_FALSE(some.empty());
      return some;
    }
    return all;
  }

  bool grants(const strategies::autoshard::ProblemNode& node,
              const strategies::autoshard::Choice& choice, const Wish& wish) const {
    const auto is = [](const strategies::autoshard::LayoutGraph& graph, int layout,
                       std::string_view text) {
      return text.empty() ||
             layout == graph.find(*strategies::placement::parse_layout(text));
    };
    for (std::size_t i = 0; i < wish.operands.size(); ++i)
      if (!is(problem_.layout_graphs[at(node.operands[i])], choice.operands[i], wish.operands[i]))
        return false;
    return is(layouts_of_tensor(node.results.front()), choice.results.front(), wish.result);
  }

  double cost(std::size_t n, const strategies::autoshard::Choice& choice) const {
    double sum = choice.time.s() * problem_.nodes[n].copies;
    for (const std::size_t e : into_[n]) {
      const auto& edge = problem_.edges[e];
      if (choices_[at(maker_[at(edge.tensor)].first)] < 0) continue;
      sum += edge_cost(edge, made(edge), choice.operands[at(edge.operand)]);
    }
    for (const std::size_t e : out_of_[n]) {
      const auto& edge = problem_.edges[e];
      if (choices_[at(edge.node)] < 0) continue;
      sum += edge_cost(edge, choice.results[maker_[at(edge.tensor)].second], needed(edge));
    }
    if (const auto tie = tied_.find(static_cast<int>(n)); tie != tied_.end()) {
      const int other = choices_[at(tie->second)];
      if (other >= 0 &&
          problem_.nodes[at(tie->second)].choices[at(other)].results != choice.results)
        sum += 1e6;
    }
    return sum;
  }

  double edge_cost(const strategies::autoshard::ProblemEdge& edge, int from, int to) const {
    if (edge.still && from != to) return 1e6;  // a cut is no collective, but seldom wanted
    const auto& ways = way(edge, from);
    return ways.reaches(to) ? ways.time[at(to)].s() * edge.weight : 1e6;
  }

  void improve(std::size_t n) {
    int best = -1;
    double least = 0;
    for (const int c : allowed_[n]) {
      const double now = cost(n, problem_.nodes[n].choices[at(c)]);
      if (best < 0 || now < least) {
        best = c;
        least = now;
      }
    }
    choices_[n] = best;
  }

  const strategies::autoshard::Problem& problem_;
  std::vector<std::vector<strategies::autoshard::Ways>> ways_;  // by layout graph and layout
  std::vector<std::pair<int, std::size_t>> maker_;
  std::vector<std::vector<std::size_t>> into_;
  std::vector<std::vector<std::size_t>> out_of_;
  std::map<int, int> tied_;
  std::vector<std::vector<int>> allowed_;
  std::vector<int> choices_;
};

}  // namespace sim::autoshard
