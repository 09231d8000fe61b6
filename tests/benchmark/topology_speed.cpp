// How fast clusters are imported and laid out, and routes found: ./topology_speed

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/import/import.hpp"
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

/// A node as real dumps have it: some 22 kB, most of it images and managed fields.
std::string kubernetes_node(int index) {
  std::string fields;
  for (int i = 0; i < 60; ++i)
    fields +=
        R"({"manager":"kubelet","fieldsV1":{"f:metadata":)"
        R"({"f:annotations":{"f:volumes.kubernetes.io/controller-managed":{}},"f:labels":{}}}},)";
  fields.pop_back();
  std::string images;
  for (int i = 0; i < 50; ++i)
    images += fmt::format(R"({{"names":["registry.example.com/team/train@sha256:{:a>64}",)"
                          R"("registry.example.com/team/train:2026.08.{:x<92}"],"sizeBytes":1}},)",
                          "", i);
  images.pop_back();
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Node","metadata":{{"name":"gpu-{0}","labels":{{)"
      R"("node.kubernetes.io/instance-type":"p5.48xlarge",)"
      R"("nvidia.com/gpu.product":"NVIDIA-H100-80GB-HBM3","nvidia.com/gpu.count":"8",)"
      R"("topology.k8s.aws/network-node-layer-1":"nn-top",)"
      R"("topology.k8s.aws/network-node-layer-2":"nn-{1}",)"
      R"("topology.k8s.aws/network-node-layer-3":"nn-{2}"}},"managedFields":[{3}]}},)"
      R"("spec":{{"providerID":"aws:///use1d/i-{0:08}"}},)"
      R"("status":{{"allocatable":{{"nvidia.com/gpu":"8"}},)"
      R"("conditions":[{{"type":"Ready","status":"True"}}],"images":[{4}]}}}})",
      index, index / 320, index / 16, fields, images);
}

/// "kubectl get nodes -o json" of so many nodes; bytes a second of its text.
void import_kubernetes(benchmark::State& state) {
  std::string json = R"({"apiVersion":"v1","kind":"List","items":[)";
  for (int i = 0; i < state.range(0); ++i) json += kubernetes_node(i) + ",";
  json.back() = ']';
  json += "}";
  const topology::ImportOptions options;
  const std::vector<topology::DumpFile> files{{"nodes.json", json}};
  for (auto _ : state)
    benchmark::DoNotOptimize(
        topology::import_cluster(files, "", {.registry = *registry(), .options = options}));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(json.size()));
  state.counters["kB_a_node"] =
      static_cast<double>(json.size()) / 1e3 / static_cast<double>(state.range(0));
}
BENCHMARK(import_kubernetes)->Arg(1000)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
