#include "strategies/autoshard/integer_programme.hpp"

#include <coin/Cbc_C_Interface.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "base/check.hpp"

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

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// A sparse matrix that grows column by column, as CBC takes it.
struct Programme {
  std::vector<int> starts{0};
  std::vector<int> rows;
  std::vector<double> values;
  std::vector<double> costs;
  std::vector<double> row_low;
  std::vector<double> row_high;

  int add_row(double low, double high) {
    row_low.push_back(low);
    row_high.push_back(high);
    return static_cast<int>(row_low.size()) - 1;
  }
  void add_column(double cost, std::vector<std::pair<int, double>> entries) {
    std::sort(entries.begin(), entries.end());
    for (const auto& [row, value] : entries) {
      rows.push_back(row);
      values.push_back(value);
    }
    costs.push_back(cost);
    starts.push_back(static_cast<int>(rows.size()));
  }
};

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
      programme.add_column(graph.costs[at(v)][c], std::move(entries));
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
  const std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> owner(Cbc_newModel(),
                                                                     &Cbc_deleteModel);
  Cbc_Model* model = owner.get();
  const int columns = static_cast<int>(programme.costs.size());
  Cbc_loadProblem(model, columns, static_cast<int>(programme.row_low.size()),
                  programme.starts.data(), programme.rows.data(), programme.values.data(), nullptr,
                  nullptr, programme.costs.data(), programme.row_low.data(),
                  programme.row_high.data());
  int binaries = 0;
  for (const std::vector<double>& costs : graph.costs)
    for (std::size_t c = 0; c < costs.size(); ++c) {
      Cbc_setColUpper(model, binaries, costs[c] < infinity ? 1 : 0);
      if (costs[c] == infinity) Cbc_setObjCoeff(model, binaries, 0);
      Cbc_setInteger(model, binaries++);
    }
  Cbc_setParameter(model, "logLevel", "0");
  // Good solutions are known already: looking for them takes half of the time
  // (tests/benchmark/autoshard.cpp).
  Cbc_setParameter(model, "heuristics", "off");
  Cbc_setParameter(model, "ratioGap", "1e-9");
  Cbc_setParameter(model, "maxNodes", std::to_string(nodes).c_str());
  if (cutoff < infinity) Cbc_setCutoff(model, cutoff - graph.constant);
  Cbc_solve(model);
  if (Cbc_isProvenInfeasible(model)) return {{}, cutoff};

  IntegerMinimum minimum;
  minimum.bound = std::min(cutoff, graph.constant + Cbc_getBestPossibleObjValue(model));
  if (Cbc_numberSavedSolutions(model) == 0 && !Cbc_isProvenOptimal(model)) return minimum;
  const double* solution = Cbc_getColSolution(model);
  if (solution == nullptr) return minimum;
  for (const std::vector<double>& costs : graph.costs) {
    minimum.choices.push_back(
        static_cast<int>(std::max_element(solution, solution + costs.size()) - solution));
    solution += costs.size();
  }
  return minimum;
}

}  // namespace strategies::autoshard
