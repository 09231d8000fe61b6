#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "strategies/checkpoint_file/element_type.hpp"
#include "strategies/model.hpp"

namespace strategies::checkpoint_file {

/// A tensor that a checkpoint of a model has.
struct ModelTensor {
  std::string name;
  Shape shape;
  bool optional = false;  ///< a copy: the head of a model that shares it with the embedding
};

/// How a family of Hugging Face models names its tensors: a row of the table.
struct Naming {
  std::string_view name;
  bool (*fits)(const ModelSpec& model);
  std::vector<ModelTensor> (*tensors)(const ModelSpec& model);
};
std::span<const Naming> namings();

}  // namespace strategies::checkpoint_file
