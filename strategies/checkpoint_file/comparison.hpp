#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "strategies/checkpoint_file/checkpoint_file.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"

namespace strategies::checkpoint_file {

/// A tensor that both have, in different shapes.
struct ShapeDifference {
  std::string name;
  Shape saved;
  Shape wanted;
};

/// A checkpoint against the model that is to be trained.
struct Comparison {
  std::string_view naming;  ///< "Llama": whose names its tensors have; empty: of none that is known
  std::string prefix;       ///< in front of these names
  std::int64_t saved = 0;   ///< elements of its model tensors, shared ones once
  std::int64_t wanted = 0;  ///< parameters of the model
  int matching = 0;         ///< tensors with the name and shape that the model wants
  std::vector<std::string> missing;
  std::vector<ShapeDifference> different;
  std::vector<std::string> extra;  ///< model tensors of the checkpoint that nobody wants

  bool fits() const { return !naming.empty() && missing.empty() && different.empty(); }
};

/// Tries the names of every family that the model can be of, behind the usual prefixes of wrappers,
/// and takes those that most tensors have.
Comparison compare(const Checkpoint& checkpoint, const ModelSpec& model);

/// What the fullest rank gets of a checkpoint.
struct RankShare {
  std::int64_t parameters = 0;  ///< that it computes with, before FSDP shards them
  std::int64_t kept = 0;        ///< that it keeps: a shard with FSDP
  base::Bytes read;             ///< of those it keeps, at the mean bytes that one has as saved
  base::Bytes whole;            ///< of all model tensors, as saved
  base::Bytes largest_tensor;   ///< as saved, before it is cut
  base::Bytes largest_file;
};

/// \pre check_plan found no error
RankShare share_of_rank(const Checkpoint& checkpoint, const ModelSpec& model, const Plan& plan);

}  // namespace strategies::checkpoint_file
