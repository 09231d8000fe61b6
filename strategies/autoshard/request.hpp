#pragma once

#include <string>
#include <vector>

#include "base/map_reader.hpp"
#include "strategies/autoshard/constraint.hpp"

namespace strategies::autoshard {

/// What a scenario says under `autoshard`.
struct Request {
  std::vector<int> mesh;                ///< extents, outermost first; empty: not said
  std::vector<std::string> mesh_names;  ///< as many; empty: not said
  Demands demands;                      ///< names are unique
};

/// Extents joined by "x", as "8x8x4": at most three, each at least 1.
base::Result<std::vector<int>> parse_mesh(std::string_view text, const base::SourceRef& where);

/// Reads
///   mesh: 8x8
///   mesh_names: [dp, tp]
///   memory: 80 GB                     # or {low: 10 GB, high: 80 GB}
///   constraints:
///     - name: norms                   # default: its place, "constraint 1"
///       tensors: "*.norm.weight"
///       layouts: ["R, R"]             # or forbid: [...]
/// Adds mistakes to the reader's problems.
Request read_request(base::MapReader& reader, base::Diagnostics& problems);

}  // namespace strategies::autoshard
