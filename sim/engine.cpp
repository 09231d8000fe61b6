#include "sim/engine.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/check.hpp"
#include "sim/engine/child.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/player.hpp"

namespace sim {

namespace {

/// What the child hands back, at the start of the shared memory; spans and link bytes follow.
struct Totals {
  double step = 0;
  double private_bytes = 0;
  std::uint64_t activities = 0;
  std::uint64_t transfers = 0;
  std::uint64_t shared_transfers = 0;
};

}  // namespace

Timeline simulate(const StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank, const EngineOptions& options) {
  CHECK_INVARIANT(options.fidelity != Fidelity::analytic);
  CHECK_INVARIANT(gpu_of_rank.size() == static_cast<std::size_t>(graph.grid.size()));
  for (const topology::GpuId gpu : gpu_of_rank)
    CHECK_INVARIANT(gpu < static_cast<topology::GpuId>(cluster.gpu_count()));
  return engine::play_in_child(
      graph, engine::fabric_of(cluster, options.routing), gpu_of_rank,
      {.private_as_durations = options.fidelity == Fidelity::hybrid, .progress = options.progress});
}

Timeline engine::play_in_child(const StepGraph& graph, const Fabric& fabric,
                               const std::vector<topology::GpuId>& gpu_of_rank,
                               const PlayOptions& options) {
  Timeline timeline;
  std::size_t tasks = 0;
  for (const std::uint16_t program : graph.program_of_rank) {
    timeline.first_span.push_back(static_cast<std::uint32_t>(tasks));
    tasks += graph.programs[program].tasks.size();
  }
  timeline.first_span.push_back(static_cast<std::uint32_t>(tasks));
  const std::size_t links = fabric.link_rate.size();
  const SharedMemory shared(sizeof(Totals) + tasks * sizeof(Span) + links * sizeof(double));
  auto* const totals = reinterpret_cast<Totals*>(shared.data());
  auto* const spans = reinterpret_cast<Span*>(shared.data() + sizeof(Totals));
  auto* const link_bytes = reinterpret_cast<double*>(spans + tasks);

  const auto play = [&](const std::function<void(double)>& report) {
    PlayOptions inner = options;
    inner.progress = report;
    Player player(graph, fabric, gpu_of_rank, inner, {spans, tasks});
    const Outcome outcome = player.play();
    *totals = {outcome.step, outcome.private_bytes, outcome.durations + outcome.network.transfers,
               outcome.network.transfers, outcome.network.shared_transfers};
    std::copy(outcome.link_bytes.begin(), outcome.link_bytes.end(), link_bytes);
  };
  run_in_child(play, options.progress);

  timeline.step = base::Seconds::from_s(totals->step);
  timeline.spans.assign(spans, spans + tasks);
  timeline.link_bytes.assign(link_bytes, link_bytes + links);
  timeline.private_bytes = totals->private_bytes;
  timeline.activities = totals->activities;
  timeline.transfers = totals->transfers;
  timeline.shared_transfers = totals->shared_transfers;
  return timeline;
}

}  // namespace sim
