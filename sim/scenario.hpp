#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/document.hpp"
#include "calibrate/backend.hpp"
#include "sim/build_step.hpp"
#include "sim/engine.hpp"
#include "sim/placement.hpp"
#include "sim/price.hpp"
#include "sim/report.hpp"
#include "strategies/autoshard/request.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"
#include "topology/routes.hpp"

namespace sim {

/// The whole user file, read, checked and ready to be simulated.
struct Scenario {
  std::string name;
  strategies::ModelSpec model;
  topology::Cluster cluster;
  std::string cluster_text;                             ///< one line about it
  std::shared_ptr<const topology::FoundCluster> found;  ///< what it was made of; null: no dump
  strategies::Plan plan;                                ///< with `data` filled in
  Placement placement;                                  ///< where the ranks sit
  std::shared_ptr<const calibrate::CollectiveBackend> backend;  ///< who prices collectives
  base::SourceRef backend_where;  ///< of the words that choose its algorithms
  ForcedAlgorithms forced;        ///< algorithms that the user sets himself
  Fidelity fidelity = Fidelity::hybrid;
  bool fold = true;  ///< see EngineOptions
  topology::RoutingOptions routing;
  strategies::autoshard::Request autoshard;  ///< of a plan that is to be found
  std::optional<Measured> measured;  ///< what this step took in reality, to stand beside the answer
  std::optional<Price> price;        ///< of its GPUs
  base::Origins origins;             ///< of keys of the model and the plan, for later mistakes
  base::Diagnostics notes;           ///< warnings and notes to show with the answer
};

struct ScenarioOptions {
  std::string path;
  std::vector<std::pair<std::string, std::string>> set;  ///< --set path=value, in order
  std::string hardware_folder;                           ///< of the registry
};

/// Reads a scenario file, or a dlcalc YAML unchanged. Files that it names are relative to it.
/// Every mistake of the file and of those it names, at once.
base::Result<Scenario> load_scenario(const ScenarioOptions& options);

/// The GPU of each rank: rank i on the i-th GPU of the placement.
std::vector<topology::GpuId> place_ranks(const Scenario& scenario);

}  // namespace sim
