#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/search/search.hpp"

namespace sim::search {

/// What is told of a search beside the plans that it found.
struct Summary {
  /// Keys of the axes that were varied, with their values.
  std::vector<std::pair<std::string, std::vector<std::string>>> axes;
  double plans = 0;  ///< of the space
  Counts counts;     ///< what became of them
  double undecided = 0;
  int units = 0;
  int kept = 0;
  int too_large = 0;
  int simulated = 0;
  /// Plans that fit and were not simulated, of those that were looked at closer.
  int not_simulated = 0;
  double slowdown = 1;  ///< of collectives between nodes, by contention; see Outcome
  bool stopped = false;
  bool proven = false;  ///< no plan of the space is faster than the first
  double bound = 0;     ///< seconds that no plan undercuts
  double gap = 0;       ///< 1 - bound / step of the first
  std::vector<Round> rounds;

  bool operator==(const Summary&) const = default;
};

Summary summarise(const Space& space, const Outcome& outcome);

/// How sure it is, as a sentence: "the best of the space: no other plan can take less than …".
std::string verdict(const Summary& summary);

}  // namespace sim::search
