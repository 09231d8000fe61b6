#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/quantity.hpp"
#include "viz/sharding.hpp"
#include "viz/table.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using namespace strategies::autoshard;  // NOLINT: this file writes its types
namespace placement = strategies::placement;

/// Rows of a table of changes.
constexpr std::size_t changes_shown = 20;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string seconds(base::Seconds time) { return base::format_seconds(time); }
std::string bytes(double count) { return base::format_bytes(base::Bytes::from_double(count)); }
std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string change(base::Seconds time) {
  const bool less = time < base::Seconds{};
  return fmt::format("{}{}", less ? "-" : "+", seconds(less ? base::Seconds{} - time : time));
}

std::string layouts_of(const Problem& problem, const std::vector<int>& layouts,
                       const std::vector<int>& graphs) {
  std::string text;
  for (std::size_t i = 0; i < layouts.size(); ++i)
    text += fmt::format(
        "{}[{}]", i == 0 ? "" : " ",
        placement::format(problem.layout_graphs[at(graphs[i])].layouts[at(layouts[i])]));
  return text.empty() ? "-" : text;
}

std::string choice_text(const Problem& problem, int node, int choice) {
  const ProblemNode& one = problem.nodes[at(node)];
  std::vector<int> graphs;
  for (const int tensor : one.results) graphs.push_back(problem.tensors[at(tensor)].layouts);
  const Choice& chosen = one.choices[at(choice)];
  const std::string results = layouts_of(problem, chosen.results, graphs);
  if (chosen.operands.empty()) return results;
  return layouts_of(problem, chosen.operands, one.operands) + " -> " + results;
}

std::string mesh_dim_name(const ShardingView& view, int dim) {
  return fmt::format("{} {}", view.header.mesh_names[at(dim)], view.header.mesh[at(dim)]);
}

std::string mesh_text(const ShardingView& view) {
  std::string text;
  for (int d = 0; d < static_cast<int>(view.header.mesh.size()); ++d)
    text += fmt::format("{}{}", d == 0 ? "" : " x ", mesh_dim_name(view, d));
  return text;
}

std::string bound_text(const ShardingView& view) {
  const Solution& solution = view.solution;
  if (view.loaded) return "read from a file, not proven";
  if (solution.bound == solution.time) return "proven optimal";
  return fmt::format("no plan takes less than {}: within {:.2g} % of the optimum",
                     seconds(solution.bound), 100 * (solution.time / solution.bound - 1));
}

std::string mesh_dims_table(const ShardingView& view, const Summary& summary) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t d = 0; d < summary.mesh_dims.size(); ++d) {
    const MeshDimSummary& dim = summary.mesh_dims[d];
    std::vector<std::string> row{mesh_dim_name(view, static_cast<int>(d)), dim.words()};
    for (const double share : dim.parameters) row.push_back(percent(share));
    for (const double share : dim.activations) row.push_back(percent(share));
    rows.push_back(std::move(row));
  }
  return table({{"mesh dim"},
                {"what it is used for", false, 60},
                {"copies", true},
                {"held", true},
                {"gathered", true},
                {"in parts", true},
                {"batch", true},
                {"sequence", true},
                {"other", true},
                {"none", true}},
               rows);
}

/// Parameters that are treated alike in one row.
std::string parameters_table(const ShardingView& view, const Summary& summary) {
  std::vector<std::vector<std::string>> rows;
  for (const ParameterSummary& parameter : summary.parameters)
    rows.push_back({printable(view.pricing.problem().nodes[at(parameter.node)].name),
                    base::format_count(parameter.elements), placement::format(parameter.rest),
                    placement::format(parameter.use)});
  return table({{"parameter", false, 60}, {"elements", true}, {"at rest"}, {"in use"}}, rows);
}

