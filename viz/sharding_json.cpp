#include <cmath>
#include <nlohmann/json.hpp>

#include "strategies/autoshard/integer_solver.hpp"
#include "viz/sharding.hpp"

namespace viz {

namespace {

using namespace strategies::autoshard;  // NOLINT: this file writes its types
using Json = nlohmann::ordered_json;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

Json mesh_json(const ShardingView& view) {
  return {{"shape", view.header.mesh}, {"names", view.header.mesh_names}};
}

const strategies::placement::Layout& layout_at(const Problem& problem, int graph, int layout) {
  return problem.layout_graphs[at(graph)].layouts[at(layout)];
}

/// Layouts of a node's operands and results, as texts.
Json node_json(const ShardingView& view, std::size_t index) {
  const Problem& problem = view.pricing.problem();
  const ProblemNode& node = problem.nodes[index];
  const Choice& choice = node.choices[at(view.solution.choices[index])];
  Json json{{"operands", Json::array()}, {"results", Json::array()}};
  for (std::size_t i = 0; i < node.operands.size(); ++i)
    json["operands"].push_back(format(layout_at(problem, node.operands[i], choice.operands[i])));
  for (std::size_t r = 0; r < node.results.size(); ++r)
    json["results"].push_back(format(
        layout_at(problem, problem.tensors[at(node.results[r])].layouts, choice.results[r])));
  return json;
}

Json summary_json(const ShardingView& view, const Summary& summary) {
  Json dims = Json::array();
  for (std::size_t d = 0; d < summary.mesh_dims.size(); ++d) {
    const MeshDimSummary& dim = summary.mesh_dims[d];
    Json one{{"name", view.header.mesh_names[d]},
             {"ranks", view.header.mesh[d]},
             {"words", dim.words()}};
    for (const auto& [name, use] : parameter_use_names)
      one["parameters"][std::string(name)] = dim.parameters[static_cast<std::size_t>(use)];
    for (const auto& [name, cut] : activation_cut_names)
      one["activations"][std::string(name)] = dim.activations[static_cast<std::size_t>(cut)];
    dims.push_back(std::move(one));
  }
  return dims;
}

Json collectives_json(const ShardingView& view, const Summary& summary) {
  Json all = Json::array();
  for (const CollectiveSummary& one : summary.collectives) {
    if (!one.op) continue;
    Json over = Json::array();
    for (const int d : one.mesh_dims) over.push_back(view.header.mesh_names[at(d)]);
    all.push_back({{"op", base::name_of(*one.op)},
                   {"over", std::move(over)},
                   {"count", one.count},
                   {"bytes", one.bytes},
                   {"time_s", one.time.s()}});
  }
  return all;
}

}  // namespace

std::string sharding_json(const ShardingView& view) {
  const Problem& problem = view.pricing.problem();
  const Summary summary = summarise(view.graph, view.pricing, view.solution);
  Json json{{"schema", "foreshard.autoshard.v1"},
            {"scenario", view.scenario},
            {"model", view.header.model},
            {"mesh", mesh_json(view)},
            {"batch", view.batch},
            {"sequence", view.sequence},
            {"micro_batches", view.header.micro_batches},
            {"time_s", view.solution.time.s()},
            {"micro_batch_s", view.solution.of_micro_batch(view.header.micro_batches).s()},
            {"once_s", view.solution.once.s()}};
  if (!view.loaded) {
    json["bound_s"] = view.solution.bound.s();
    json["optimal"] = view.solution.bound == view.solution.time;
    json["integer_solver"] = integer_solver();
  }
  json["compute_s"] = summary.compute.s();
  json["communication_s"] = summary.communication.s();
  if (view.simulated) json["simulated_step_s"] = view.simulated->s();
  json["memory_bytes"] = view.solution.memory_bytes;
  if (std::isfinite(view.memory.high)) json["memory_high_bytes"] = view.memory.high;
  if (view.memory.low > 0) json["memory_low_bytes"] = view.memory.low;
  json["mesh_dims"] = summary_json(view, summary);
  json["collectives"] = collectives_json(view, summary);
  json["plans"] = Json::array();
  for (const ShardingRival& rival : view.rivals) {
    Json one{{"name", rival.name}};
    if (rival.solution) {
      one["time_s"] = rival.solution->time.s();
      one["memory_bytes"] = rival.solution->memory_bytes;
    } else {
      one["reason"] = rival.reason;
    }
    json["plans"].push_back(std::move(one));
  }
  for (const MicroBatchTrial& trial : view.trials) {
    Json one{{"micro_batches", trial.micro_batches}};
    if (trial.solution) {
      one["time_s"] = trial.solution->time.s();
      one["memory_bytes"] = trial.solution->memory_bytes;
    } else {
      one["reason"] = trial.reason;
    }
    json["tried"].push_back(std::move(one));
  }
  const std::vector<NodeCost> costs = node_costs(view.pricing, view.solution.choices);
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    Json node = node_json(view, n);
    node["copies"] = problem.nodes[n].copies;
    node["compute_s"] = costs[n].compute.s();
    node["communication_s"] = costs[n].communication.s();
    json["nodes"][problem.nodes[n].name] = std::move(node);
  }
  json["left_out"] = view.left_out;
  return json.dump(1) + "\n";
}

std::string saved_sharding_json(const ShardingView& view) {
  const Problem& problem = view.pricing.problem();
  Json json{{"schema", solution_schema},
            {"model", view.header.model},
            {"mesh", mesh_json(view)},
            {"micro_batches", view.header.micro_batches}};
  for (std::size_t n = 0; n < problem.nodes.size(); ++n)
    json["nodes"][problem.nodes[n].name] = node_json(view, n);
  return json.dump(1) + "\n";
}

std::string placements_json(const ShardingView& view) {
  const Problem& problem = view.pricing.problem();
  Json json{{"mesh_shape", view.header.mesh}, {"mesh_dim_names", view.header.mesh_names}};
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const ProblemNode& node = problem.nodes[n];
    if (node.results.empty()) continue;
    const Choice& choice = node.choices[at(view.solution.choices[n])];
    Json placements = Json::array();
    for (const auto& one :
         layout_at(problem, problem.tensors[at(node.results[0])].layouts, choice.results[0])
             .placements)
      placements.push_back(strategies::placement::format(one));
    json["placements"][node.name] = std::move(placements);
  }
  return json.dump(1) + "\n";
}

}  // namespace viz
