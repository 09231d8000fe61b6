#pragma once

#include <string_view>
#include <vector>

#include "topology/import/format.hpp"

namespace topology {

/// A field in its spellings, each a path of keys with dots.
using Keys = std::vector<std::string_view>;

/// A level of switches that has a field of its own.
struct CloudLevel {
  std::string_view name;  ///< of FoundCluster::levels
  Keys keys;
};

/// The order in which a list tells the switches of an instance.
enum class PathOrder { coarse_first, fine_first };

/// What differs between clouds.
struct CloudShape {
  std::string_view format;
  Keys lists;  ///< of instances; "" is the text itself
  Keys id;
  Keys alias;
  Keys type;  ///< instance type, the last part of a path
  /// Either a list of switches (or of {"id"}), or a field for each level, coarse to fine.
  std::string_view path;
  PathOrder order = PathOrder::coarse_first;
  std::vector<CloudLevel> levels;
  Keys domain;  ///< of NVLink
  Keys partition;
  Keys next_page;
  /// Of a list: names of its levels from the first on. Empty: counted from the nodes.
  std::string_view numbered;
};

/// Reads the answers of a cloud, all pages of them. Fields that are not asked for do not matter.
base::Result<FoundCluster> read_cloud(const CloudShape& shape, std::span<const DumpFile> files,
                                      const ImportContext& context);

}  // namespace topology
