#pragma once

#include <string_view>
#include <vector>

#include "strategies/autoshard/solve.hpp"
#include "tests/support/catch.hpp"

/// Plans as people write them: some nodes as somebody wants them, the rest as is cheapest then.
namespace sim::autoshard {

/// Layouts of operands and of the first result of nodes whose names end so; "" is any.
struct Wish {
  std::string_view name;
  std::vector<std::string_view> operands;
  std::string_view result;
};

namespace detail {

using strategies::autoshard::Choice;
using strategies::autoshard::LayoutGraph;
using strategies::autoshard::Problem;
using strategies::autoshard::ProblemNode;

inline bool is(const LayoutGraph& graph, int layout, std::string_view text) {
  return text.empty() || layout == graph.find(*strategies::placement::parse_layout(text));
}

inline bool grants(const Problem& problem, const ProblemNode& node, const Choice& choice,
                   const Wish& wish) {
  for (std::size_t i = 0; i < wish.operands.size(); ++i)
    if (!is(problem.layout_graphs[static_cast<std::size_t>(node.operands[i])], choice.operands[i],
            wish.operands[i]))
      return false;
  const auto tensor = static_cast<std::size_t>(node.results.front());
  return is(problem.layout_graphs[static_cast<std::size_t>(problem.tensors[tensor].layouts)],
            choice.results.front(), wish.result);
}

}  // namespace detail

/// The choices that grant the first wish that is a node's.
inline strategies::autoshard::Domains granted(const strategies::autoshard::Problem& problem,
                                              const std::vector<Wish>& wishes) {
  strategies::autoshard::Domains allowed;
  for (const strategies::autoshard::ProblemNode& node : problem.nodes) {
    const Wish* its = nullptr;
    for (const Wish& wish : wishes)
      if (its == nullptr && node.name.ends_with(wish.name)) its = &wish;
    std::vector<int> some;
    for (int c = 0; c < static_cast<int>(node.choices.size()); ++c)
      if (its == nullptr ||
          detail::grants(problem, node, node.choices[static_cast<std::size_t>(c)], *its))
        some.push_back(c);
    INFO(node.name);
    REQUIRE_FALSE(some.empty());
    allowed.push_back(std::move(some));
  }
  return allowed;
}

inline strategies::autoshard::Solution planned(const strategies::autoshard::Problem& problem,
                                               const std::vector<Wish>& wishes) {
  const auto solution =
      strategies::autoshard::solve(problem, {.allowed = granted(problem, wishes)});
  REQUIRE(solution);
  return *solution;
}

}  // namespace sim::autoshard
