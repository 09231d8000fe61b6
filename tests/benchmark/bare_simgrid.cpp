#include "tests/benchmark/bare_simgrid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <simgrid/kernel/routing/NetPoint.hpp>
#include <simgrid/kernel/routing/StarZone.hpp>
#include <simgrid/s4u.hpp>
#include <string>
#include <vector>

#include "sim/engine/child.hpp"
#include "topology/routes.hpp"

namespace sim::benchmark {

namespace {

namespace s4u = simgrid::s4u;
using simgrid::kernel::resource::StandardLinkImpl;
using strategies::Axis;

constexpr int transfers_wanted = 200'000;

class RoutedZone final : public simgrid::kernel::routing::StarZone {
 public:
  explicit RoutedZone(const topology::Cluster& cluster) : StarZone("bare"), router(cluster, {}) {}

  void get_local_route(const simgrid::kernel::routing::NetPoint* from,
                       const simgrid::kernel::routing::NetPoint* to,
                       simgrid::kernel::routing::Route* route, double* latency) override {
    found.clear();
    router.route(static_cast<topology::GpuId>(from->id()), static_cast<topology::GpuId>(to->id()),
                 found);
    for (const std::uint32_t id : found.front().hops) route->link_list_.push_back(links[id]);
    *latency += 1e-6;
  }

  topology::Router router;
  std::vector<topology::Route> found;
  std::vector<StandardLinkImpl*> links;
};

void play(const StepGraph& graph, const topology::Cluster& cluster, int rounds) {
  std::vector<std::string> arguments{"bare",
                                     "--log=root.thresh:error",
                                     "--cfg=network/model:CM02",
                                     "--cfg=network/crosstraffic:0",
                                     "--cfg=contexts/stack-size:64",
                                     "--cfg=network/TCP-gamma:0"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  int argc = static_cast<int>(argv.size());
  s4u::Engine engine(&argc, argv.data());
  auto* const zone = new RoutedZone(cluster);
  const int ranks = graph.grid.size();
  std::vector<s4u::Host*> hosts;
  for (int rank = 0; rank < ranks; ++rank)
    hosts.push_back(zone->get_iface()->create_host(fmt::format("{}", rank), 1e9));
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id) {
    s4u::Link* const link =
        zone->get_iface()->create_link(fmt::format("l{}", id), cluster.link(id).rate.byte());
    link->seal();
    zone->links.push_back(link->get_impl());
  }
  zone->get_iface()->seal();
  int payload = 0;
  for (int rank = 0; rank < ranks; ++rank)
    s4u::Actor::create("rank", hosts[static_cast<std::size_t>(rank)], [&, rank] {
      for (int round = 0; round < rounds; ++round) {
        const Axis axis = round % 4 == 3 && graph.grid.extent(Axis::pipeline) > 1
                              ? Axis::pipeline
                              : Axis::data_shard;
        const int extent = graph.grid.extent(axis);
        const int here = graph.grid.coordinate(rank, axis);
        const int next = graph.grid.moved(rank, axis, (here + 1) % extent);
        // One mailbox a channel: taking another sender's message early could end in a circle.
        const char* const channel = axis == Axis::pipeline ? "p" : "d";
        const s4u::CommPtr sent =
            s4u::Mailbox::by_name(fmt::format("{}{}", channel, next))->put_async(&payload, 8 << 20);
        s4u::Mailbox::by_name(fmt::format("{}{}", channel, rank))->get<int>();
        sent->wait();
      }
    });
  engine.run();
}

}  // namespace

double bare_seconds_per_transfer(const StepGraph& graph, const topology::Cluster& cluster) {
  const int ranks = graph.grid.size();
  const int rounds = std::max(4, std::min(2000, transfers_wanted / ranks));
  const engine::SharedMemory shared(sizeof(double));
  auto* const seconds = reinterpret_cast<double*>(shared.data());
  engine::run_in_child(
      [&](const auto&) {
        const std::clock_t start = std::clock();
        play(graph, cluster, rounds);
        *seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      },
      {});
  return *seconds / (static_cast<double>(ranks) * rounds);
}

}  // namespace sim::benchmark
