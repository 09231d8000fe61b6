#pragma once

#include <cstddef>
#include <vector>

#include "strategies/autoshard/factor_graph.hpp"

/// Exact minimisation by dynamic programming: a variable is replaced by a factor of its neighbours
/// that says what its best choice costs (Bertelè and Brioschi 1972; Dechter 1999, bucket
/// elimination).
namespace strategies::autoshard {

struct EliminationLimits {
  std::size_t scope = 1000000;  ///< neighbours of a variable
  double work = 0;              ///< sums that replacing one variable may take
};

/// A graph after as many variables were replaced as the limits allow, the cheapest ones first.
class Elimination {
 public:
  /// \pre finite costs for at least one choice of each variable.
  Elimination(FactorGraph graph, const EliminationLimits& limits);

  /// Variables that are left, with numbers of their own; its minimum is that of the whole.
  const FactorGraph& core() const { return core_; }
  /// Of the whole graph, by variable of the core.
  const std::vector<int>& core_variables() const { return core_variables_; }

  /// The best choices of all variables that go with choices of the core's.
  std::vector<int> complete(const std::vector<int>& core_choices) const;

  /// By variable and choice, how much more than the minimum a solution with that choice costs at
  /// least; from the same for the core.
  std::vector<std::vector<double>> raises(
      const std::vector<std::vector<double>>& core_raises) const;

 private:
  /// A factor around a replaced variable, its labels those of the bucket, the variable's own last.
  struct Part {
    std::vector<std::size_t> axes;  ///< of the bucket's scope
    std::vector<std::size_t> strides;
    std::vector<double> costs;
  };

  /// A replaced variable: everything that depended on it.
  struct Bucket {
    int variable = 0;
    std::vector<int> scope;                ///< its neighbours, ascending
    std::vector<std::vector<int>> labels;  ///< by neighbour, by choice of it
    std::vector<int> extents;
    std::vector<int> own_labels;    ///< by choice of the variable
    std::vector<double> own_costs;  ///< the least, by own label
    std::vector<double> own_extra;  ///< over that, by choice
    std::vector<int> own_choices;   ///< the first with that cost
    std::vector<Part> parts;
    std::vector<int> best;  ///< own label, by labels of the scope
  };

  Bucket bucket_of(int variable) const;
  double work_of(int variable, std::size_t scope_max) const;
  void replace(int variable);
  template <class Visit>
  static void visit_entries(const Bucket& bucket, const Visit& visit);

  FactorGraph graph_;
  std::vector<std::vector<std::size_t>> factors_of_;  // by variable; factors that are in use
  std::vector<Bucket> buckets_;                       // in the order of replacement
  FactorGraph core_;
  std::vector<int> core_variables_;
};

}  // namespace strategies::autoshard
