#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"
#include "strategies/autoshard/problem.hpp"

namespace strategies::autoshard {

/// What a saved solution says that it is for.
struct SolutionHeader {
  std::string model;
  std::vector<int> mesh;
  std::vector<std::string> mesh_names;
  int micro_batches = 1;  ///< of a step
};

inline constexpr std::string_view solution_schema = "foreshard.sharding.v1";

/// The micro-batches that a saved solution is for; nothing: it does not say.
std::optional<int> saved_micro_batches(const base::Document& document);

/// Choices of the nodes from
///   {"schema": "foreshard.sharding.v1", "model": ..., "mesh": {"shape": [8, 8], "names": [...]},
///    "micro_batches": 4,
///    "nodes": {NAME: {"operands": [LAYOUT, ...], "results": [LAYOUT, ...]}, ...}}
/// Refused with a reason: another schema, model, mesh or number of micro-batches, nodes that the
/// problem does not have or that are missing, and layouts between which a node has no choice. What
/// else stands in the file (times, arcs) is not read: it follows from these.
base::Result<std::vector<int>> read_solution(const base::Document& document, const Problem& problem,
                                             const SolutionHeader& expected);

}  // namespace strategies::autoshard
