#pragma once

#include <vector>

#include "strategies/autoshard/layout_graph.hpp"

namespace strategies::autoshard {

/// The cheapest ways between all layouts of a tensor type. Keeps a reference.
class WayTable {
 public:
  WayTable(const LayoutGraph& graph, Travel travel);

  int layouts() const { return static_cast<int>(ways_.size()); }
  bool reaches(int from, int to) const { return at(from).reaches(to); }
  /// Infinite where there is no way.
  base::Seconds time(int from, int to) const { return at(from).time[static_cast<std::size_t>(to)]; }
  /// Indices into LayoutGraph::arcs, in order. \pre there is a way.
  std::vector<int> arcs(int from, int to) const { return arcs_to(graph_, at(from), to); }

 private:
  const Ways& at(int from) const { return ways_[static_cast<std::size_t>(from)]; }

  const LayoutGraph& graph_;
  std::vector<Ways> ways_;
};

}  // namespace strategies::autoshard
