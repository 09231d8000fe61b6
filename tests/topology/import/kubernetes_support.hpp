#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/k8s_dump.hpp"
#include "topology/import/kubernetes.hpp"

namespace topology {

/// A fixture of tests/topology/dumps/kubernetes.
inline std::string kubernetes_dump(const std::string& name) {
  const auto text = base::read_file(std::string(FORESHARD_SOURCE_DIR) +
                                    "/tests/topology/dumps/kubernetes/" + name);
  REQUIRE(text);
  return *text;
}

inline base::Result<FoundCluster> read_kubernetes_dump(const std::vector<DumpFile>& files,
                                                       const ImportOptions& options = {}) {
  const auto registry = shipped_registry();
  return read_kubernetes_cluster(files, {*registry, options});
}

inline base::Result<FoundCluster> read_fixtures(std::initializer_list<std::string> names,
                                                const ImportOptions& options = {}) {
  std::vector<DumpFile> files;
  for (const std::string& name : names) files.push_back({name, kubernetes_dump(name)});
  return read_kubernetes_dump(files, options);
}

/// One text of YAML; all that is told of it, or all that is wrong with it.
inline base::Result<FoundCluster> read_text(const std::string& text,
                                            const ImportOptions& options = {}) {
  return read_kubernetes_dump({{"k.yaml", text}}, options);
}

/// Everything that a FoundCluster says, for comparisons; places and sources are left out.
inline std::string description_of(const FoundCluster& cluster) {
  std::string text = fmt::format("levels {}\n", fmt::join(cluster.levels, " "));
  for (const FoundNode& node : cluster.nodes) {
    text += fmt::format("{} ({}) {} {} {}/{}/{} [{}] {} | {}.{}\n", node.name,
                        fmt::join(node.aliases, " "), node.type, node.gpu, node.free_gpus,
                        node.usable_gpus, node.gpus, node.unavailable, fmt::join(node.domains, "/"),
                        node.accelerator_domain, node.accelerator_partition);
    for (const Occupant& occupant : node.occupants)
      text +=
          fmt::format("  {} {} {} {}\n", occupant.job, occupant.pod, occupant.gpus, occupant.index);
    for (const FoundNic& nic : node.nics)
      text += fmt::format("  {} {} {} {}\n", nic.name, nic.id, nic.rate.gbit(),
                          fmt::join(nic.gpus, ","));
  }
  for (const FoundCable& cable : cluster.cables)
    text += fmt::format("{} {} - {} {} {}\n", cluster.nodes[cable.a.index].name, cable.a.nic,
                        cluster.switches[cable.b.index].id, cable.b.port, cable.trouble);
  for (const LevelDeclaration& one : cluster.declared)
    text += fmt::format("{}: {}\n", one.by, fmt::join(one.keys, " "));
  return text;
}

}  // namespace topology
