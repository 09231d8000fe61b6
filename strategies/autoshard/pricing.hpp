#pragma once

#include <vector>

#include "strategies/autoshard/factor_graph.hpp"
#include "strategies/autoshard/solution.hpp"
#include "strategies/autoshard/way_table.hpp"

namespace strategies::autoshard {

/// A problem with the cheapest ways between all layouts of its tensors at hand. Keeps a reference.
class Pricing {
 public:
  explicit Pricing(const Problem& problem);

  const Problem& problem() const { return problem_; }
  /// Of the edge's tensor; without collectives where it is still.
  const WayTable& ways(const ProblemEdge& edge) const;
  /// The layout that a tensor has when its node makes a choice.
  int layout_of(int tensor, const std::vector<int>& choices) const;
  /// The node that makes a tensor.
  int producer(int tensor) const { return producers_[static_cast<std::size_t>(tensor)].node; }
  /// The result of its node that a tensor is.
  int result(int tensor) const { return producers_[static_cast<std::size_t>(tensor)].result; }

  /// Of the way that an edge's tensor takes, in all micro-batches, weighted; infinite where there
  /// is none.
  base::Seconds time(const ProblemEdge& edge, const std::vector<int>& choices) const;
  double memory_bytes(const std::vector<int>& choices) const;
  Solution price(std::vector<int> choices) const;

  /// Variables are nodes; costs are microseconds of a step, with `arc_cost` for each arc of a way
  /// so that of equally quick solutions the one with the fewest arcs is the cheapest.
  FactorGraph times() const;
  /// What a rank keeps of the results of a node, by node and choice.
  std::vector<std::vector<double>> bytes() const;

  static constexpr double arc_cost = 1e-6;  ///< microseconds

 private:
  struct Producer {
    int node = -1;
    int result = 0;
  };

  int needed_layout(const ProblemEdge& edge, const std::vector<int>& choices) const;
  bool reaches(const ProblemEdge& edge, int from, int to) const;
  Factor factor_of(const ProblemEdge& edge) const;
  Factor factor_of(const std::pair<int, int>& tie) const;
  std::vector<int> result_layouts(int tensor) const;

  const Problem& problem_;
  std::vector<Producer> producers_;
  std::vector<WayTable> free_;  // by layout graph
  std::vector<WayTable> still_;
};

}  // namespace strategies::autoshard
