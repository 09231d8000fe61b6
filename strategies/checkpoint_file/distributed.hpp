#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "strategies/checkpoint_file/checkpoint_file.hpp"

namespace strategies::checkpoint_file {

/// What the .metadata of PyTorch's distributed checkpoint says of its files: by path, the byte
/// behind the last one that is used.
using FileReach = std::map<std::string, std::int64_t>;

/// Reads a .metadata (a pickle of torch.distributed.checkpoint.metadata.Metadata). Adds tensors to
/// the checkpoint; boxes that do not make up their tensor, overlap, or lie in no file are problems.
base::Result<FileReach> read_distributed_metadata(std::string_view bytes, const std::string& file,
                                                  Checkpoint& checkpoint);

}  // namespace strategies::checkpoint_file
