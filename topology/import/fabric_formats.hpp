#pragma once

#include "topology/import/format.hpp"

/// Formats that tell a fabric cable by cable.
namespace topology {

extern const ImportFormat ibnetdiscover_format;

}  // namespace topology
