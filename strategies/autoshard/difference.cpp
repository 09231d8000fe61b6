#include "strategies/autoshard/difference.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Differences of objectives below this share are rounding.
constexpr double tolerance = 1e-9;

/// With the quickest choices of `allowed` at the nodes that do not meet it, one such node after the
/// other, all else as it is.
base::Seconds changed_alone(const Pricing& pricing, std::vector<int> choices,
                            const Domains& allowed) {
  for (std::size_t n = 0; n < choices.size(); ++n) {
    if (std::binary_search(allowed[n].begin(), allowed[n].end(), choices[n])) continue;
    int best = allowed[n].front();
    base::Seconds least = base::Seconds::infinity();
    for (const int c : allowed[n]) {
      choices[n] = c;
      const base::Seconds time = pricing.price(choices).time;
      if (time >= least) continue;
      least = time;
      best = c;
    }
    choices[n] = best;
  }
  return pricing.price(std::move(choices)).time;
}

}  // namespace

std::vector<NodeCost> node_costs(const Pricing& pricing, const std::vector<int>& choices) {
  const Problem& problem = pricing.problem();
  std::vector<NodeCost> costs;
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const ProblemNode& node = problem.nodes[n];
    costs.push_back({node.choices[at(choices[n])].time * (node.copies * problem.runs(node)), {}});
  }
  for (const ProblemEdge& edge : problem.edges)
    costs[at(edge.node)].communication += pricing.time(edge, choices);
  return costs;
}

std::vector<NodeChange> difference(const Pricing& pricing, const std::vector<int>& before,
                                   const std::vector<int>& after) {
  const std::vector<NodeCost> costs_before = node_costs(pricing, before);
  const std::vector<NodeCost> costs_after = node_costs(pricing, after);
  std::vector<NodeChange> changes;
  for (std::size_t n = 0; n < before.size(); ++n)
    if (before[n] != after[n] || costs_before[n] != costs_after[n])
      changes.push_back(
          {static_cast<int>(n), before[n], after[n], costs_before[n], costs_after[n]});
  return changes;
}

base::Result<Explanation> explain(const Pricing& pricing, const Demands& demands,
                                  const Solution& solution, const Constraint& target) {
  Explanation explanation;
  const base::Result<Domains> allowed = allowed_choices(pricing, target);
  if (!allowed) {
    // A pattern that covers nothing is a mistake; a layout that a node cannot have is an answer.
    Constraint any = target;
    any.layouts.clear();
    any.forbids = true;
    if (!allowed_choices(pricing, any)) return tl::unexpected(allowed.error());
    return explanation;
  }
  bool has_it = true;
  for (std::size_t n = 0; n < allowed->size(); ++n)
    has_it = has_it &&
             std::binary_search((*allowed)[n].begin(), (*allowed)[n].end(), solution.choices[n]);
  if (has_it) {
    explanation.verdict = Verdict::chosen;
    return explanation;
  }
  explanation.alone = changed_alone(pricing, solution.choices, *allowed);
  Demands more = demands;
  more.constraints.push_back(target);
  auto answer = solve_with(pricing, more);
  if (!answer) return tl::unexpected(answer.error());
  if (!*answer) {
    explanation.verdict = Verdict::conflict;
    explanation.demands = answer->error().demands;
    std::erase(explanation.demands, target.name);
    return explanation;
  }
  explanation.best = **answer;
  explanation.changes = difference(pricing, solution.choices, explanation.best.choices);
  const double more_us = (explanation.best.time - solution.time).us();
  explanation.verdict = std::abs(more_us) <= tolerance * solution.time.us() ? Verdict::tie
                        : more_us > 0                                       ? Verdict::dearer
                                                                            : Verdict::cheaper;
  return explanation;
}

}  // namespace strategies::autoshard
