#pragma once

#include "topology/import/format.hpp"

/// What the programming interfaces of clouds answer about where instances are, JSON: one answer, or
/// its pages one after the other or in files of their own. Fields as Topograph's providers read
/// them (August 2026).
namespace topology {

/// `aws ec2 describe-instance-topology` and `describe-capacity-reservation-topology`.
bool is_aws_topology(std::string_view text);
base::Result<FoundCluster> read_aws_topology(std::span<const DumpFile> files,
                                             const ImportContext& context);

/// Instances of Google Compute Engine with `resourceStatus.physicalHostTopology`: an answer of
/// instances.list or instances.aggregatedList, or `gcloud compute instances list --format=json`.
bool is_gcp_instances(std::string_view text);
base::Result<FoundCluster> read_gcp_instances(std::span<const DumpFile> files,
                                              const ImportContext& context);

/// Compute hosts of Oracle Cloud (ListComputeHosts, or the CLI's spelling of it), or the rdma
/// topology that instances read from their metadata service.
bool is_oci_hosts(std::string_view text);
base::Result<FoundCluster> read_oci_hosts(std::span<const DumpFile> files,
                                          const ImportContext& context);

/// Instances of Lambda with `networkPath`.
bool is_lambda_instances(std::string_view text);
base::Result<FoundCluster> read_lambda_instances(std::span<const DumpFile> files,
                                                 const ImportContext& context);

/// Instances of Nscale with `network_node_path`.
bool is_nscale_topology(std::string_view text);
base::Result<FoundCluster> read_nscale_topology(std::span<const DumpFile> files,
                                                const ImportContext& context);

}  // namespace topology
