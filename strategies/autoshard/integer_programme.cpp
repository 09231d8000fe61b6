#include "strategies/autoshard/integer_programme.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "strategies/autoshard/integer_solver.hpp"

// Sets: V variables, C[v] choices of v, F factors between u and v, L[f,u] labels of f's axis u.
// Parameters: cost[v,c], cost[f,l,m], weight[v,c], low, high.
// Variables: x[v,c] in {0,1}; y[f,l,m] >= 0, which x makes 0 or 1.
//   min  sum cost[v,c] x[v,c] + sum cost[f,l,m] y[f,l,m]
//   s.t. sum_c x[v,c] = 1                                             for each v
//        sum_m y[f,l,m] = sum_{c with label l} x[u,c]                 for each f and l of u
//        sum_l y[f,l,m] = sum_{c with label m} x[v,c]                 for each f and m of v
//        low <= sum weight[v,c] x[v,c] <= high
namespace strategies::autoshard {

namespace {

/// Of larger programmes the first relaxation alone takes minutes (850,000 columns: more than five).
constexpr std::size_t columns_max = 250'000;

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Rows of the labels of each factor: first those of its first variable.
std::vector<int> add_factor_rows(const FactorGraph& graph, Programme& programme) {
  std::vector<int> first;
  for (const Factor& factor : graph.factors) {
    CHECK_INVARIANT(factor.scope.size() == 2);
    first.push_back(static_cast<int>(programme.row_low.size()));
    for (int l = 0; l < factor.extents[0] + factor.extents[1]; ++l) programme.add_row(0, 0);
  }
  return first;
}

Programme formulate(const FactorGraph& graph, const LinearRange& range) {
  Programme programme;
  const int range_row = programme.add_row(range.low, range.high);
  const int one_row = static_cast<int>(programme.row_low.size());
  for (int v = 0; v < graph.variables(); ++v) programme.add_row(1, 1);
  const std::vector<int> factor_row = add_factor_rows(graph, programme);
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> uses(graph.costs.size());
  for (std::size_t f = 0; f < graph.factors.size(); ++f)
    for (std::size_t a = 0; a < 2; ++a) uses[at(graph.factors[f].scope[a])].emplace_back(f, a);
  for (int v = 0; v < graph.variables(); ++v)
    for (std::size_t c = 0; c < graph.costs[at(v)].size(); ++c) {
      std::vector<std::pair<int, double>> entries{{one_row + v, 1}};
      if (range.weights[at(v)][c] != 0) entries.emplace_back(range_row, range.weights[at(v)][c]);
      for (const auto& [f, a] : uses[at(v)]) {
        const Factor& factor = graph.factors[f];
        entries.emplace_back(factor_row[f] + (a == 0 ? 0 : factor.extents[0]) + factor.labels[a][c],
                             -1);
      }
      const bool possible = graph.costs[at(v)][c] < infinity;
      programme.add_column(possible ? graph.costs[at(v)][c] : 0, std::move(entries));
      programme.upper.push_back(possible ? 1 : 0);
    }
  for (std::size_t f = 0; f < graph.factors.size(); ++f) {
    const Factor& factor = graph.factors[f];
    for (int l = 0; l < factor.extents[0]; ++l)
      for (int m = 0; m < factor.extents[1]; ++m)
        if (const double cost = factor.costs[at(l * factor.extents[1] + m)]; cost < infinity)
          programme.add_column(
              cost, {{factor_row[f] + l, 1}, {factor_row[f] + factor.extents[0] + m, 1}});
  }
  return programme;
}

}  // namespace

IntegerMinimum minimise_integer(const FactorGraph& graph, const LinearRange& range, double cutoff,
                                int nodes) {
  const Programme programme = formulate(graph, range);
  if (programme.costs.size() > columns_max) return {{}, -infinity};
  const ProgrammeAnswer answer = solve_programme(programme, cutoff - graph.constant, nodes);
  if (!answer.feasible) return {{}, cutoff};
  IntegerMinimum minimum{{}, std::min(cutoff, graph.constant + answer.bound)};
  if (answer.solution.empty()) return minimum;
  auto column = answer.solution.begin();
  for (const std::vector<double>& costs : graph.costs) {
    const auto end = column + static_cast<std::ptrdiff_t>(costs.size());
    minimum.choices.push_back(static_cast<int>(std::max_element(column, end) - column));
    column = end;
  }
  return minimum;
}

}  // namespace strategies::autoshard
