#pragma once

#include <memory>

#include "base/document.hpp"
#include "sim/scenario.hpp"
#include "topology/hardware.hpp"

/// Parts of reading a scenario that those with several jobs use, too; internal to the module.
namespace sim {

using Registry = std::shared_ptr<const topology::HardwareRegistry>;

/// The user's file with what --set changes of it.
struct ScenarioText {
  base::Document document;
  Registry registry;
};

/// The file with what --set changes of it.
base::Result<base::Document> read_scenario_document(const ScenarioOptions& options);

base::Result<ScenarioText> read_scenario_text(const ScenarioOptions& options);

/// What a job among others does not read from its scenario.
struct Seats {
  const topology::Cluster* cluster = nullptr;  ///< built already; null: as the scenario says
  int gpus = 0;                                ///< for its plan; 0: those of its placement
};

base::Result<Scenario> read_scenario(const ScenarioOptions& options, ScenarioText text,
                                     const Seats& seats);

}  // namespace sim
