#pragma once

#include "topology/import/format.hpp"

/// Dumps of the inside of one node. They tell no names: what they find holds for any node like it.
namespace topology {

/// What NCCL writes to NCCL_TOPO_DUMP_FILE (version 1; read against NCCL 2.30.7). Elements and
/// attributes that do not matter here are passed over, as NCCL does. A file of several hosts gives
/// a node for each kind of them.
bool is_nccl_topology(std::string_view text);
base::Result<FoundCluster> read_nccl_topology(std::span<const DumpFile> files,
                                              const ImportContext& context);

/// The table of `nvidia-smi topo -m`, with NIC0 and a legend or with the names of the devices. That
/// of rocm-smi is recognised and refused.
bool is_nvidia_smi_topo(std::string_view text);
base::Result<FoundCluster> read_nvidia_smi_topo(std::span<const DumpFile> files,
                                                const ImportContext& context);

}  // namespace topology