std::string collectives_table(const ShardingView& view, const Summary& summary) {
  std::vector<std::vector<std::string>> rows;
  for (const CollectiveSummary& one : summary.collectives) {
    if (!one.op) continue;
    std::string dims;
    for (const int d : one.mesh_dims)
      dims += fmt::format("{}{}", dims.empty() ? "" : " x ", view.header.mesh_names[at(d)]);
    rows.push_back({std::string(base::name_of(*one.op)), dims, fmt::format("{:g}", one.count),
                    bytes(one.bytes), seconds(one.time)});
  }
  if (rows.empty()) return "  none\n";
  return table({{"collective"}, {"over"}, {"times", true}, {"bytes", true}, {"time", true}}, rows);
}

std::string trials_table(const ShardingView& view) {
  std::vector<std::vector<std::string>> rows;
  for (const MicroBatchTrial& trial : view.trials)
    rows.push_back({std::to_string(trial.micro_batches),
                    trial.solution ? seconds(trial.solution->time) : trial.reason,
                    trial.solution ? bytes(trial.solution->memory_bytes) : ""});
  return table({{"micro-batches", true}, {"step", true, 60}, {"memory", true}}, rows);
}

std::string rivals_table(const ShardingView& view) {
  std::vector<std::vector<std::string>> rows{
      {"this plan", seconds(view.solution.time), "", bytes(view.solution.memory_bytes)}};
  for (const ShardingRival& rival : view.rivals)
    rows.push_back(
        rival.solution
            ? std::vector<std::string>{rival.name, seconds(rival.solution->time),
                                       fmt::format(
                                           "{:+.1f} %",
                                           100 * (rival.solution->time / view.solution.time - 1)),
                                       bytes(rival.solution->memory_bytes)}
            : std::vector<std::string>{rival.name, rival.reason, "", ""});
  return table({{"plan", false, 60}, {"time", true, 60}, {"", true}, {"memory", true}}, rows);
}

std::string changes_table(const ShardingView& view, std::vector<NodeChange> changes) {
  const Problem& problem = view.pricing.problem();
  const auto more = [](const NodeChange& one) {
    return one.cost_after.total() - one.cost_before.total();
  };
  std::stable_sort(changes.begin(), changes.end(), [&](const NodeChange& a, const NodeChange& b) {
    return std::abs(more(a).s()) > std::abs(more(b).s());
  });
  std::vector<std::vector<std::string>> rows;
  NodeCost rest;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const NodeChange& one = changes[i];
    const base::Seconds compute = one.cost_after.compute - one.cost_before.compute;
    const base::Seconds communication =
        one.cost_after.communication - one.cost_before.communication;
    if (i >= changes_shown) {
      rest.compute += compute;
      rest.communication += communication;
      continue;
    }
    rows.push_back(
        {printable(problem.nodes[at(one.node)].name), change(compute), change(communication),
         one.before == one.after ? "as before"
                                 : choice_text(problem, one.node, one.before) + "  =>  " +
                                       choice_text(problem, one.node, one.after)});
  }
  if (changes.size() > changes_shown)
    rows.push_back({fmt::format("{} more nodes", changes.size() - changes_shown),
                    change(rest.compute), change(rest.communication), ""});
  return table({{"node", false, 60},
                {"compute", true},
                {"communication", true},
                {"operands -> results", false, 120}},
               rows);
}

}  // namespace

