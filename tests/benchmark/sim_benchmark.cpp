#include <benchmark/benchmark.h>

#include "sim/analytic.hpp"
#include "sim/collectives/collectives.hpp"
#include "sim/engine.hpp"
#include "sim/engine/fabric.hpp"
#include "tests/benchmark/synthetic.hpp"
#include "topology/routes.hpp"

namespace sim::benchmark {
namespace {

using calibrate::Collective;

/// Flows of an all-reduce over nodes of eight.
void expand_all_reduce(::benchmark::State& state, base::CollectiveAlgorithm algorithm) {
  std::vector<collectives::Member> members;
  for (int i = 0; i < state.range(0); ++i) members.push_back({i / 8, i % 8});
  for (auto _ : state)
    ::benchmark::DoNotOptimize(collectives::algorithm(algorithm).expand(
        {Collective::all_reduce, base::Bytes::from_mib(256), {}}, members));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(expand_all_reduce, ring, base::CollectiveAlgorithm::ring)
    ->Arg(16)
    ->Arg(512)
    ->Arg(16384);
BENCHMARK_CAPTURE(expand_all_reduce, tree, base::CollectiveAlgorithm::tree)->Arg(512)->Arg(16384);
BENCHMARK_CAPTURE(expand_all_reduce, hierarchical, base::CollectiveAlgorithm::hierarchical)
    ->Arg(512)
    ->Arg(16384);
BENCHMARK_CAPTURE(expand_all_reduce, recursive_doubling,
                  base::CollectiveAlgorithm::recursive_doubling)
    ->Arg(512)
    ->Arg(16384);

void expand_all_to_all(::benchmark::State& state) {
  const std::vector<collectives::Member> members(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state)
    ::benchmark::DoNotOptimize(
        collectives::algorithm(base::CollectiveAlgorithm::direct)
            .expand({Collective::all_to_all, base::Bytes::from_mib(256), {}}, members));
}
BENCHMARK(expand_all_to_all)->Arg(8)->Arg(64);

/// Routes between GPUs of different nodes, after the router has met every switch once.
void route(::benchmark::State& state) {
  const auto cluster = cluster_for(static_cast<int>(state.range(0)));
  const topology::Router router(*cluster, {});
  const auto gpus = static_cast<topology::GpuId>(cluster->gpu_count());
  std::vector<topology::Route> routes;
  topology::GpuId from = 0;
  for (auto _ : state) {
    routes.clear();
    from = (from + 13) % gpus;
    ::benchmark::DoNotOptimize(router.route(from, (from + gpus / 2) % gpus, routes));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(route)->Arg(512)->Arg(16384);

/// A whole simulation, the fork included.
void simulate_step(::benchmark::State& state) {
  const Size size{8, static_cast<int>(state.range(0)), 4, 8};
  const auto cluster = cluster_for(size.ranks());
  const StepGraph graph = synthetic_step(size, *cluster);
  const auto gpus = in_order(size.ranks());
  for (auto _ : state) ::benchmark::DoNotOptimize(simulate(graph, *cluster, gpus, {}));
  state.counters["ranks"] = size.ranks();
}
BENCHMARK(simulate_step)->Arg(2)->Arg(16)->UseRealTime()->Unit(::benchmark::kMillisecond);

void simulate_all_reduce(::benchmark::State& state) {
  const int ranks = static_cast<int>(state.range(0));
  const auto cluster = cluster_for(ranks);
  const StepGraph graph = lone_all_reduce(ranks, base::Bytes::from_mib(256), *cluster);
  const auto gpus = in_order(ranks);
  for (auto _ : state) ::benchmark::DoNotOptimize(simulate(graph, *cluster, gpus, {}));
}
BENCHMARK(simulate_all_reduce)->Arg(512)->UseRealTime()->Unit(::benchmark::kMillisecond);

void analyse_step(::benchmark::State& state) {
  const Size size{8, static_cast<int>(state.range(0)), 8, 16};
  const auto cluster = cluster_for(size.ranks());
  const StepGraph graph = synthetic_step(size, *cluster);
  const auto gpus = in_order(size.ranks());
  const std::vector<int> domains = engine::domains_of(*cluster);
  for (auto _ : state) ::benchmark::DoNotOptimize(analyse(graph, domains, gpus));
  state.counters["ranks"] = size.ranks();
}
BENCHMARK(analyse_step)->Arg(2)->Arg(16)->Arg(128)->Unit(::benchmark::kMicrosecond);

}  // namespace
}  // namespace sim::benchmark

BENCHMARK_MAIN();
