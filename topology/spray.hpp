#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/routes.hpp"
#include "topology/switch_graph.hpp"

/// Adaptive routing between switches: packets of a transfer sprayed over all shortest paths;
/// internal to the module.
namespace topology {

struct WordsHash {
  std::size_t operator()(const std::vector<std::uint32_t>& words) const;
};

/// Equal lists of numbers get the same index, counted from 0.
using Interned = std::unordered_map<std::vector<std::uint32_t>, std::uint32_t, WordsHash>;

class Spray {
 public:
  Spray(const Cluster& cluster, SwitchGraph& switches);

  /// Hops from switch to switch, as in Route. \pre they reach each other.
  const std::vector<Route>& between(std::uint32_t from, std::uint32_t to);
  const std::vector<Bundle>& bundles() const { return bundles_; }

 private:
  using Hops = std::vector<std::uint32_t>;

  /// One step of all shortest paths from a set of equally far switches towards a target.
  struct Level {
    bool plain = true;       ///< all its cables are of one class
    Hops hops;               ///< what a transfer takes of it
    std::uint32_t next = 0;  ///< the switches after it: index into `fronts_`
  };

  void classify();
  std::uint32_t front_of(Hops switches);
  std::uint32_t hop_of(const std::vector<LinkId>& links);
  void append_class(LinkId link, std::size_t used, Hops& hops);
  const Level& level(std::uint32_t front, std::uint32_t to);
  bool append_levels(std::uint32_t from, std::uint32_t to, std::vector<Route>& routes);
  void append_paths(std::uint32_t from, std::uint32_t to, std::vector<Route>& routes);

  const Cluster& cluster_;
  SwitchGraph& switches_;
  std::vector<std::uint32_t> class_of_;       ///< by link; `none` inside nodes and in a dragonfly
  std::vector<std::vector<LinkId>> classes_;  ///< live links, ascending
  std::vector<Bundle> bundles_;
  Interned bundle_index_;
  std::vector<Hops> fronts_;  ///< sets of switches, ascending
  Interned front_index_;
  std::unordered_map<std::uint64_t, Level> levels_;               ///< by front and target
  std::unordered_map<std::uint64_t, std::vector<Route>> routes_;  ///< by switches
};

}  // namespace topology
