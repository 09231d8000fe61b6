#pragma once

#include <optional>
#include <string>

#include "strategies/checkpoint_file/checkpoint_file.hpp"
#include "strategies/checkpoint_file/pickle.hpp"

namespace strategies::checkpoint_file {

/// The numbers of a torch.Size, a tuple or a list; nothing when it is none, or some are negative.
std::optional<Shape> extents_of(const Pickle& pickle, const PickleValue& value);

/// Finds the tensors that torch.save has put into a pickle, by the functions that would rebuild
/// them, and adds them to the checkpoint under their path ("optimizer.state.0.exp_avg"). Dicts,
/// lists, tuples and the attributes of objects are looked through; what calls anything else is
/// named in `unknown`. Views that reach beyond their storage and objects that hold themselves are
/// problems.
void find_tensors(const Pickle& pickle, const std::string& file, Checkpoint& checkpoint);

}  // namespace strategies::checkpoint_file
