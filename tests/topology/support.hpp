#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/map_reader.hpp"
#include "topology/cluster.hpp"
#include "topology/cluster_reader.hpp"
#include "topology/hardware.hpp"
#include "topology/network_reader.hpp"
#include "topology/routes.hpp"

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

/// The cluster that a `cluster:` map describes, with the faults of a `network:` map, or all that is
/// wrong with them.
inline base::Result<Cluster> cluster_from(const std::string& yaml,
                                          const std::string& network = "") {
  const base::Result<base::Document> document = base::parse_yaml(yaml, "c.yaml");
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  base::MapReader root(*document, document->root, "", problems);
  ClusterSpec spec = read_cluster(root, *shipped_registry());
  const base::Result<base::Document> state = base::parse_yaml(network, "n.yaml");
  if (!state) return tl::unexpected(state.error());
  base::MapReader state_root(*state, state->root, "", problems);
  spec.faults = read_network(state_root).faults;
  if (base::has_errors(problems)) return tl::unexpected(problems);
  return build_cluster(spec, shipped_registry());
}

inline std::string text_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& one : diagnostics) text += one.format() + "\n";
  return text;
}

inline std::string name_of(const Cluster& cluster, LinkId id) {
  const Link& link = cluster.link(id);
  return cluster.device(link.from).name + " -> " + cluster.device(link.to).name;
}

/// A route in words, a line for each hop: "node-0/gpu-0 -> node-0/nic-0", or the links of a bundle
/// joined by " + "; in front of them the share where it is not the whole.
inline std::string text_of(const Cluster& cluster, const Router& router, const Route& route) {
  std::string text = route.share == 1 ? "" : fmt::format("{:.3g} of it\n", route.share);
  for (const std::uint32_t hop : route.hops) {
    if (hop < cluster.link_count()) {
      text += name_of(cluster, hop) + "\n";
      continue;
    }
    std::string joined;
    for (const LinkId id : router.bundles().at(hop - cluster.link_count()).links)
      joined += (joined.empty() ? "" : " + ") + name_of(cluster, id);
    text += joined + "\n";
  }
  return text;
}

/// All routes between two GPUs in words.
inline std::string routes_text(const Cluster& cluster, const Router& router, GpuId from, GpuId to) {
  std::vector<Route> routes;
  if (!router.route(from, to, routes)) return "no path\n";
  std::string text;
  for (const Route& route : routes) text += text_of(cluster, router, route);
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
