#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/document.hpp"

/// Plans of one scenario beside each other.
namespace sim::compare {

/// A key of a plan and the values to try.
struct Axis {
  std::string path;                ///< below `plan`: "overlap.gradient_reduce"
  std::vector<base::Node> values;  ///< as they stand in the file, all different
  std::vector<std::string> words;  ///< the same, for people
  int line = 0;                    ///< of the key
  int column = 0;
};

/// Keys to lay over the plan of a scenario.
struct PlanEntry {
  std::string name;                ///< the user's, or made of the keys
  base::Node keys;                 ///< a map; places are those in the plan set's file
  std::optional<double> gpu_hour;  ///< price of a GPU for an hour, instead of the scenario's
  base::SourceRef where;
};

/// Most plans that a set may list, and combinations that its axes may have.
inline constexpr std::size_t entries_max = 10'000;

/// A file of plans, read but not yet laid over a scenario.
struct PlanSet {
  std::string file;
  std::vector<PlanEntry> plans;
  std::vector<Axis> axes;

  /// Of the axes; 0 without any.
  std::size_t combinations() const;
  /// The i-th of them: later axes vary fastest.
  PlanEntry combination(std::size_t i) const;
  /// Which value of axis `a` the i-th combination has.
  std::size_t value_of(std::size_t i, std::size_t a) const;
};

/// Reads `plans:` (a list of maps: keys of a plan, `name`, `price: {gpu_hour: …}`) and `axes:` (a
/// map of dotted keys of a plan to lists of values). What the keys mean is not looked at. Mistakes:
/// neither of them, names that stand twice, axes of one key, values that stand twice, too many.
base::Result<PlanSet> read_plan_set(std::string_view text, const std::string& file);

}  // namespace sim::compare
