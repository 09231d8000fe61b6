#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// "foreshard.cluster.v1", as write_foreshard_json gives it.
extern const ImportFormat foreshard_json_format;

}  // namespace topology
