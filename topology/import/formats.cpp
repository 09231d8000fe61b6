#include <array>

#include "topology/import/foreshard_json.hpp"
#include "topology/import/format.hpp"

namespace topology {

std::span<const ImportFormat> import_formats() {
  static const std::array<ImportFormat, 1> formats{foreshard_json_format};
  return formats;
}

}  // namespace topology
