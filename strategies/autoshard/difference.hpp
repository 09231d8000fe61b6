#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "strategies/autoshard/constraint.hpp"

/// Why a solution and not another.
namespace strategies::autoshard {

/// What a node adds to the objective, all copies and micro-batches.
struct NodeCost {
  base::Seconds compute;
  base::Seconds communication;  ///< to get its operands into their layouts

  base::Seconds total() const { return compute + communication; }
  bool operator==(const NodeCost&) const = default;
};

/// By node; they sum to Solution::time.
std::vector<NodeCost> node_costs(const Pricing& pricing, const std::vector<int>& choices);

/// A node that makes another choice, or costs something else because a neighbour does.
struct NodeChange {
  int node = 0;
  int before = 0;  ///< choices
  int after = 0;
  NodeCost cost_before;
  NodeCost cost_after;
};

/// Nodes that differ, ascending. What they cost more sums to the difference of the objectives.
std::vector<NodeChange> difference(const Pricing& pricing, const std::vector<int>& before,
                                   const std::vector<int>& after);

enum class Verdict {
  chosen,       ///< the solution has it already
  dearer,       ///< the best solution with it costs more
  cheaper,      ///< it costs less: the solution was not the best
  tie,          ///< it costs the same
  unavailable,  ///< the node has no such choice
  conflict,     ///< no solution with it meets the demands
};

inline constexpr std::array<std::pair<std::string_view, Verdict>, 6> verdict_names{{
    {"chosen", Verdict::chosen},
    {"dearer", Verdict::dearer},
    {"cheaper", Verdict::cheaper},
    {"tie", Verdict::tie},
    {"unavailable", Verdict::unavailable},
    {"conflict", Verdict::conflict},
}};

struct Explanation {
  Verdict verdict = Verdict::unavailable;
  /// Without changing anything else; infinite when that is impossible. For `dearer`, `cheaper`,
  /// `tie` and `conflict`.
  base::Seconds alone;
  Solution best;                     ///< with it; for `dearer`, `cheaper` and `tie`
  std::vector<NodeChange> changes;   ///< from the solution to that
  std::vector<std::string> demands;  ///< that stand against it, for `conflict`
};

/// What if tensors that `target` names had its layouts? Its mistakes are those of a constraint.
base::Result<Explanation> explain(const Pricing& pricing, const Demands& demands,
                                  const Solution& solution, const Constraint& target);

}  // namespace strategies::autoshard
