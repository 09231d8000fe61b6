#pragma once

#include <vector>

/// A cost function of discrete variables as a sum of small ones: what the solvers of a Problem work
/// on. Costs are numbers without a unit here; infinity forbids.
namespace strategies::autoshard {

/// A function of some variables that looks at a choice through a label: many choices of an operator
/// have the same layout of one tensor.
struct Factor {
  std::vector<int> scope;                ///< distinct variables
  std::vector<std::vector<int>> labels;  ///< of each choice of each variable of the scope
  std::vector<int> extents;              ///< labels, by variable of the scope
  std::vector<double> costs;             ///< by labels, row-major
};

struct FactorGraph {
  std::vector<std::vector<double>> costs;  ///< of each choice of each variable, by itself
  std::vector<Factor> factors;
  double constant = 0;

  int variables() const { return static_cast<int>(costs.size()); }
};

/// The sum of all costs. \pre one choice a variable.
double total_cost(const FactorGraph& graph, const std::vector<int>& choices);

/// One factor in place of all that have the same scope, in whatever order: its labels are the
/// pairs of theirs. Bounds get tighter, and nothing is counted twice.
FactorGraph merged(const FactorGraph& graph);

/// Choices that are left, ascending, by variable.
using Domains = std::vector<std::vector<int>>;

Domains all_choices(const FactorGraph& graph);

/// The graph with the choices of `domains` only, labels without a choice left out.
FactorGraph restricted(const FactorGraph& graph, const Domains& domains);

/// Takes out of `domains` every choice that no choice of some neighbour goes with (arc consistency,
/// AC-3). A variable without a choice: no solution.
void drop_impossible(const FactorGraph& graph, Domains& domains);

}  // namespace strategies::autoshard
