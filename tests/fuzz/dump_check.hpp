#pragma once

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"
#include "topology/export/format.hpp"
#include "topology/import/format.hpp"

namespace fuzz {

/// What holds of every cluster that an importer gives.
inline void check_found(const topology::FoundCluster& found) {
  check(found.notes);
  CHECK_INVARIANT(!base::has_errors(found.notes));
  CHECK_INVARIANT(!found.sources.empty());
  std::set<std::string> names;
  for (const topology::FoundNode& node : found.nodes) {
    CHECK_INVARIANT(node.name.empty() || names.insert(node.name).second);
    CHECK_INVARIANT(node.domains.empty() || node.domains.size() == found.levels.size());
    CHECK_INVARIANT(node.inside.size() <= 1);
    for (const topology::FoundNic& nic : node.nics)
      for (const int gpu : nic.gpus) CHECK_INVARIANT(gpu >= 0 && gpu < node.gpus);
  }
  std::set<std::string> ids;
  for (const topology::FoundSwitch& one : found.switches)
    CHECK_INVARIANT(!one.id.empty() && ids.insert(one.id).second);
  for (const topology::FoundCable& cable : found.cables)
    for (const topology::CableEnd& end : {cable.a, cable.b})
      CHECK_INVARIANT(end.index < (end.at == topology::CableEnd::At::node ? found.nodes.size()
                                                                          : found.switches.size()));
}

inline const topology::ImportFormat& import_format(std::string_view name) {
  const auto formats = topology::import_formats();
  const auto found =
      std::find_if(formats.begin(), formats.end(),
                   [&](const topology::ImportFormat& format) { return format.name == name; });
  CHECK_INVARIANT(found != formats.end());
  return *found;
}

/// Which importer reads what an exporter writes.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 6> readers{{
    {"slurm-tree", "slurm-conf"},
    {"slurm-block", "slurm-conf"},
    {"slurm-yaml", "slurm-yaml"},
    {"topograph", "topograph"},
    {"topograph-graph", "topograph-graph"},
    {"infragraph", "infragraph"},
}};

/// Every format takes it, or says why not; what is written can be read again, unless it is so long
/// that the YAML reader refuses it.
inline void check_written(const topology::FoundCluster& found) {
  for (const topology::ExportFormat& format : topology::export_formats()) {
    const auto out = format.write(found);
    if (!out) {
      check_refusal(out.error());
      continue;
    }
    check(out->notes);
    CHECK_INVARIANT(!out->text.empty() && !base::has_errors(out->notes));
    for (const auto& [written, read] : readers) {
      constexpr std::size_t long_text = 1 << 20;
      if (written != format.name || out->text.size() > long_text) continue;
      const topology::DumpFile file{"again", out->text};
      const auto again = import_format(read).read(std::span(&file, 1), {*shipped_registry(), {}});
      if (!again) check_refusal(again.error());
      CHECK_INVARIANT(again && again->nodes.size() <= found.nodes.size());
    }
  }
}

/// Whatever a dump says: mistakes and nothing else, or a cluster that makes sense.
inline void check_dump(std::string_view format, std::string_view text) {
  for (const topology::ImportFormat& one : topology::import_formats()) one.detect(text);
  const topology::DumpFile file{"f", std::string(text)};
  const auto cluster = import_format(format).read(std::span(&file, 1), {*shipped_registry(), {}});
  if (!cluster) return check_refusal(cluster.error());
  check_found(*cluster);
  check_written(*cluster);
}

}  // namespace fuzz
