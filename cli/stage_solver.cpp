#include "cli/stage_solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "strategies/autoshard/difference.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;
using calibrate::GroupShape;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

[[noreturn]] void leave(std::string message, std::string hint) {
  print({{{"--stages"}, std::move(message), std::move(hint)}});
  throw CLI::RuntimeError(mistake);
}

/// Where all groups of a mesh sit, of every set of its dims.
std::vector<std::vector<GroupShape>> all_shapes(const sim::autoshard::PlacedMesh& placed,
                                                const topology::Cluster& cluster) {
  std::vector<std::vector<GroupShape>> all;
  for (unsigned set = 1; set < 1U << placed.mesh.dims(); ++set) {
    std::vector<int> dims;
    for (int d = 0; d < placed.mesh.dims(); ++d)
      if ((set >> d) & 1U) dims.push_back(d);
    all.push_back(sibling_shapes(placed, dims, cluster));
  }
  return all;
}

int node_named(const autoshard::Problem& problem, std::string_view name) {
  for (std::size_t n = 0; n < problem.nodes.size(); ++n)
    if (problem.nodes[n].name == name) return static_cast<int>(n);
  return -1;
}

constexpr std::string_view table = "embedding.weight";
constexpr std::string_view table_in_head = "head.weight";

/// Between two layouts of a tensor of a problem.
base::Seconds way(const autoshard::LayoutGraph& layouts, int from, int to) {
  return cheapest_ways(layouts, from).time[at(to)];
}

const autoshard::LayoutGraph& layouts_of_operand(const autoshard::Problem& problem, int node) {
  return problem.layout_graphs[at(problem.nodes[at(node)].operands.front())];
}

}  // namespace

StageSolver::StageSolver(const AutoshardProblem& whole, int stages)
    : whole_(whole), stages_(stages) {
  // Every constraint must mean something in the whole model.
  const autoshard::Pricing pricing(whole.problem);
  for (const autoshard::Constraint& constraint : whole.demands.constraints)
    value_or_leave(autoshard::allowed_choices(pricing, constraint));
  find_layers();
  place();
}

void StageSolver::find_layers() {
  const std::vector<autoshard::Block> blocks = autoshard::blocks_of(whole_.problem);
  first_ = blocks.front().name;
  last_ = blocks.back().name;
  for (std::size_t b = 1; b + 1 < blocks.size(); ++b) {
    if (blocks[b].name.find("_window") != std::string::npos)
      leave("layers that take turns cannot be cut into stages here", "leave --stages out");
    layers_.insert(layers_.end(), at(blocks[b].copies), blocks[b].name);
  }
  if (static_cast<int>(layers_.size()) < stages_)
    leave(fmt::format("{} layers cannot make {} stages", layers_.size(), stages_), "fewer stages");
}

/// Stages whose groups and neighbours sit alike have the same prices.
void StageSolver::place() {
  const topology::Cluster& cluster = whole_.scenario.cluster;
  std::vector<std::vector<std::vector<GroupShape>>> known;
  for (int stage = 0; stage < stages_; ++stage) {
    const sim::autoshard::PlacedMesh placed = whole_.placed(stage);
    std::vector<std::vector<GroupShape>> shapes = all_shapes(placed, cluster);
    const auto found = std::find(known.begin(), known.end(), shapes);
    Site site;
    site.problem = static_cast<int>(found - known.begin());
    if (found == known.end()) {
      known.push_back(std::move(shapes));
      problems_.push_back(whole_.problem_on(placed));
      if (whole_.scenario.model.tied_embeddings) share_table(problems_.back());
    }
    if (stage > 0) site.before = pair_shapes(whole_.placed(stage - 1), placed, cluster);
    if (stage + 1 < stages_) site.behind = pair_shapes(placed, whole_.placed(stage + 1), cluster);
    sites_.push_back(std::move(site));
    site_of_.push_back(0);
    while (sites_[at(site_of_.back())].key() != sites_.back().key()) ++site_of_.back();
  }
}

/// The first and the last stage sum their gradients of the table, each of its rank's part.
void StageSolver::share_table(autoshard::Problem& problem) const {
  const std::vector<GroupShape> pairs =
      pair_shapes(whole_.placed(0), whole_.placed(stages_ - 1), whole_.scenario.cluster);
  const strategies::Precision& precision = whole_.scenario.plan.precision;
  const double ratio = base::bytes_of(precision.gradients) / base::bytes_of(precision.parameters);
  for (const std::string_view name : {table, table_in_head}) {
    autoshard::ProblemNode& node = problem.nodes[at(node_named(problem, name))];
    const autoshard::LayoutGraph& layouts =
        problem.layout_graphs[at(problem.tensors[at(node.results.front())].layouts)];
    for (autoshard::Choice& choice : node.choices) {
      const double parameter = layouts.local_bytes[at(choice.results.front())].as_double();
      choice.time += sim::autoshard::slowest(base::Collective::all_reduce,
                                             base::Bytes::from_double(parameter * ratio), pairs,
                                             whole_.profile());
    }
  }
}

autoshard::Demands StageSolver::demands_in(const autoshard::Problem& problem) const {
  autoshard::Demands demands{{}, whole_.demands.memory};
  const auto covers_any = [&](const autoshard::Constraint& constraint) {
    const auto covered = [&](const auto& named) {
      return autoshard::covers(constraint.tensors, named.name);
    };
    return std::any_of(problem.tensors.begin(), problem.tensors.end(), covered) ||
           std::any_of(problem.nodes.begin(), problem.nodes.end(), covered);
  };
  for (const autoshard::Constraint& constraint : whole_.demands.constraints)
    if (covers_any(constraint)) demands.constraints.push_back(constraint);
  return demands;
}

