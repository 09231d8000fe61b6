#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/engine.hpp"
#include "sim/groups.hpp"
#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

/// Steps on clusters that are built from a description.
namespace sim {

inline topology::Cluster built(const std::string& yaml, const std::string& network = "") {
  base::Result<topology::Cluster> cluster = topology::cluster_from(yaml, network);
  INFO((cluster ? "" : topology::text_of(cluster.error())));
  REQUIRE(cluster);
  return std::move(*cluster);
}

/// Gives the groups of a step the shapes that they have where rank r sits on `gpus[r]`. A
/// collective costs what it cost its first group, whatever the shape.
inline void place_on(StepGraph& graph, const topology::Cluster& cluster,
                     const std::vector<topology::GpuId>& gpus) {
  for (StepGraph::Groups& groups : graph.groups)
    groups = group_shapes(graph.grid, groups.axes, cluster, gpus);
  for (CollectiveUse& use : graph.collectives) {
    const calibrate::CollectiveCost cost = use.cost.front();
    use.cost.assign(graph.groups_of(use.axes).shapes.size(), cost);
  }
}

/// A machine for StepBuilder whose shapes `place_on` replaces.
inline Machine any_machine(int ranks) { return {ranks, 1}; }

/// All data-parallel groups of tensor x data ranks do one collective at once.
inline StepBuilder data_step(int tensor, int data, calibrate::Collective op, std::int64_t bytes,
                             const calibrate::CollectiveCost& cost) {
  StepBuilder step(tensor, 1, data, 1, any_machine(tensor * data));
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(op, strategies::Axis::data_shard, bytes, cost));
  return step;
}

/// Calls `look` with the timeline of every fidelity, folded and not.
template <class Look>
void in_every_way(StepGraph graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpus, const topology::RoutingOptions& routing,
                  Look look) {
  place_on(graph, cluster, gpus);
  check_step_graph(graph);
  for (const Fidelity fidelity : {Fidelity::hybrid, Fidelity::flow})
    for (const bool fold : {true, false}) {
      INFO((fidelity == Fidelity::flow ? "flow" : "hybrid") << (fold ? ", folded" : ""));
      look(simulate(graph, cluster, gpus,
                    {.fidelity = fidelity, .routing = routing, .fold = fold, .progress = {}}));
    }
}

/// Checks how long a step takes, rank r on GPU r.
inline void check_step_ms(const StepBuilder& step, const topology::Cluster& cluster, double ms,
                          const topology::RoutingOptions& routing = {}) {
  in_every_way(
      step.graph(), cluster, in_order(step.graph().grid.size()), routing,
      [&](const Timeline& timeline) { CHECK(timeline.step.ms() == Approx(ms).epsilon(1e-4)); });
}

/// Bytes over all links from devices whose names begin in one way to those that begin in another.
inline double bytes_between(const topology::Cluster& cluster, const Timeline& timeline,
                            std::string_view from, std::string_view to) {
  double sum = 0;
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id)
    if (cluster.device(cluster.link(id).from).name.starts_with(from) &&
        cluster.device(cluster.link(id).to).name.starts_with(to))
      sum += timeline.link_bytes[id];
  return sum;
}

}  // namespace sim
