#pragma once

#include <cstdint>
#include <vector>

#include "strategies/autoshard/layout_graph.hpp"

namespace strategies::autoshard {

/// The cheapest ways between all layouts of a graph. Of equally cheap ways the one with the fewest
/// arcs, then the one whose last arc has the lowest index.
class WayTable {
 public:
  /// `still`: only arcs without a collective, where every rank cuts out what it keeps.
  WayTable(const LayoutGraph& graph, bool still);

  int layouts() const { return layouts_; }
  /// Seconds; infinity where there is no way.
  double time(int from, int to) const { return time_[at(from, to)]; }
  int arcs(int from, int to) const { return arcs_[at(from, to)]; }
  /// Indices into LayoutGraph::arcs, in order. \pre there is a way.
  std::vector<int> way(int from, int to) const;

 private:
  std::size_t at(int from, int to) const {
    return static_cast<std::size_t>(from) * static_cast<std::size_t>(layouts_) +
           static_cast<std::size_t>(to);
  }

  int layouts_ = 0;
  std::vector<double> time_;
  std::vector<int> arcs_;
  std::vector<int> last_arc_;     // on the way to a layout; -1: none
  std::vector<int> arc_sources_;  // by arc
};

}  // namespace strategies::autoshard
