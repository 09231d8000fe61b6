#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/import/format.hpp"

/// What the tests of importers share.
namespace topology {

inline const ImportFormat& import_format(std::string_view name) {
  const auto formats = import_formats();
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const ImportFormat& f) { return f.name == name; });
  REQUIRE(found != formats.end());
  return *found;
}

/// Reads `text` as one file "f" of a format, which also must recognise it.
inline base::Result<FoundCluster> read_as(std::string_view format, const std::string& text) {
  const ImportOptions options;
  const DumpFile file{"f", text};
  return import_format(format).read(std::span(&file, 1), {*shipped_registry(), options});
}

/// Reads files that are parts of one dump.
inline base::Result<FoundCluster> read_together(std::string_view format,
                                                const std::vector<DumpFile>& files) {
  const ImportOptions options;
  return import_format(format).read(files, {*shipped_registry(), options});
}

inline std::string mistakes_of(std::string_view format, const std::string& text) {
  const auto found = read_as(format, text);
  return found ? "read" : text_of(found.error());
}

inline std::string fixture(std::string_view name) {
  const auto text =
      base::read_file(fmt::format("{}/tests/topology/dumps/{}", FORESHARD_SOURCE_DIR, name));
  REQUIRE(text);
  return *text;
}

/// Names of the formats that take a text for theirs.
inline std::string detected(std::string_view text) {
  std::vector<std::string_view> names;
  for (const ImportFormat& format : import_formats())
    if (format.detect(text)) names.push_back(format.name);
  return fmt::format("{}", fmt::join(names, ","));
}

/// "a/b: n0 n1" a line for each domain path, in the order of the nodes; "-" for a gap.
inline std::string tree_of(const FoundCluster& found) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const FoundNode& node : found.nodes) {
    std::string path;
    for (const std::string& domain : node.domains)
      path += fmt::format("{}{}", path.empty() ? "" : "/", domain.empty() ? "-" : domain);
    if (lines.empty() || lines.back().first != path) lines.push_back({path, ""});
    lines.back().second += " " + node.name;
  }
  std::string text;
  for (const auto& [path, names] : lines) text += path + ":" + names + "\n";
  return text;
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
