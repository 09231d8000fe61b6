#include <array>

#include "topology/import/fabric_formats.hpp"
#include "topology/import/foreshard_json.hpp"
#include "topology/import/format.hpp"

namespace topology {

std::span<const ImportFormat> import_formats() {
  static const std::array<ImportFormat, 2> formats{foreshard_json_format, ibnetdiscover_format};
  return formats;
}

}  // namespace topology
