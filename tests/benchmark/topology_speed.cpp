// How fast clusters are laid out and routes found: ./topology_speed

#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <string>
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

/// Between random GPUs, with the next-hop tables already filled.
void route(benchmark::State& state) {
  const topology::Cluster cluster =
      topology::build_cluster(rail_optimized(static_cast<int>(state.range(0))), registry()).value();
  const topology::Router router(cluster, {});
  std::mt19937 random(1);
  const auto gpus = static_cast<GpuId>(cluster.gpu_count());
  std::vector<topology::LinkId> links;
  for (GpuId gpu = 0; gpu < gpus; ++gpu) router.route(0, gpu, links);
  for (auto _ : state) {
    links.clear();
    router.route(static_cast<GpuId>(random()) % gpus, static_cast<GpuId>(random()) % gpus, links);
    benchmark::DoNotOptimize(links.data());
  }
}
BENCHMARK(route)->Arg(8)->Arg(128)->Arg(2048);

}  // namespace

BENCHMARK_MAIN();
