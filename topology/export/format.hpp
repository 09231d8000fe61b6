#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"

/// The formats a cluster can be written in: each is one file of this folder and one row of
/// `export_formats`.
namespace topology {

struct Exported {
  std::string text;
  base::Diagnostics notes;  ///< what the format cannot say, and what had to be renamed
};

struct ExportFormat {
  std::string_view name;  ///< what users write to choose it: "slurm-tree"
  std::string_view what;  ///< for people: "topology.conf of Slurm's plugin topology/tree"
  /// Same cluster, same bytes. A mistake when nothing of the cluster can be said in the format, or
  /// when a node's name cannot.
  base::Result<Exported> (*write)(const FoundCluster& cluster);
};

std::span<const ExportFormat> export_formats();

}  // namespace topology
