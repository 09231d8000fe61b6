// The engine plays what the algorithms say.

#include "sim/collectives/price.hpp"
#include "tests/sim/collectives_support.hpp"
#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using base::Collective;
using strategies::Axis;

/// Nodes of `machine`, a NIC and an NVLink port a GPU.
calibrate::GroupShape shape_of(const Machine& machine) {
  calibrate::GroupShape shape;
  shape.ranks = machine.nodes * machine.gpus;
  shape.nodes = machine.nodes;
  shape.ranks_per_node = shape.nics = machine.gpus;
  shape.scale_up_rate = base::BytesPerSecond::from_byte(nvlink_rate);
  shape.scale_up_latency = base::Seconds::from_us(2);
  shape.network_rate = base::BytesPerSecond::from_byte(nic_rate * machine.gpus);
  shape.network_latency = base::Seconds::from_us(10);
  return shape;
}

TEST_CASE("every algorithm alone takes its price, and no price is too low for the links") {
  // The price is that of the busiest port, so the links give each flow just what it asks for; asked
  // for twice as fast, they take as long.
  const auto [nodes, gpus] =
      GENERATE(table<int, int>({{2, 1}, {3, 1}, {1, 4}, {2, 3}, {3, 2}, {2, 8}, {5, 2}}));
  const Machine machine{nodes, gpus};
  const int ranks = nodes * gpus;
  const std::vector<collectives::Member> members =
      collectives::nodes_of_size(std::vector<int>(static_cast<std::size_t>(nodes), gpus));
  const std::int64_t bytes = 55'440'000;  // shares of all these groups are whole
  for (const collectives::Algorithm& algorithm : collectives::algorithms())
    for (const auto& [name, op] : base::collective_names) {
      if (!algorithm.supports(op)) continue;
      INFO(base::name_of(algorithm.id) << " " << name << ", " << nodes << " x " << gpus);
      const calibrate::CollectiveCost cost = collectives::price(
          algorithm, {op, base::Bytes::from_count(bytes), {}}, members, shape_of(machine));
      const double wire = (cost.total.time - cost.latency).s();
      for (const double share : {1.0, 0.5}) {
        StepBuilder step(1, 1, ranks, 1, machine);
        const int use = step.collective(op, Axis::data_shard, bytes, cost);
        for (calibrate::CollectiveCost& one :
             step.graph().collectives[static_cast<std::size_t>(use)].cost) {
          one.algorithm = algorithm.id;
          one.total.time = cost.latency + base::Seconds::from_s(wire * share);
        }
        step.task(0, TaskKind::collective, Stream::data_comm, use);
        const Timeline timeline = play(step, machine, {.private_as_durations = false});
        CHECK(timeline.step.s() == Approx(cost.total.time.s()).epsilon(1e-3));
      }
    }
}

}  // namespace
}  // namespace sim
