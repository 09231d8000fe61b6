#include "sim/collective_sweep.hpp"

#include <numeric>

#include "base/check.hpp"
#include "sim/engine.hpp"
#include "sim/groups.hpp"

namespace sim {

CollectivePrice prices_of(const calibrate::CollectiveBackend& backend) {
  return [&backend](base::Collective op, base::Bytes bytes, const calibrate::GroupShape& shape) {
    CHECK_INVARIANT(backend.supports(op));
    return backend.cost(op, bytes, shape);
  };
}

std::vector<calibrate::Duration> play_collectives(const CollectivePrice& price,
                                                  const topology::Cluster& cluster,
                                                  std::span<const CollectiveCall> calls) {
  using strategies::Axis;
  std::vector<topology::GpuId> gpus(static_cast<std::size_t>(cluster.gpu_count()));
  std::iota(gpus.begin(), gpus.end(), topology::GpuId{0});
  StepGraph graph;
  graph.grid = strategies::RankGrid({1, 1, cluster.gpu_count(), 1, 1}, strategies::default_order);
  graph.program_of_rank.assign(gpus.size(), 0);
  graph.groups.push_back(group_shapes(graph.grid, Axis::data_shard, cluster, gpus));
  graph.programs.emplace_back();
  for (const CollectiveCall& call : calls) {
    CollectiveUse use;
    use.name = base::name_of(call.op);
    use.op = call.op;
    use.kind = CommKind::other;
    use.axes = Axis::data_shard;
    use.bytes = call.bytes;
    use.cost.push_back(price(call.op, call.bytes, graph.groups.front().shapes.front()));
    Task task;
    task.kind = TaskKind::collective;
    task.stream = Stream::data_comm;
    task.index = static_cast<std::uint32_t>(graph.collectives.size());
    graph.collectives.push_back(std::move(use));
    graph.programs.front().tasks.push_back(task);
  }
  const Timeline timeline = simulate(graph, cluster, gpus, {.fidelity = Fidelity::flow});
  std::vector<calibrate::Duration> durations;
  for (std::uint32_t i = 0; i < calls.size(); ++i) {
    const Span& span = timeline.span(0, i);
    durations.push_back(graph.collectives[i].cost.front().total);
    durations.back().time = base::Seconds::from_s(span.end - span.begin);
  }
  return durations;
}

}  // namespace sim
