#include "sim/autoshard/refine.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "sim/exposure.hpp"
#include "strategies/autoshard/solution.hpp"
#include "strategies/autoshard/unroll.hpp"

namespace sim::autoshard {

namespace {

using strategies::autoshard::Problem;
using strategies::autoshard::Role;
using strategies::autoshard::Solution;
using strategies::autoshard::TensorGraph;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

enum Kind { parameter, gradient, activation };

/// What of edges that have not been seen is believed to be exposed. Not nothing: of two plans that
/// hide all, the one with less to hide is better.
constexpr std::array<double, 3> unseen{0.1, 0.1, 1.0};

std::vector<Kind> kinds_of(const TensorGraph& graph, const Problem& problem) {
  const std::set<int> resting = strategies::autoshard::resting_gradients(graph);
  std::vector<bool> of_parameter(problem.tensors.size(), false);
  const auto reads_parameters = [&](int node) {
    return std::any_of(problem.edges.begin(), problem.edges.end(), [&](const auto& edge) {
      return edge.node == node && of_parameter[at(edge.tensor)];
    });
  };
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const bool alias = n >= graph.nodes.size();
    const bool cast =
        !alias && graph.nodes[n].operation.family == strategies::autoshard::Family::cast;
    const bool given = !alias && graph.nodes[n].role == Role::parameter;
    if (given || ((alias || cast) && reads_parameters(static_cast<int>(n))))
      for (const int tensor : problem.nodes[n].results) of_parameter[at(tensor)] = true;
  }
  const auto is_gradient = [&](int node) {
    return resting.contains(node) || problem.nodes[at(node)].accumulates;
  };
  std::vector<Kind> kinds;
  for (const auto& edge : problem.edges)
    kinds.push_back(of_parameter[at(edge.tensor)] ? parameter
                    : is_gradient(edge.node)      ? gradient
                                                  : activation);
  return kinds;
}

/// The shares of their collectives' time that edges are believed to expose.
class Beliefs {
 public:
  Beliefs(const TensorGraph& graph, const Problem& problem)
      : kinds_(kinds_of(graph, problem)),
        share_(problem.edges.size(), 1),
        seen_(problem.edges.size(), false) {}

  void learn(const ShardedStep& step, const Timeline& timeline) {
    std::vector<double> exposed(share_.size(), 0);
    std::vector<double> alone(share_.size(), 0);
    const std::vector<base::Seconds> by_task = exposed_by_task(step.graph, timeline, 0);
    const Program& program = step.graph.programs.front();
    for (std::size_t t = 0; t < by_task.size(); ++t) {
      if (step.edge_of_task[t] < 0) continue;
      const CollectiveUse& use = step.graph.collectives[program.tasks[t].index];
      exposed[at(step.edge_of_task[t])] += by_task[t].s();
      alone[at(step.edge_of_task[t])] += step.graph.cost_of(use, 0).total.time.s();
    }
    std::array<double, 3> exposed_of_kind{};
    std::array<double, 3> alone_of_kind{};
    for (std::size_t e = 0; e < share_.size(); ++e) {
      if (alone[e] <= 0) continue;
      const double now = exposed[e] / alone[e];
      share_[e] = seen_[e] ? (share_[e] + now) / 2 : now;
      seen_[e] = true;
      exposed_of_kind[kinds_[e]] += exposed[e];
      alone_of_kind[kinds_[e]] += alone[e];
    }
    for (std::size_t e = 0; e < share_.size(); ++e) {
      const Kind kind = kinds_[e];
      if (!seen_[e])
        share_[e] =
            alone_of_kind[kind] > 0 ? exposed_of_kind[kind] / alone_of_kind[kind] : unseen[kind];
      share_[e] = std::max(share_[e], 0.02);
    }
  }

  Problem apply(Problem problem) const {
    for (std::size_t e = 0; e < share_.size(); ++e) problem.edges[e].weight *= share_[e];
    return problem;
  }

 private:
  std::vector<Kind> kinds_;
  std::vector<double> share_;
  std::vector<bool> seen_;
};

}  // namespace

Refined refine(const ShardedStepInput& input, const Solver& solve, const Simulator& simulate,
               int rounds) {
  Beliefs beliefs(input.graph, input.problem);
  Solution plan = input.solution;
  std::set<std::vector<int>> known;
  std::optional<Refined> best;
  std::vector<base::Seconds> steps;
  while (static_cast<int>(steps.size()) < rounds && known.insert(plan.choices).second) {
    const ShardedStep step =
        build_sharded_step({input.model, input.plan, input.graph, input.problem, plan, input.placed,
                            input.cluster, input.profile});
    const Timeline timeline = simulate(step.graph);
    steps.push_back(timeline.step);
    if (!best || timeline.step < best->step) best = Refined{plan, timeline.step, {}};
    beliefs.learn(step, timeline);
    const std::optional<Solution> next = solve(beliefs.apply(input.problem));
    if (!next) break;
    plan = price(input.problem, next->choices);
    plan.bound = input.solution.bound;
  }
  best->steps = std::move(steps);
  return std::move(*best);
}

}  // namespace sim::autoshard
