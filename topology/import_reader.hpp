#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/map_reader.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/k8s_import.hpp"

namespace topology {

/// A `cluster` map that names dumps:
///
///     import: [nodes.json, ibnetdiscover.txt]   # or one
///     format: kubernetes                        # unless it can be told from the text
///     gpu: H100                                 # and the other options of an import
///     fabric: {oversubscription: 2}             # of a switch tree, whose rates no dump tells
struct ImportWords {
  std::vector<base::PlacedText> files;
  std::string format;
  ImportOptions options;
  std::optional<FabricSpec> fabric;
};

/// The options of an import, which stand beside the name of what is imported.
ImportOptions read_import_options(base::MapReader& reader);

/// Mistakes go to the reader's diagnostics. Calls `finish()`.
ImportWords read_import(base::MapReader& reader);

}  // namespace topology
