#pragma once

#include <cstdint>
#include <vector>

#include "base/units.hpp"

/// Muon runs Newton-Schulz on whole matrices: each is gathered to one root rank (RaggedShard
/// without dims), orthogonalised there and scattered back (veScale-FSDP, arXiv 2602.22437). Roots
/// are chosen so that the busiest has least to do.
namespace strategies::placement {

/// Work of `iterations` quintic Newton-Schulz steps on a rows x columns matrix X, transposed if
/// needed so that m = min(rows, columns), n = max: each is A = X X^T (2 n m^2), B = b A + c A A
/// (2 m^3), X = a X + B X (2 n m^2); element-wise terms left out (K. Jordan et al., Muon, 2024).
/// \pre sizes at least 1.
base::Flop newton_schulz_flop(std::int64_t rows, std::int64_t columns, int iterations = 5);

struct RootBalance {
  std::vector<int> roots;     ///< by matrix: its root
  std::vector<double> loads;  ///< by root: the weights of its matrices
  double max_load = 0;
  /// No assignment has a smaller largest load: the mean, the largest weight, and the sums of the
  /// least k + 1 of the k * roots + 1 largest weights.
  double lower_bound = 0;
  /// max_load is at most this times the optimum: 4/3 - 1 / (3 roots) (R. L. Graham, 1969).
  double guarantee = 1;
};

/// Longest processing time first: each matrix, heaviest first, to the root with least so far; ties
/// go to the lower index. \pre weights are not negative, roots >= 1.
RootBalance balance_roots(const std::vector<double>& weights, int roots);

}  // namespace strategies::placement