const StageSolver::Solved& StageSolver::solved(const autoshard::StageRange& range) {
  std::map<std::string, int> copies;
  for (int layer = range.first; layer < range.last; ++layer) ++copies[layers_[at(layer)]];
  if (range.stage == 0) copies[first_] = 1;
  if (range.stage + 1 == stages_) copies[last_] = 1;
  const auto [it, is_new] =
      solved_.try_emplace({copies, range.in_flight, site_of_[at(range.stage)]});
  if (!is_new) return it->second;
  const Site& site = sites_[at(range.stage)];
  const auto message = [this](const std::vector<GroupShape>& pairs) {
    return [this, &pairs](base::Bytes bytes) {
      return sim::autoshard::slowest(base::Collective::send_receive, bytes, pairs,
                                     whole_.profile());
    };
  };
  it->second.stage = *autoshard::stage_problem(problems_[at(site.problem)], copies, range.in_flight,
                                               {message(site.before), message(site.behind)});
  const autoshard::Problem& problem = it->second.stage.problem;
  const auto answer =
      value_or_leave(autoshard::solve_with(autoshard::Pricing(problem), demands_in(problem)));
  if (answer) it->second.solution = *answer;
  return it->second;
}

autoshard::StageRange StageSolver::range_of(const autoshard::StageCuts& cuts, int stage) const {
  const int last =
      stage + 1 < stages_ ? cuts.first_layers[at(stage) + 1] : static_cast<int>(layers_.size());
  return {stage, cuts.first_layers[at(stage)], last,
          autoshard::in_flight(stage, stages_, whole_.header.micro_batches)};
}

const StageSolver::Solved& StageSolver::solved_of(const autoshard::StageCuts& cuts, int stage) {
  return solved(range_of(cuts, stage));
}

/// Neighbours have chosen their layouts apart: what a stage sends comes into the receiver's first.
void StageSolver::lay_anew(const autoshard::StageCuts& cuts, PipelinePlan& plan) {
  const auto send = [&](int from, std::optional<int> out, int to, std::optional<int> in) {
    const Solved& sender = solved_of(cuts, from);
    const Solved& receiver = solved_of(cuts, to);
    const auto choice = [](const Solved& solved, int node) -> const autoshard::Choice& {
      return solved.stage.problem.nodes[at(node)].choices[at(solved.solution->choices[at(node)])];
    };
    plan.stages[at(from)].relaid +=
        way(layouts_of_operand(sender.stage.problem, *out), choice(sender, *out).operands.front(),
            choice(receiver, *in).results.front());
  };
  for (int stage = 0; stage + 1 < stages_; ++stage) {
    const autoshard::StageEnds& before = solved_of(cuts, stage).stage.ends;
    const autoshard::StageEnds& behind = solved_of(cuts, stage + 1).stage.ends;
    send(stage, before.activation_out, stage + 1, behind.activation_in);
    send(stage + 1, behind.gradient_out, stage, before.gradient_in);
  }
  for (StagePlan& stage : plan.stages) stage.time.micro_batch += stage.relaid;
  if (!whole_.scenario.model.tied_embeddings) return;
  // The table's gradient goes into the layout of the other table, is summed, and comes back.
  const Solved& first = solved_of(cuts, 0);
  const Solved& last = solved_of(cuts, stages_ - 1);
  const auto layout = [](const Solved& solved, std::string_view name) {
    const int node = node_named(solved.stage.problem, name);
    return solved.stage.problem.nodes[at(node)]
        .choices[at(solved.solution->choices[at(node)])]
        .results.front();
  };
  const int one = layout(first, table);
  const int other = layout(last, table_in_head);
  const autoshard::LayoutGraph& layouts = layouts_of_operand(
      first.stage.problem, node_named(first.stage.problem, std::string(table) + ".gradient.rest"));
  plan.stages.front().time.once += way(layouts, one, other) + way(layouts, other, one);
}

std::optional<PipelinePlan> StageSolver::best() {
  const int micro_batches = whole_.header.micro_batches;
  const std::optional<autoshard::StageCuts> cuts = autoshard::cut_stages(
      {static_cast<int>(layers_.size()), stages_, micro_batches,
       [&](const autoshard::StageRange& range) -> std::optional<autoshard::StageTime> {
         const std::optional<autoshard::Solution>& solution = solved(range).solution;
         if (!solution) return std::nullopt;
         return autoshard::StageTime{solution->of_micro_batch(micro_batches), solution->once};
       }});
  if (!cuts) return std::nullopt;
  PipelinePlan plan;
  plan.free = cuts->step;
  for (int stage = 0; stage < stages_; ++stage) {
    const Solved& one = solved_of(*cuts, stage);
    const autoshard::StageRange range = range_of(*cuts, stage);
    plan.stages.push_back({range.first, range.last, cuts->times[at(stage)], {}, {}, *one.solution});
    const std::vector<autoshard::NodeCost> costs =
        node_costs(autoshard::Pricing(one.stage.problem), one.solution->choices);
    for (const std::optional<int> in : {one.stage.ends.activation_in, one.stage.ends.gradient_in})
      if (in) plan.stages.back().received += costs[at(*in)].total() * (1.0 / micro_batches);
    plan.proven = plan.proven && one.solution->bound == one.solution->time;
  }
  lay_anew(*cuts, plan);
  std::vector<autoshard::StageTime> times;
  for (const StagePlan& stage : plan.stages) times.push_back(stage.time);
  plan.step = autoshard::step_time(times, micro_batches);
  return plan;
}

}  // namespace cli