std::string sharding_text(const ShardingView& view) {
  const Summary summary = summarise(view.graph, view.pricing, view.solution);
  const Problem& problem = view.pricing.problem();
  std::size_t choices = 0;
  for (const ProblemNode& node : problem.nodes) choices += node.choices.size();
  std::string out = fmt::format("{}: {} on {}\n", printable(view.scenario),
                                printable(view.model_text), printable(view.cluster_text));
  out += fmt::format("mesh {}; {} micro-batch{} of {} sequences of {} tokens\n\n", mesh_text(view),
                     view.header.micro_batches, view.header.micro_batches == 1 ? "" : "es",
                     view.batch, view.sequence);
  out +=
      fmt::format("time    {} a step: {} a micro-batch, and {} once\n", seconds(view.solution.time),
                  seconds(view.solution.of_micro_batch(view.header.micro_batches)),
                  seconds(view.solution.once));
  out += fmt::format("        {} of compute, {} of communication\n", seconds(summary.compute),
                     seconds(summary.communication));
  out += fmt::format("proof   {} among {} choices of {} operators\n", bound_text(view), choices,
                     problem.nodes.size());
  out += fmt::format("memory  {} a rank", bytes(view.solution.memory_bytes));
  if (std::isfinite(view.memory.high)) out += fmt::format(", of {}", bytes(view.memory.high));
  out += "\n";
  if (view.simulated)
    out += fmt::format("step    {} simulated with overlap\n", seconds(*view.simulated));
  out += "\nshares of parameters by use, and of kept activations by what is cut:\n";
  out += mesh_dims_table(view, summary);
  out += "\nparameters:\n" + parameters_table(view, summary);
  out += "\ncollectives of a step, of one rank:\n" + collectives_table(view, summary);
  if (!view.trials.empty()) out += "\nmicro-batches that were tried:\n" + trials_table(view);
  if (!view.rivals.empty())
    out += "\nunder the same prices, without overlap:\n" + rivals_table(view);
  for (const std::string& one : view.left_out) out += fmt::format("\nleft out: {}", one);
  if (!view.left_out.empty()) out += "\n";
  return out;
}

std::string sharding_listing(const ShardingView& view) {
  const Problem& problem = view.pricing.problem();
  const std::vector<NodeCost> costs = node_costs(view.pricing, view.solution.choices);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t n = 0; n < problem.nodes.size(); ++n)
    rows.push_back({printable(problem.nodes[n].name), fmt::format("{:g}", problem.nodes[n].copies),
                    choice_text(problem, static_cast<int>(n), view.solution.choices[n]),
                    seconds(costs[n].compute), seconds(costs[n].communication)});
  return table({{"node", false, 60},
                {"copies", true},
                {"operands -> results", false, 120},
                {"compute", true},
                {"communication", true}},
               rows);
}

std::string explanation_text(const ShardingView& view, const std::string& question,
                             const Explanation& explanation) {
  std::string out = printable(question) + ": ";
  switch (explanation.verdict) {
    case Verdict::chosen: return out + "this is what was chosen\n";
    case Verdict::unavailable: return out + "no rule of the operator gives that layout\n";
    case Verdict::conflict:
      out += "no plan with it meets the demands";
      for (std::size_t i = 0; i < explanation.demands.size(); ++i)
        out += (i == 0 ? ": " : ", ") + printable(explanation.demands[i]);
      return out + "\n";
    case Verdict::tie: out += "costs the same\n"; break;
    case Verdict::dearer:
    case Verdict::cheaper:
      out += fmt::format("the best plan with it takes {}: {}\n", seconds(explanation.best.time),
                         change(explanation.best.time - view.solution.time));
  }
  out += explanation.alone < base::Seconds::infinity()
             ? fmt::format("  alone, all else as it is, it takes {}\n", seconds(explanation.alone))
             : "  alone, all else as it is, it is not possible\n";
  return out + changes_table(view, explanation.changes);
}

std::string sharding_difference_text(const ShardingView& view, const Solution& before) {
  std::vector<NodeChange> changes = difference(view.pricing, before.choices, view.solution.choices);
  std::string out =
      fmt::format("before {}, now {}: {}; memory {}, now {}\n", seconds(before.time),
                  seconds(view.solution.time), change(view.solution.time - before.time),
                  bytes(before.memory_bytes), bytes(view.solution.memory_bytes));
  if (changes.empty()) return out + "no node differs\n";
  return out + changes_table(view, std::move(changes));
}

}  // namespace viz
