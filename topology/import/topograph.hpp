#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// Levels are named as the labels that Topograph 1.0 writes: "fabric.topograph.run/tier-0" next to
/// nodes.

/// A model of Topograph's simulated providers, YAML: `switches` (children of each) and `blocks`
/// (nodes of a switch, with annotations), or nodes below the switches as in older models.
bool is_topograph_model(std::string_view text);
base::Result<FoundCluster> read_topograph_model(std::span<const DumpFile> files,
                                                const ImportContext& context);

/// The answer of Topograph's engine "graph", JSON: `instances` with `network_layers`, nearest
/// first.
bool is_topograph_graph(std::string_view text);
base::Result<FoundCluster> read_topograph_graph(std::span<const DumpFile> files,
                                                const ImportContext& context);

}  // namespace topology
