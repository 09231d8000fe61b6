#pragma once

#include "topology/import/format.hpp"

/// Formats that tell a fabric cable by cable; `lingjun` tells a tree of hosts.
namespace topology {

bool is_ibnetdiscover(std::string_view text);
base::Result<FoundCluster> read_ibnetdiscover(std::span<const DumpFile> files,
                                              const ImportContext& context);

bool is_iblinkinfo(std::string_view text);
base::Result<FoundCluster> read_iblinkinfo(std::span<const DumpFile> files,
                                           const ImportContext& context);

bool is_netq(std::string_view text);
base::Result<FoundCluster> read_netq(std::span<const DumpFile> files, const ImportContext& context);

bool is_lldp(std::string_view text);
base::Result<FoundCluster> read_lldp(std::span<const DumpFile> files, const ImportContext& context);

bool is_sonic(std::string_view text);
base::Result<FoundCluster> read_sonic(std::span<const DumpFile> files,
                                      const ImportContext& context);

bool is_ufm(std::string_view text);
base::Result<FoundCluster> read_ufm(std::span<const DumpFile> files, const ImportContext& context);

bool is_lingjun(std::string_view text);
base::Result<FoundCluster> read_lingjun(std::span<const DumpFile> files,
                                        const ImportContext& context);

}  // namespace topology
