// The cost of placements against the simulated step: does choosing by cost choose well?

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <random>

#include "calibrate/calibrated_profile.hpp"
#include "sim/engine.hpp"
#include "sim/place/assign.hpp"
#include "sim/place/search.hpp"
#include "sim/scenario.hpp"
#include "strategies/shard.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace sim::place {
namespace {

const std::string hardware = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";

Scenario scenario_of(const std::string& cluster, const std::string& plan) {
  const Folder folder;
  std::ofstream(folder / "s.yaml") << R"(
model: {layers: 8, hidden: 4096, ffn: 14336, heads: 32, kv_heads: 8, vocab: 32000}
network: {routing: adaptive}
plan: {micro_batch: 1, global_batch: 64, sequence: 4096, )"
                                   << plan << "}\ncluster:\n"
                                   << cluster;
  auto scenario =
      load_scenario({.path = folder / "s.yaml", .set = {}, .hardware_folder = hardware});
  INFO((scenario ? "" : scenario.error().front().format()));
  REQUIRE(scenario);
  return std::move(*scenario);
}

struct Laid {
  std::vector<topology::GpuId> gpus;
  StepGraph graph;
};

Laid lay(Scenario scenario, const calibrate::Profile& profile, const std::vector<int>& nodes) {
  scenario.placement.nodes = nodes;
  Laid laid;
  laid.gpus = place_ranks(scenario);
  laid.graph = build_step({.model = scenario.model,
                           .plan = scenario.plan,
                           .sharded = strategies::shard(scenario.model, scenario.plan),
                           .cluster = scenario.cluster,
                           .gpu_of_rank = laid.gpus,
                           .profile = profile});
  return laid;
}

std::vector<double> ranks_of(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double value : values) {
    double below = 0;
    double equal = 0;
    for (const double other : values) {
      if (other < value * (1 - 1e-4))
        ++below;
      else if (other <= value * (1 + 1e-4))
        ++equal;
    }
    ranks.push_back(below + (equal - 1) / 2);
  }
  return ranks;
}

/// Spearman's, ties shared; nothing where all of either are equal.
std::optional<double> rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks_of(a);
  const std::vector<double> y = ranks_of(b);
  const double mean = (static_cast<double>(x.size()) - 1) / 2;
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

TEST_CASE("cheaper placements are quicker ones when they are simulated") {
  const std::vector<std::pair<std::string, std::string>> clusters{
      {"fat tree 8:1",
       "  nodes: {type: dgx-h100, count: 8}\n"
       "  fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 8}\n"},
      {"pods 4:1, 4:1",
       "  nodes: {type: dgx-h100, count: 8}\n"
       "  fabric: {kind: fat_tree, nodes_per_leaf: 2, leaves_per_pod: 2, oversubscription: 4, "
       "core_oversubscription: 4}\n"},
      {"rails 8:1",
       "  nodes: {type: dgx-h100, count: 8}\n"
       "  fabric: {kind: rail_optimized, nodes_per_leaf: 2, oversubscription: 8}\n"},
  };
  const std::vector<std::string> plans{
      "tensor_parallel: 8, pipeline_parallel: 2",
      "tensor_parallel: 8, pipeline_parallel: 4",
      "tensor_parallel: 8, pipeline_parallel: 2, zero: 1",
      "tensor_parallel: 1, zero: 3",
      "tensor_parallel: 2, pipeline_parallel: 4",
      "tensor_parallel: 8, context_parallel: 2",
  };
  double worst_regret = 0;
  double correlation_sum = 0;
  int correlations = 0;
  std::string table;
  for (const auto& [name, cluster] : clusters)
    for (const std::string& plan : plans) {
      const Scenario scenario = scenario_of(cluster, plan);
      const auto profile =
          calibrate::make_calibrated_profile(nullptr, scenario.cluster.gpu_spec(0), 8, hardware,
                                             {.flash_attention = scenario.plan.attention_kernels,
                                              .unfused_attention = {},
                                              .step_gpus = scenario.plan.ranks(),
                                              .backend = scenario.backend});
      REQUIRE(profile);
      std::vector<int> nodes(8);
      std::iota(nodes.begin(), nodes.end(), 0);
      const Laid first = lay(scenario, *profile->profile, nodes);
      const StepDemand demand = demand_of(first.graph, scenario.cluster, first.gpus, 8);
      const topology::NetworkTree tree = topology::network_tree(scenario.cluster);
      const std::vector<Site> sites = sites_of(nodes, scenario.cluster, tree, {});
      const Ground ground(demand, scenario.cluster, tree, sites);
      std::vector<int> site_of_node(8);
      for (std::size_t site = 0; site < sites.size(); ++site)
        for (const int node : sites[site].nodes)
          site_of_node[static_cast<std::size_t>(node)] = static_cast<int>(site);

      Request request;
      request.free = nodes;
      const auto answer = assign(demand, scenario.cluster, tree, request, scenario.plan.grid(), 8);
      REQUIRE(answer);
      std::vector<std::vector<int>> placements{nodes, answer->best.nodes};
      std::mt19937 random(5);
      for (int i = 0; i < 14; ++i) {
        std::shuffle(nodes.begin(), nodes.end(), random);
        placements.push_back(nodes);
      }
      std::vector<double> costs;
      std::vector<double> steps;
      for (const std::vector<int>& one : placements) {
        std::vector<int> seating;
        for (const int node : one) seating.push_back(site_of_node[static_cast<std::size_t>(node)]);
        costs.push_back(cost_of(ground, seating).step);
        const Laid laid = lay(scenario, *profile->profile, one);
        steps.push_back(simulate(laid.graph, scenario.cluster, laid.gpus,
                                 {.routing = scenario.routing, .progress = {}})
                            .step.s());
      }
      const double best = *std::min_element(steps.begin(), steps.end());
      const double regret = steps[1] / best - 1;
      const auto correlation = rank_correlation(costs, steps);
      worst_regret = std::max(worst_regret, regret);
      if (correlation) {
        correlation_sum += *correlation;
        ++correlations;
      }
      table += fmt::format(
          "{:14} {:50} cost {:.1f} to {:.1f}, simulated {:.1f} to {:.1f} ms, chosen {:.1f} / "
          "{:.1f}, regret {:.3f}, rank {}\n",
          name, plan, 1e3 * *std::min_element(costs.begin(), costs.end()),
          1e3 * *std::max_element(costs.begin(), costs.end()), 1e3 * best,
          1e3 * *std::max_element(steps.begin(), steps.end()), 1e3 * costs[1], 1e3 * steps[1],
          regret, correlation ? fmt::format("{:.2f}", *correlation) : "-");
    }
  INFO(table << "worst regret " << worst_regret << ", mean rank correlation "
             << correlation_sum / correlations);
  CHECK(worst_regret < 0.08);
  CHECK(correlation_sum / correlations > 0.75);
}

}  // namespace
}  // namespace sim::place
