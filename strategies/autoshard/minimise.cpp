#include "strategies/autoshard/minimise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "strategies/autoshard/bucket_elimination.hpp"
#include "strategies/autoshard/message_passing.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Sums for a variable of two neighbours: their labels and its choices, some hundreds each.
constexpr double series_work = 1e8;

/// Sums that are quicker done than bounded.
constexpr double small_work = 1e5;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

bool has_solution(const Domains& domains) {
  return std::none_of(domains.begin(), domains.end(),
                      [](const std::vector<int>& domain) { return domain.empty(); });
}

/// The cost of each choice of a variable when all others stay.
std::vector<double> costs_beside(
    const FactorGraph& graph,
    const std::vector<std::vector<std::pair<std::size_t, std::size_t>>>& uses, int variable,
    const std::vector<int>& choices) {
  std::vector<double> costs = graph.costs[at(variable)];
  for (const auto& [f, axis] : uses[at(variable)]) {
    const Factor& factor = graph.factors[f];
    const int other = factor.labels[1 - axis][at(choices[at(factor.scope[1 - axis])])];
    for (std::size_t c = 0; c < costs.size(); ++c) {
      const int mine = factor.labels[axis][c];
      costs[c] += factor.costs[axis == 0 ? at(mine * factor.extents[1] + other)
                                         : at(other * factor.extents[1] + mine)];
    }
  }
  return costs;
}

/// Changes one variable at a time for the better, until none does (iterated conditional modes).
void descend(const FactorGraph& graph, std::vector<int>& choices) {
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> uses(graph.costs.size());
  for (std::size_t f = 0; f < graph.factors.size(); ++f)
    for (std::size_t a = 0; a < 2; ++a) uses[at(graph.factors[f].scope[a])].emplace_back(f, a);
  for (bool better = true; better;) {
    better = false;
    for (int v = 0; v < graph.variables(); ++v) {
      const std::vector<double> costs = costs_beside(graph, uses, v, choices);
      const auto best = std::min_element(costs.begin(), costs.end());
      if (!(*best < costs[at(choices[at(v)])])) continue;
      choices[at(v)] = static_cast<int>(best - costs.begin());
      better = true;
    }
  }
}

class CoreSearch {
 public:
  CoreSearch(const FactorGraph& core, const MinimiseOptions& options)
      : core_(core), options_(options), messages_(core) {}

  Minimum run() {
    if (search(all_choices(core_), small_work)) {
      found_.bound = found_.cost;
      return found_;
    }
    int passes = 0;
    for (int until = options_.first_passes; until <= options_.passes && !closed(); until *= 2) {
      for (; passes < until && messages_.bound() < infinity; ++passes) messages_.iterate();
      if (messages_.bound() == infinity) break;
      take(messages_.choices());
      narrow();
    }
    found_.bound = std::min(std::max(found_.bound, messages_.bound()), found_.cost);
    found_.raises = messages_.raises();
    for (std::vector<double>& raises : found_.raises)
      for (double& raise : raises)
        raise = std::max(0.0, raise - (found_.bound - messages_.bound()));
    return found_;
  }

 private:
  bool closed() const {
    return found_.cost < infinity && found_.cost - std::max(found_.bound, messages_.bound()) <=
                                         options_.tolerance * std::abs(found_.cost);
  }

  void take(std::vector<int> choices) {
    descend(core_, choices);
    const double cost = total_cost(core_, choices);
    if (cost >= found_.cost) return;
    found_.cost = cost;
    found_.choices = std::move(choices);
  }

  /// Searches among the choices nearest to the bound, then among more, until all that are left out
  /// cost more than what was found, or the search takes too long.
  void narrow() {
    const double bound = messages_.bound();
    const auto gap = [&] { return found_.cost < infinity ? found_.cost - bound : infinity; };
    double slack = std::min(gap(), std::abs(bound)) / 1024;
    for (;; slack *= 2) {
      slack = std::min(slack, gap());
      Domains domains(core_.costs.size());
      bool all = true;
      for (std::size_t v = 0; v < domains.size(); ++v)
        for (std::size_t c = 0; c < core_.costs[v].size(); ++c) {
          const double raise = messages_.raises()[v][c];
          if (raise <= slack) domains[v].push_back(static_cast<int>(c));
          all = all && (raise <= slack || raise == infinity);
        }
      drop_impossible(core_, domains);
      if (!search(domains, options_.work)) return;
      if (slack < gap() && !all) continue;
      found_.bound = found_.cost;
      return;
    }
  }

  /// The best choices within `domains`; false: that takes too long.
  bool search(const Domains& domains, double work) {
    if (!has_solution(domains)) return true;
    const Elimination exact(restricted(core_, domains), {.work = work});
    if (!exact.core().costs.empty()) return false;
    const std::vector<int> places = exact.complete({});
    std::vector<int> choices;
    for (std::size_t v = 0; v < domains.size(); ++v) choices.push_back(domains[v][at(places[v])]);
    const double cost = total_cost(core_, choices);
    if (cost < found_.cost) {
      found_.cost = cost;
      found_.choices = std::move(choices);
    }
    if (domains == all_choices(core_)) found_.raises = exact.raises({});
    return true;
  }

  const FactorGraph& core_;
  const MinimiseOptions& options_;
  MessagePassing messages_;
  Minimum found_{{}, infinity, -infinity, {}};
};

}  // namespace

Minimum minimise(const FactorGraph& graph, const MinimiseOptions& options) {
  const Minimum none{{}, infinity, infinity, {}};
  Domains domains = all_choices(graph);
  drop_impossible(graph, domains);
  if (!has_solution(domains)) return none;
  const Elimination series(restricted(merged(graph), domains), {.scope = 2, .work = series_work});
  const FactorGraph core = merged(series.core());
  Minimum inner = CoreSearch(core, options).run();
  if (inner.cost == infinity) return inner.bound == infinity ? none : inner;

  Minimum minimum{{}, inner.cost, inner.bound, {}};
  const std::vector<int> places = series.complete(inner.choices);
  const std::vector<std::vector<double>> raises = series.raises(inner.raises);
  for (std::size_t v = 0; v < domains.size(); ++v) {
    minimum.choices.push_back(domains[v][at(places[v])]);
    minimum.raises.emplace_back(graph.costs[v].size(), infinity);
    for (std::size_t c = 0; c < domains[v].size(); ++c)
      minimum.raises[v][at(domains[v][c])] = raises[v][c];
  }
  return minimum;
}

}  // namespace strategies::autoshard
