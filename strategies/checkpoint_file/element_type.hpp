#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.hpp"

namespace strategies::checkpoint_file {

/// A number format of saved tensors; more than a step computes in.
struct ElementType {
  std::string_view name;     ///< as safetensors writes it: "BF16"
  std::string_view torch;    ///< "bfloat16"
  std::string_view storage;  ///< of torch.save: "BFloat16Storage"; empty: it has none
  int bits = 0;
};

/// nullptr when unknown.
const ElementType* type_of_safetensors(std::string_view name);
const ElementType* type_of_torch(std::string_view name);
const ElementType* type_of_storage(std::string_view name);

using Shape = std::vector<std::int64_t>;

/// Product of the extents; nothing when it, or its bytes, are more than can be counted.
/// \pre no extent is below 0
std::optional<std::int64_t> elements_of(const Shape& shape);

/// Whole bytes, rounded up. \pre elements_of gave them
base::Bytes bytes_of(std::int64_t elements, const ElementType& type);

}  // namespace strategies::checkpoint_file
