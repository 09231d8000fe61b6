#pragma once

#include <vector>

#include "base/diagnostic.hpp"
#include "base/map_reader.hpp"

namespace topology {

/// Writes out the hostlists of a file and counts their names, so that many small lists cannot fill
/// the memory either: at most hostlist_names_max in all.
class PlacedHosts {
 public:
  explicit PlacedHosts(base::Diagnostics& problems) : problems_(problems) {}

  /// Each name at the place of its list.
  std::vector<base::PlacedText> expand(const base::PlacedText& list);

 private:
  base::Diagnostics& problems_;
  std::size_t count_ = 0;
};

}  // namespace topology
