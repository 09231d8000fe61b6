#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/document.hpp"
#include "sim/compare/plan_set.hpp"
#include "sim/plan_reader.hpp"
#include "sim/scenario.hpp"
#include "strategies/plan.hpp"

namespace sim::compare {

/// A plan that the scenario's model and cluster can have.
struct Candidate {
  std::string name;
  strategies::Plan plan;           ///< checked, `data` filled in
  std::optional<double> gpu_hour;  ///< price of a GPU for an hour; nothing: not known
  base::SourceRef where;
  bool combination = false;  ///< of axes, not one of the list
};

/// A combination of axes that is no plan for this model and cluster.
struct Refused {
  std::string name;
  base::Diagnostics reasons;
};

struct Candidates {
  std::vector<Candidate> plans;  ///< the listed ones, then combinations, in the order of the file
  std::vector<Refused> refused;
};

/// A plan as it was read; good when both lists have no errors.
struct PlanReading {
  strategies::Plan plan;
  base::Diagnostics mistakes;  ///< words that cannot be read
  base::Diagnostics refusals;  ///< what model, cluster and degrees do not allow
};

/// Reads plans laid over the one of a scenario. Presets fill in what neither of them says.
class PlanReader {
 public:
  /// Mistakes: a scenario that has no map `plan` (dlcalc's YAML), or that cannot be read again.
  /// \pre `scenario` was loaded with these `options`, and outlives the reader
  static base::Result<PlanReader> make(const ScenarioOptions& options, const Scenario& scenario);

  /// `keys`: a map, of the file `file`.
  PlanReading read(const base::Node& keys, const std::string& file) const;

 private:
  PlanReader(const ScenarioOptions& options, const Scenario& scenario, base::Document document);

  ScenarioOptions options_;
  const Scenario* scenario_;
  base::Document document_;  ///< its plan only
  PlanSeats seats_;
};

/// Lays all plans of the set over the scenario. A listed one that is none is a mistake. A
/// combination of axes that is none is refused; but a word of an axis that cannot be read in any
/// combination is a mistake.
base::Result<Candidates> read_candidates(const PlanSet& set, const PlanReader& reader,
                                         const std::optional<Price>& price);

}  // namespace sim::compare
