#pragma once

#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "topology/nccl_graph.hpp"

namespace topology {

/// Reads what NCCL writes to NCCL_GRAPH_DUMP_FILE (format 1). Every mistake at once; attributes and
/// elements that the format does not have are mistakes. There must be a ring; other graphs may be
/// missing or have no channels.
base::Result<NcclGraphs> read_nccl_graph_xml(std::string_view text, const std::string& file);

}  // namespace topology
