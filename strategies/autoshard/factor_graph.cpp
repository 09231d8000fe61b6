#include "strategies/autoshard/factor_graph.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// New labels for the pairs that occur, in the order in which they do.
struct Pairing {
  std::vector<int> labels;
  std::vector<std::pair<int, int>> pairs;  ///< by new label
};

Pairing pair_up(const std::vector<int>& a, const std::vector<int>& b) {
  Pairing pairing;
  std::map<std::pair<int, int>, int> known;
  for (std::size_t c = 0; c < a.size(); ++c) {
    const std::pair<int, int> pair{a[c], b[c]};
    const auto [it, is_new] = known.emplace(pair, static_cast<int>(pairing.pairs.size()));
    if (is_new) pairing.pairs.push_back(pair);
    pairing.labels.push_back(it->second);
  }
  return pairing;
}

/// \pre two variables each, the same ones.
Factor sum_of(const Factor& a, Factor b) {
  if (a.scope != b.scope) {  // the other way round
    std::vector<double> turned(b.costs.size());
    for (int i = 0; i < b.extents[0]; ++i)
      for (int j = 0; j < b.extents[1]; ++j)
        turned[at(j * b.extents[0] + i)] = b.costs[at(i * b.extents[1] + j)];
    b.costs = std::move(turned);
    std::swap(b.scope[0], b.scope[1]);
    std::swap(b.labels[0], b.labels[1]);
    std::swap(b.extents[0], b.extents[1]);
  }
  const Pairing rows = pair_up(a.labels[0], b.labels[0]);
  const Pairing columns = pair_up(a.labels[1], b.labels[1]);
  Factor sum{a.scope,
             {rows.labels, columns.labels},
             {static_cast<int>(rows.pairs.size()), static_cast<int>(columns.pairs.size())},
             {}};
  for (const auto& [ai, bi] : rows.pairs)
    for (const auto& [aj, bj] : columns.pairs)
      sum.costs.push_back(a.costs[at(ai * a.extents[1] + aj)] +
                          b.costs[at(bi * b.extents[1] + bj)]);
  return sum;
}

/// Drops of one axis the labels that no choice of `domain` has.
void restrict_axis(Factor& factor, std::size_t axis, const std::vector<int>& domain) {
  std::vector<int> new_label(at(factor.extents[axis]), -1);
  std::vector<int> labels;
  for (const int c : domain) {
    const int label = factor.labels[axis][at(c)];
    labels.push_back(label);
    new_label[at(label)] = 0;
  }
  std::vector<int> kept;
  for (std::size_t label = 0; label < new_label.size(); ++label)
    if (new_label[label] == 0) {
      new_label[label] = static_cast<int>(kept.size());
      kept.push_back(static_cast<int>(label));
    }
  for (int& label : labels) label = new_label[at(label)];
  factor.labels[axis] = std::move(labels);
  if (kept.size() == new_label.size()) return;
  std::size_t inner = 1;
  for (std::size_t a = axis + 1; a < factor.extents.size(); ++a) inner *= at(factor.extents[a]);
  const std::size_t slab = inner * at(factor.extents[axis]);
  std::vector<double> costs;
  for (std::size_t outer = 0; outer < factor.costs.size(); outer += slab)
    for (const int label : kept) {
      const auto first =
          factor.costs.begin() + static_cast<std::ptrdiff_t>(outer + at(label) * inner);
      costs.insert(costs.end(), first, first + static_cast<std::ptrdiff_t>(inner));
    }
  factor.costs = std::move(costs);
  factor.extents[axis] = static_cast<int>(kept.size());
}

/// Takes out of one side of a factor of two what nothing on the other side goes with.
bool drop_unsupported(const Factor& factor, std::size_t axis, Domains& domains) {
  const std::size_t other = 1 - axis;
  std::vector<char> there(at(factor.extents[other]), 0);
  for (const int c : domains[at(factor.scope[other])]) there[at(factor.labels[other][at(c)])] = 1;
  const auto cost = [&](int mine, int theirs) {
    return factor.costs[axis == 0 ? at(mine * factor.extents[1] + theirs)
                                  : at(theirs * factor.extents[1] + mine)];
  };
  std::vector<char> supported(at(factor.extents[axis]), 0);
  for (int mine = 0; mine < factor.extents[axis]; ++mine)
    for (int theirs = 0; theirs < factor.extents[other] && !supported[at(mine)]; ++theirs)
      supported[at(mine)] = there[at(theirs)] && cost(mine, theirs) < infinity;
  return std::erase_if(domains[at(factor.scope[axis])],
                       [&](int c) { return !supported[at(factor.labels[axis][at(c)])]; }) > 0;
}

}  // namespace

double total_cost(const FactorGraph& graph, const std::vector<int>& choices) {
  double total = graph.constant;
  for (std::size_t v = 0; v < graph.costs.size(); ++v) total += graph.costs[v][at(choices[v])];
  for (const Factor& factor : graph.factors) {
    std::size_t index = 0;
    for (std::size_t a = 0; a < factor.scope.size(); ++a)
      index =
          index * at(factor.extents[a]) + at(factor.labels[a][at(choices[at(factor.scope[a])])]);
    total += factor.costs[index];
  }
  return total;
}

FactorGraph merged(const FactorGraph& graph) {
  FactorGraph result{graph.costs, {}, graph.constant};
  std::map<std::vector<int>, std::size_t> known;
  for (const Factor& factor : graph.factors) {
    if (factor.scope.size() == 1) {
      std::vector<double>& costs = result.costs[at(factor.scope[0])];
      for (std::size_t c = 0; c < costs.size(); ++c)
        costs[c] += factor.costs[at(factor.labels[0][c])];
      continue;
    }
    CHECK_INVARIANT(factor.scope.size() == 2);
    std::vector<int> scope = factor.scope;
    std::sort(scope.begin(), scope.end());
    const auto [it, is_new] = known.emplace(scope, result.factors.size());
    if (is_new)
      result.factors.push_back(factor);
    else
      result.factors[it->second] = sum_of(result.factors[it->second], factor);
  }
  return result;
}

Domains all_choices(const FactorGraph& graph) {
  Domains domains;
  for (const std::vector<double>& costs : graph.costs) {
    domains.emplace_back(costs.size());
    std::iota(domains.back().begin(), domains.back().end(), 0);
  }
  return domains;
}

FactorGraph restricted(const FactorGraph& graph, const Domains& domains) {
  FactorGraph result;
  result.constant = graph.constant;
  for (std::size_t v = 0; v < domains.size(); ++v) {
    result.costs.emplace_back();
    for (const int c : domains[v]) result.costs[v].push_back(graph.costs[v][at(c)]);
  }
  for (const Factor& factor : graph.factors) {
    result.factors.push_back(factor);
    for (std::size_t a = 0; a < factor.scope.size(); ++a)
      restrict_axis(result.factors.back(), a, domains[at(factor.scope[a])]);
  }
  return result;
}

void drop_impossible(const FactorGraph& graph, Domains& domains) {
  for (std::size_t v = 0; v < domains.size(); ++v)
    std::erase_if(domains[v], [&](int c) { return graph.costs[v][at(c)] == infinity; });
  for (bool changed = true; changed;) {
    changed = false;
    for (const Factor& factor : graph.factors) {
      if (factor.scope.size() != 2) continue;
      changed = drop_unsupported(factor, 0, domains) || changed;
      changed = drop_unsupported(factor, 1, domains) || changed;
    }
  }
}

}  // namespace strategies::autoshard
