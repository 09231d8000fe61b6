#include <array>

#include "topology/import/fabric_formats.hpp"
#include "topology/import/foreshard_json.hpp"
#include "topology/import/format.hpp"

namespace topology {

std::span<const ImportFormat> import_formats() {
  static const std::array<ImportFormat, 8> formats{
      foreshard_json_format, ibnetdiscover_format, iblinkinfo_format, netq_format,
      lldp_format,           sonic_format,         ufm_format,        lingjun_format};
  return formats;
}

}  // namespace topology
