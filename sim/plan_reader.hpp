#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "sim/placement.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "topology/cluster.hpp"

/// Reading a plan where there is a scenario around it; internal to the module.
namespace sim {

/// `path` as a file says it: relative to the folder of that file.
std::string beside(const std::string& file, const std::string& path);

/// The text of the file that `key` names; a mistake at `key` when it cannot be read.
std::optional<std::string> read_named(base::MapReader& reader, std::string_view key,
                                      const std::string& file);

/// The `plan:` map of the file `scenario`, with the table of a schedule that it names. Mistakes go
/// to `problems`, which are those of the reader.
strategies::Plan read_plan(base::MapReader& reader, const std::string& scenario,
                           base::Diagnostics& problems);

/// GPUs that ranks may sit on.
struct PlanSeats {
  int gpus = 0;
  std::string_view machine;  ///< what has them, for messages
};
PlanSeats seats_of(const Placement& placement, const topology::Cluster& cluster);

/// As strategies::check_plan, and that every GPU model of the cluster computes in the plan's
/// format, for the slowest sets the pace.
base::Diagnostics check_plan(strategies::Plan& plan, const strategies::ModelSpec& model,
                             const topology::Cluster& cluster, const PlanSeats& seats,
                             const base::Origins& origins);

/// A warning when the plan leaves some of so many GPUs unused.
std::optional<base::Diagnostic> unused_gpus(const strategies::Plan& plan, int gpus,
                                            const base::Origins& origins);

}  // namespace sim
