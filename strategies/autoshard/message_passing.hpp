#pragma once

#include <vector>

#include "strategies/autoshard/factor_graph.hpp"

/// Sequential tree-reweighted message passing (TRW-S; Kolmogorov, IEEE PAMI 28(10), 2006): a lower
/// bound of a sum of factors of two variables, near that of its linear relaxation, and choices that
/// are often the best ones.
namespace strategies::autoshard {

class MessagePassing {
 public:
  /// \pre every factor has two variables. Keeps a reference.
  explicit MessagePassing(const FactorGraph& graph);

  /// One pass forth and one back over the variables; the bound never falls (beyond rounding).
  void iterate();

  double bound() const { return bound_; }
  /// By variable and choice: a solution with that choice costs at least bound() plus this.
  const std::vector<std::vector<double>>& raises() const { return raises_; }
  /// Variable after variable the choice that is best given those before and the messages of those
  /// after.
  std::vector<int> choices() const;

 private:
  /// A factor seen from one of its variables.
  struct Use {
    std::size_t factor = 0;
    std::size_t axis = 0;
  };

  std::vector<double> gathered(int variable) const;
  /// Sends along one factor; the least cost of the message, which it leaves out.
  double send(const Use& from, const std::vector<double>& costs, double share);

  const FactorGraph& graph_;
  std::vector<std::vector<Use>> before_;  ///< by variable, factors with lower variables
  std::vector<std::vector<Use>> after_;
  std::vector<std::vector<std::vector<double>>> messages_;  ///< to (factor, axis), by label
  std::vector<std::vector<double>> turned_;                 ///< costs of factors, columns first
  double bound_ = 0;
  std::vector<std::vector<double>> raises_;
};

}  // namespace strategies::autoshard
