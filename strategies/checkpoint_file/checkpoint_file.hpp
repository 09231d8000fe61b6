#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "strategies/checkpoint_file/element_type.hpp"

/// Checkpoints on disk: what is in them, without loading a tensor or executing a byte.
namespace strategies::checkpoint_file {

enum class Role {
  model,      ///< parameters and buffers
  optimizer,  ///< moments, master weights, step counters
  other,      ///< states of random number generators and data loaders
};
std::string_view name_of(Role role);

/// By the words of its name: "optimizer.state.0.exp_avg" is of the optimizer.
Role role_of(std::string_view name);

struct SavedTensor {
  std::string name;
  const ElementType* type = nullptr;  ///< never null
  Shape shape;
  std::string file;      ///< where it, or its first part, lies, from the folder of the checkpoint
  std::string storage;   ///< key of the bytes that it is a view of; empty: it has its own
  base::Bytes reserved;  ///< of that storage
  int parts = 1;         ///< boxes of a distributed checkpoint

  std::int64_t elements() const { return elements_of(shape).value_or(0); }
  base::Bytes bytes() const { return bytes_of(elements(), *type); }
  Role role() const { return role_of(name); }
};

struct SavedFile {
  std::string path;  ///< from the folder of the checkpoint
  base::Bytes size;
};

struct Checkpoint {
  std::string format;  ///< "safetensors", "PyTorch (zip)", "PyTorch (legacy)", "distributed"
  std::vector<SavedFile> files;      ///< those that hold tensors
  std::vector<SavedTensor> tensors;  ///< in the order of the files
  /// Numbers and words beside them: "iteration", "3".
  std::vector<std::pair<std::string, std::string>> values;
  /// Classes and functions that a pickle names and that stand for no tensor, and where first.
  std::map<std::string, std::string> unknown;
  base::Diagnostics problems;  ///< of a checkpoint that is damaged; what could be read is above
};

/// Bytes of all tensors, a storage that several share once.
base::Bytes stored_bytes(const Checkpoint& checkpoint);

/// Tensors that share their bytes, by name, two and more each.
std::vector<std::vector<std::string>> shared_tensors(const Checkpoint& checkpoint);

/// Reads a file (.safetensors; .pt, .pth, .bin of torch.save) or a folder: of a distributed
/// checkpoint (.metadata), with an index of shards, or with such files. Told apart by what is in
/// them. Damage is in `problems`; an error is what cannot be read at all.
///
/// Bounded whatever the bytes: headers up to 100 MB, pickles up to 256 MiB and 8 million values.
base::Result<Checkpoint> read_checkpoint(const std::string& path);

}  // namespace strategies::checkpoint_file
