#pragma once

#include <optional>
#include <string>
#include <vector>

#include "strategies/checkpoint_file/checkpoint_file.hpp"

namespace strategies::checkpoint_file {

/// A tensor and the file that has it, as the index says.
struct IndexEntry {
  std::string tensor;
  std::string file;
  base::SourceRef where;
};

/// Hugging Face's model.safetensors.index.json: {metadata: {total_size}, weight_map: {tensor:
/// file}}.
struct ShardIndex {
  std::optional<double> total_size;  ///< bytes of all tensors
  base::SourceRef total_where;
  std::vector<IndexEntry> tensors;
};

base::Result<ShardIndex> read_index(const std::string& path);

/// Adds to the problems of a checkpoint, which was read from the shards of this index, what the
/// index says and the shards have not, and the reverse.
void compare_index(const ShardIndex& index, const std::string& path, Checkpoint& checkpoint);

}  // namespace strategies::checkpoint_file
