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
  struct Flow {
    PathId path = 0;
    double bytes = 0;
  };

  Wires(const StepGraph& graph, const Script& script, const Fabric& fabric,
        const std::vector<topology::GpuId>& gpu_of_rank, bool inside_domains, Network& network);

  std::span<const Flow> of_collective(std::uint32_t use, std::uint32_t group);
  PathId between(int from, int to);  ///< ranks

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t count = 0;
    bool known = false;
  };

  Range expand(std::uint32_t use, std::uint32_t group);

  const StepGraph& graph_;
  const Script& script_;
  const Fabric& fabric_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  bool inside_domains_;
  Network& network_;
  std::vector<std::vector<Range>> ranges_;  // by collective, group
  std::vector<Flow> flows_;
  std::unordered_map<std::uint64_t, PathId> between_;
  std::vector<topology::LinkId> links_;
};

}  // namespace sim::engine
