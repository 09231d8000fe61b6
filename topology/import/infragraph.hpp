#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// InfraGraph (Keysight), YAML: version 2.4 with edges between endpoints, and earlier ones with
/// connections as texts ("host.0.nic.1.eth.leaf.0.port.3"). Devices with XPUs, or with a CPU and
/// NICs, are nodes, all others switches; what is inside a device, beside counts, is not read. An
/// instance of which there is one has the name of its kind ("host"), others that and their number
/// ("host.3"); so have NICs and ports.
bool is_infragraph(std::string_view text);
base::Result<FoundCluster> read_infragraph(std::span<const DumpFile> files,
                                           const ImportContext& context);

}  // namespace topology
