#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/import/format.hpp"

namespace topology {

/// Reads dumps of one cluster and joins them in the order given, see merge. `format` is a name of
/// import_formats for all of them; empty: each is recognised by its text. With a mistake in any of
/// them nothing is imported, and every mistake is told.
base::Result<FoundCluster> import_cluster(const std::vector<DumpFile>& files,
                                          std::string_view format, const ImportContext& context);

/// The texts of files; every one that cannot be read is a mistake.
base::Result<std::vector<DumpFile>> read_dumps(const std::vector<std::string>& paths);

}  // namespace topology
