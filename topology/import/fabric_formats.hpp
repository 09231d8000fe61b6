#pragma once

#include "topology/import/format.hpp"

/// Formats that tell a fabric cable by cable.
namespace topology {

extern const ImportFormat ibnetdiscover_format;
extern const ImportFormat iblinkinfo_format;
extern const ImportFormat netq_format;
extern const ImportFormat lldp_format;
extern const ImportFormat sonic_format;
extern const ImportFormat ufm_format;
extern const ImportFormat lingjun_format;

}  // namespace topology
