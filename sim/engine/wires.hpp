#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "sim/engine/fabric.hpp"
#include "sim/engine/network.hpp"
#include "sim/engine/script.hpp"
#include "sim/step_graph.hpp"

namespace sim::engine {

/// Collectives and messages as transfers on the network; looked up once, then remembered.
class Wires {
 public:
  /// Flows of equal bytes of one collective; they advance together, as a pipelined ring does, whose
  /// every hop can only pass on what the slowest lets through.
  struct Bundle {
    PathId path = 0;
    double bytes = 0;  ///< of each flow
  };

  Wires(const StepGraph& graph, const Script& script, const Fabric& fabric,
        const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains, Network& network);

  std::span<const Bundle> of_collective(std::uint32_t use, std::uint32_t group);
  PathId between(int from, int to);  ///< ranks

 private:
  using Ends = std::vector<std::pair<int, int>>;  // ranks
  struct Known {
    std::uint64_t ends_hash = 0;
    std::size_t flows = 0;
    PathId path = 0;
  };
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    bool known = false;
  };

  void expand(std::uint32_t use, std::uint32_t group);
  PathId path_of(const Ends& ends, std::vector<Known>& known);
  void append_route(int from, int to, std::vector<topology::LinkId>& links) const;

  const StepGraph& graph_;
  const Script& script_;
  const Fabric& fabric_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  bool inside_domains_;
  Network& network_;
  std::vector<std::vector<Range>> ranges_;  // by collective, group
  std::vector<Bundle> bundles_;
  std::vector<std::vector<std::vector<Known>>> known_;  // by communicators, group
  std::unordered_map<std::uint64_t, PathId> between_;
};

}  // namespace sim::engine
