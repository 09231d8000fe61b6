#pragma once

#include <string>

#include "strategies/checkpoint_file/checkpoint_file.hpp"

namespace strategies::checkpoint_file {

/// Largest pickle that is read, bytes.
inline constexpr std::size_t pickle_bytes_max = std::size_t{256} << 20;

/// Adds the tensors of a file of torch.save, a zip archive (since PyTorch 1.6). Only its pickle is
/// unpacked; of the storages the sizes are compared. False, with a problem, when it is none.
bool read_torch_zip(const std::string& path, const std::string& name, Checkpoint& checkpoint);

/// The same of the older format: pickles one after the other, then the storages.
bool read_torch_legacy(const std::string& path, const std::string& name, Checkpoint& checkpoint);

}  // namespace strategies::checkpoint_file
