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

/// What the child hands back, at the start of the shared memory; spans and uses of links follow.
struct Totals {
  double step = 0;
  std::uint64_t activities = 0;
  std::uint64_t transfers = 0;
  std::uint64_t shared_transfers = 0;
};

/// Gives each cable what its class of links, or a bundle that it belongs to, has come to.
void spread_uses(const engine::Fabric& fabric, const engine::Cast& cast,
                 const engine::Network::LinkUse* uses, Timeline& timeline) {
  const std::size_t links = fabric.link_rate.size();
  timeline.link_busy_s.assign(links, 0);
  timeline.link_lost_s.assign(links, 0);
  const auto add = [&](std::size_t cable, std::size_t link) {
    const std::uint32_t of_class = cast.link_class[link];
    if (of_class == engine::no_class) return;
    timeline.link_busy_s[cable] = std::max(timeline.link_busy_s[cable], uses[of_class].busy);
    timeline.link_lost_s[cable] = std::max(timeline.link_lost_s[cable], uses[of_class].lost);
  };
  for (std::size_t link = 0; link < links; ++link) add(link, link);
  if (!fabric.bundles) return;
  std::size_t number = links;
  for (const topology::Bundle& bundle : fabric.bundles()) {
    for (const topology::LinkId cable : bundle.links) add(cable, number);
    ++number;
  }
}

}  // namespace

Timeline simulate(const StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank, const EngineOptions& options) {
  CHECK_INVARIANT(options.fidelity != Fidelity::analytic);
  CHECK_INVARIANT(gpu_of_rank.size() == static_cast<std::size_t>(graph.grid.size()));
  for (const topology::GpuId gpu : gpu_of_rank)
    CHECK_INVARIANT(gpu < static_cast<topology::GpuId>(cluster.gpu_count()));
  return engine::play_in_child(graph, engine::fabric_of(cluster, options.routing), gpu_of_rank,
                               {.private_as_durations = options.fidelity == Fidelity::hybrid,
                                .fold = options.fold,
                                .progress = options.progress});
}

Timeline engine::play_in_child(const StepGraph& graph, const Fabric& fabric,
                               const std::vector<topology::GpuId>& gpu_of_rank,
                               const PlayOptions& options) {
  const Script script(graph);
  const Traffic traffic(graph, script, fabric, gpu_of_rank, !options.private_as_durations,
                        options.everything_shared);
  const Cast cast = options.fold ? fold(graph, script, traffic) : everybody(graph, script, traffic);
  std::vector<std::uint32_t> first_span;  // by actor
  std::size_t tasks = 0;
  for (const int rank : cast.rank_of_actor) {
    first_span.push_back(static_cast<std::uint32_t>(tasks));
    tasks += script.program(rank).tasks.size();
  }
  const std::size_t links = cast.link_rate.size();
  const SharedMemory shared(sizeof(Totals) + tasks * sizeof(Span) +
                            links * sizeof(Network::LinkUse));
  auto* const totals = reinterpret_cast<Totals*>(shared.data());
  auto* const spans = reinterpret_cast<Span*>(shared.data() + sizeof(Totals));
  auto* const uses = reinterpret_cast<Network::LinkUse*>(spans + tasks);

  const auto play = [&](const std::function<void(double)>& report) {
    PlayOptions inner = options;
    inner.progress = report;
    Player player(graph, script, traffic, cast, inner, {spans, tasks});
    const Outcome outcome = player.play();
    *totals = {outcome.step, outcome.durations + outcome.calm + outcome.network.transfers,
               outcome.network.transfers, outcome.network.shared_transfers};
    for (std::uint32_t link = 0; link < links; ++link) uses[link] = player.use_of(link);
  };
  run_in_child(play, options.progress);

  Timeline timeline;
  timeline.step = base::Seconds::from_s(totals->step);
  for (const std::uint32_t actor : cast.actor_of_rank)
    timeline.first_span.push_back(first_span[actor]);
  timeline.first_span.push_back(static_cast<std::uint32_t>(tasks));
  timeline.spans.assign(spans, spans + tasks);
  timeline.link_bytes = traffic.link_bytes();
  spread_uses(fabric, cast, uses, timeline);
  timeline.private_bytes = traffic.private_bytes();
  timeline.actors = static_cast<int>(cast.actors());
  timeline.activities = totals->activities;
  timeline.transfers = totals->transfers;
  timeline.shared_transfers = totals->shared_transfers;
  return timeline;
}

}  // namespace sim
