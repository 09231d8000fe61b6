#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/map_reader.hpp"
#include "topology/cluster.hpp"
#include "topology/cluster_reader.hpp"
#include "topology/hardware.hpp"

namespace topology {

/// The registry that ships with the program, read once.
inline std::shared_ptr<const HardwareRegistry> shipped_registry() {
  static const auto registry = [] {
    base::Result<HardwareRegistry> read =
        HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
    return std::make_shared<const HardwareRegistry>(read ? std::move(*read) : HardwareRegistry());
  }();
  return registry;
}

/// The cluster that a `cluster:` map describes, or all that is wrong with it.
inline base::Result<Cluster> cluster_from(const std::string& yaml) {
  const base::Result<base::Document> document = base::parse_yaml(yaml, "c.yaml");
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  base::MapReader root(*document, document->root, "", problems);
  const ClusterSpec spec = read_cluster(root, *shipped_registry());
  if (base::has_errors(problems)) return tl::unexpected(problems);
  return build_cluster(spec, shipped_registry());
}

inline std::string text_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& one : diagnostics) text += one.format() + "\n";
  return text;
}

inline int count_devices(const Cluster& cluster, DeviceKind kind) {
  int count = 0;
  for (DeviceId id = 0; id < cluster.device_count(); ++id)
    count += cluster.device(id).kind == kind ? 1 : 0;
  return count;
}

/// Cables between two kinds of devices; each is two links.
inline int count_cables(const Cluster& cluster, DeviceKind a, DeviceKind b) {
  int count = 0;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    count += cluster.device(link.from).kind == a && cluster.device(link.to).kind == b ? 1 : 0;
  }
  return a == b ? count / 2 : count;
}

}  // namespace topology
