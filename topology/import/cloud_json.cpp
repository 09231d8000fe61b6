#include "topology/import/cloud_json.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "topology/import/cloud_reader.hpp"

namespace topology {

namespace {

/// Whether one of these words, with quotes, is near the beginning.
bool has_word(std::string_view text, std::initializer_list<std::string_view> words) {
  text = text.substr(0, 1 << 18);
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(fmt::format("\"{}\"", word)) != std::string_view::npos;
  });
}

}  // namespace

bool is_aws_topology(std::string_view text) { return has_word(text, {"NetworkNodes"}); }

base::Result<FoundCluster> read_aws_topology(std::span<const DumpFile> files,
                                             const ImportContext& context) {
  // NetworkNodes go from the top to what the instance plugs into. The levels are named as the
  // labels that AWS puts on nodes, which count the same way and have the same values.
  static const CloudShape shape{.format = "aws-topology",
                                .lists = {"Instances", "CapacityReservations"},
                                .id = {"InstanceId", "CapacityReservationId"},
                                .type = {"InstanceType"},
                                .path = "NetworkNodes",
                                .next_page = {"NextToken"},
                                .numbered = "topology.k8s.aws/network-node-layer-"};
  auto found = read_cloud(shape, files, context);
  if (!found) return found;
  const auto reservations =
      std::count_if(found->nodes.begin(), found->nodes.end(),
                    [](const FoundNode& node) { return node.name.starts_with("cr-"); });
  if (reservations > 0)
    found->notes.push_back({{files.front().name},
                            fmt::format("{} capacity reservations are taken as a node each: how "
                                        "many instances each holds is not told",
                                        reservations),
                            "describe-instance-topology lists instances",
                            base::Severity::warning});
  return found;
}

bool is_gcp_instances(std::string_view text) { return has_word(text, {"physicalHostTopology"}); }

base::Result<FoundCluster> read_gcp_instances(std::span<const DumpFile> files,
                                              const ImportContext& context) {
  // The host is no switch. Block and sub-block are named as GKE's labels of them.
  static const CloudShape shape{
      .format = "gcp-instances",
      .lists = {"items", ""},
      .id = {"name", "id"},
      .alias = {"id"},
      .type = {"machineType"},
      .levels = {{"cluster", {"resourceStatus.physicalHostTopology.cluster"}},
                 {"cloud.google.com/gce-topology-block",
                  {"resourceStatus.physicalHostTopology.block"}},
                 {"cloud.google.com/gce-topology-subblock",
                  {"resourceStatus.physicalHostTopology.subblock"}}},
      .next_page = {"nextPageToken"}};
  return read_cloud(shape, files, context);
}

bool is_oci_hosts(std::string_view text) {
  return has_word(text, {"hpcIslandId", "hpc-island-id", "customerHPCIslandId"});
}

base::Result<FoundCluster> read_oci_hosts(std::span<const DumpFile> files,
                                          const ImportContext& context) {
  static const CloudShape shape{
      .format = "oci-hosts",
      .lists = {"items", "data.items", "data", ""},
      .id = {"instanceId", "instance-id", "id", "customerHostId"},
      .alias = {"id", "displayName", "display-name"},
      .type = {"shape"},
      .levels = {{"hpc island", {"hpcIslandId", "hpc-island-id", "customerHPCIslandId"}},
                 {"network block", {"networkBlockId", "network-block-id", "customerNetworkBlock"}},
                 {"local block", {"localBlockId", "local-block-id", "customerLocalBlock"}}},
      .domain = {"gpuMemoryFabricId", "gpu-memory-fabric-id", "customerGpuMemoryFabric"},
      .next_page = {"opc-next-page"}};
  return read_cloud(shape, files, context);
}

bool is_lambda_instances(std::string_view text) { return has_word(text, {"networkPath"}); }

base::Result<FoundCluster> read_lambda_instances(std::span<const DumpFile> files,
                                                 const ImportContext& context) {
  static const CloudShape shape{.format = "lambda-instances",
                                .lists = {"data"},
                                .id = {"id"},
                                .path = "networkPath",
                                .order = PathOrder::fine_first,
                                .domain = {"nvlink.domain_id"},
                                .partition = {"nvlink.clique_id"},
                                .next_page = {"page_token"}};
  return read_cloud(shape, files, context);
}

bool is_nscale_topology(std::string_view text) { return has_word(text, {"network_node_path"}); }

base::Result<FoundCluster> read_nscale_topology(std::span<const DumpFile> files,
                                                const ImportContext& context) {
  static const CloudShape shape{.format = "nscale-topology",
                                .lists = {""},
                                .id = {"instance_id"},
                                .path = "network_node_path",
                                .domain = {"block_id"}};
  return read_cloud(shape, files, context);
}

}  // namespace topology
