#pragma once

#include <string>

#include "tests/topology/support.hpp"
#include "topology/import/format.hpp"

namespace topology {

/// What a format reads of texts; the first is "a.txt" in messages, the next "b.txt".
inline base::Result<FoundCluster> read_as(const ImportFormat& format,
                                          const std::vector<std::string>& texts) {
  std::vector<DumpFile> files;
  for (const std::string& text : texts)
    files.push_back({std::string(1, static_cast<char>('a' + files.size())) + ".txt", text});
  const ImportOptions options;
  return format.read(files, {*shipped_registry(), options});
}

/// A file of tests/topology/dumps.
inline std::string dump_text(const std::string& name) {
  const auto text =
      base::read_file(std::string(FORESHARD_SOURCE_DIR) + "/tests/topology/dumps/" + name);
  return text ? *text : text_of(text.error());
}

/// A found fabric line by line: what differs from the defaults of each device and cable.
inline std::string fabric_text(const FoundCluster& found) {
  const auto end = [&](const CableEnd& one) {
    const bool at_node = one.at == CableEnd::At::node;
    return (at_node                                  ? found.nodes[one.index].name
            : found.switches[one.index].name.empty() ? found.switches[one.index].id
                                                     : found.switches[one.index].name) +
           (one.nic.empty() ? "" : "/" + one.nic) + (one.port.empty() ? "" : ":" + one.port);
  };
  std::string text;
  for (const FoundNode& node : found.nodes) {
    text += node.name;
    for (const FoundNic& nic : node.nics)
      text += fmt::format(" {}{}{}", nic.name.empty() ? nic.id : nic.name,
                          nic.rail < 0 ? "" : fmt::format("@{}", nic.rail),
                          nic.ports == 1 ? "" : fmt::format("x{}", nic.ports));
    text += "\n";
  }
  for (const FoundSwitch& one : found.switches)
    text += fmt::format("{}{} tier {}{}\n", one.name.empty() ? one.id : one.name,
                        one.model.empty() ? "" : " " + one.model, one.tier,
                        one.rail < 0 ? "" : fmt::format(" rail {}", one.rail));
  for (const FoundCable& cable : found.cables)
    text += fmt::format("{} - {} {:g}{}{}\n", end(cable.a), end(cable.b), cable.rate.gbit(),
                        cable.state == CableState::up         ? ""
                        : cable.state == CableState::degraded ? " degraded"
                                                              : " down",
                        cable.trouble.empty() ? "" : ": " + cable.trouble);
  return text;
}

}  // namespace topology
