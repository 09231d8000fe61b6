#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "calibrate/calibrated_profile.hpp"
#include "cli/calibration_option.hpp"
#include "cli/scenario_argument.hpp"
#include "sim/place/assign.hpp"
#include "sim/scenario.hpp"

/// What the subcommands of `place` share: which nodes are free, what the job sends, how long its
/// step takes in a place.
namespace cli {

void add_place_assign(CLI::App& group);
void add_place_evaluate(CLI::App& group);

/// "--free", "--exclude" and "--ranks-per-node" beside the scenario.
struct PlaceArgument {
  ScenarioArgument scenario;
  CalibrationOption calibration;
  std::string free = "auto";
  std::string exclude;
  int ranks_per_node = 0;

  void add_to(CLI::App& command);
};

/// A job that is to be placed, and the ground for it.
struct PlaceJob {
  sim::Scenario scenario;
  calibrate::Calibrations calibrations;
  int ranks_per_node = 0;
  int slots = 0;
  std::vector<int> free;              ///< nodes that it may have, ascending, of one type
  std::vector<std::string> not_free;  ///< why others may not be had: "node-3 cordoned"
  std::vector<topology::Level> levels;
  topology::NetworkTree tree;
  sim::StepGraph graph;  ///< as laid out on some nodes of that type
  sim::place::StepDemand demand;

  /// The step where its slots sit on these nodes, shared links and all.
  double simulated(const std::vector<int>& nodes) const;
  /// What the model says of them.
  sim::place::Cost cost_of(const std::vector<int>& nodes) const;
  std::string name_of(int node) const {
    return scenario.cluster.nodes()[static_cast<std::size_t>(node)].name;
  }
  std::vector<std::string> names_of(const std::vector<int>& nodes) const;
};

/// Reads all of it; leaves with `mistake`, or with `infeasible` where fewer nodes are free than are
/// needed with `spares`. `own`: nodes of a running job, which it may keep.
PlaceJob load_place_job(const PlaceArgument& argument, int spares, const std::vector<int>& own);

/// A level by its name; leaves with `mistake` for one that is none.
const topology::Level& level_by_name(const PlaceJob& job, const std::string& option,
                                     const std::string& name);

/// Nodes that the user names: a file (a node a line, an Open MPI rankfile, or what `place assign`
/// writes as JSON) or a hostlist. Leaves with `mistake`.
std::vector<int> nodes_named(const std::string& words, const topology::Cluster& cluster);

/// Nodes of a job that runs, "namespace/name", by the index of its pods. Leaves with `mistake`
/// where the dumps of the scenario tell of none.
std::vector<int> nodes_of_job(const std::string& job, const sim::Scenario& scenario);

/// "node-[0-3],node-7".
std::string hostlist_of(const std::vector<std::string>& names);

/// What each demand puts on each tier of the network, and what that costs: rows of a table.
std::string demand_table(const PlaceJob& job, const std::vector<int>& nodes);

}  // namespace cli
