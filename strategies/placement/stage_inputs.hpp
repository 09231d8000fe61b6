#pragma once

#include <optional>
#include <vector>

#include "base/diagnostic.hpp"

namespace strategies::placement {

/// Output `output` of pipeline stage `stage`, which a later stage takes as an argument.
struct StageOutput {
  int stage = 0;
  int output = 0;

  auto operator<=>(const StageOutput&) const = default;
};

/// Which value each argument of a pipeline stage takes, when tensors arrive by sending stage, then
/// output: number i < received is the i-th tensor received, received + j the j-th local one.
/// `arguments` says of each argument which output it is; nothing: the next local one. The same
/// output may be taken twice and is received once.
base::Result<std::vector<int>> route_stage_inputs(
    const std::vector<std::optional<StageOutput>>& arguments, int received, int local,
    const base::SourceRef& where = {});

}  // namespace strategies::placement
