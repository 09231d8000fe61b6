// How fast clusters are laid out and routes found: ./topology_speed

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/routes.hpp"

namespace {

using topology::GpuId;

std::shared_ptr<const topology::HardwareRegistry> registry() {
  static const auto read = std::make_shared<const topology::HardwareRegistry>(
      topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware")
          .value());
  return read;
}

topology::ClusterSpec rail_optimized(int nodes) {
  topology::ClusterSpec spec;
  spec.fabric.kind = topology::FabricKind::rail_optimized;
  for (int i = 0; i < nodes; ++i)
    spec.nodes.push_back(
        {"node-" + std::to_string(i), registry()->find_node("dgx-h100"), {}, "", 8});
  return spec;
}

void read_registry(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) +
                                                              "/scenarios/hardware"));
}
BENCHMARK(read_registry)->Unit(benchmark::kMillisecond);

void build_cluster(benchmark::State& state) {
  const topology::ClusterSpec spec = rail_optimized(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(topology::build_cluster(spec, registry()));
}
BENCHMARK(build_cluster)->Arg(8)->Arg(128)->Arg(2048)->Unit(benchmark::kMillisecond);

/// Between 50,000 random pairs of GPUs that were asked for before.
void route(benchmark::State& state, topology::Routing kind) {
  const topology::Cluster cluster =
      topology::build_cluster(rail_optimized(static_cast<int>(state.range(0))), registry()).value();
  const topology::Router router(cluster, {.kind = kind});
  std::mt19937 random(1);
  const auto gpus = static_cast<GpuId>(cluster.gpu_count());
  std::vector<std::pair<GpuId, GpuId>> pairs(50'000);
  std::vector<topology::Route> routes;
  for (auto& [from, to] : pairs) {
    from = static_cast<GpuId>(random()) % gpus;
    to = static_cast<GpuId>(random()) % gpus;
    router.route(from, to, routes);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    routes.clear();
    const auto [from, to] = pairs[next++ % pairs.size()];
    router.route(from, to, routes);
    benchmark::DoNotOptimize(routes.data());
  }
}
BENCHMARK_CAPTURE(route, ecmp, topology::Routing::ecmp)->Arg(8)->Arg(128)->Arg(2048);
BENCHMARK_CAPTURE(route, adaptive, topology::Routing::adaptive)->Arg(8)->Arg(128)->Arg(2048);

}  // namespace

BENCHMARK_MAIN();
