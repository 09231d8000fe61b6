#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/dump_file.hpp"
#include "topology/found_cluster.hpp"
#include "topology/hardware.hpp"
#include "topology/k8s_import.hpp"

/// The formats of cluster dumps: each is one file of this folder and one row of `formats`.
namespace topology {

/// What a reader may need beside the text.
struct ImportContext {
  const HardwareRegistry& registry;
  const ImportOptions& options;
};

struct ImportFormat {
  std::string_view name;  ///< what users write to choose it: "ibnetdiscover"
  std::string_view what;  ///< for people: "output of ibnetdiscover"
  /// Whether the text is in this format. Cheap: looks at its beginning, or for words that no other
  /// format has. Never fails.
  bool (*detect)(std::string_view text);
  /// Reads one file, or all there are of this format. Every mistake at its place; with any, nothing
  /// is imported.
  base::Result<FoundCluster> (*read)(std::span<const DumpFile> files, const ImportContext& context);
  bool together = false;  ///< files of it are parts of one dump (pages, kinds of objects)
};

std::span<const ImportFormat> import_formats();

}  // namespace topology
