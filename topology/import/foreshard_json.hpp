#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// "foreshard.cluster.v1", as write_foreshard_json gives it.
bool is_foreshard_json(std::string_view text);
base::Result<FoundCluster> read_foreshard_json(std::span<const DumpFile> files,
                                               const ImportContext& context);

}  // namespace topology
