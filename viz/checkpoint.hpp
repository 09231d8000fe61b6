#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "strategies/checkpoint_file/checkpoint_file.hpp"
#include "strategies/checkpoint_file/comparison.hpp"

namespace viz {

/// Whether a checkpoint can be loaded for a scenario.
struct CheckpointFit {
  std::string scenario;
  std::string plan;
  strategies::checkpoint_file::Comparison comparison;
  strategies::checkpoint_file::RankShare share;
  int ranks_per_node = 0;
  bool whole_files = false;  ///< torch.load: each rank holds a file; else parts are read
  base::Bytes resident;      ///< of the fullest rank before the first step: model states, libraries
  base::Bytes capacity;      ///< of its GPU
  base::Bytes step_peak;     ///< of the worst rank during a step
  bool step_fits = false;

  /// With the largest tensor beside it that is being cut or cast.
  base::Bytes while_loading() const { return resident + share.largest_tensor; }
  bool loads() const { return while_loading() <= capacity; }
  /// In the memory of a node whose ranks load at once.
  base::Bytes host() const {
    return (whole_files ? share.largest_file : share.largest_tensor) * ranks_per_node;
  }
};

/// What of a checkpoint is shown.
struct CheckpointView {
  std::string path;
  int depth = 2;         ///< of the tree of modules
  bool tensors = false;  ///< each of them, too
};

/// A module and what is below it, by the words between the dots of tensors' names.
struct ModuleRow {
  int depth = 0;
  std::string name;
  int tensors = 0;
  std::int64_t elements = 0;
  base::Bytes bytes;
};

/// Modules to this depth, each before its parts, those in natural order.
std::vector<ModuleRow> module_rows(const strategies::checkpoint_file::Checkpoint& checkpoint,
                                   int depth);

std::string checkpoint_text(const strategies::checkpoint_file::Checkpoint& checkpoint,
                            const CheckpointView& view, const std::optional<CheckpointFit>& fit);

/// "foreshard.checkpoint.v1": the same, with every tensor.
std::string checkpoint_json(const strategies::checkpoint_file::Checkpoint& checkpoint,
                            const CheckpointView& view, const std::optional<CheckpointFit>& fit);

}  // namespace viz
