// What a step asks of the network, against the bytes that the engine puts on NICs.

#include <algorithm>

#include "sim/analytic.hpp"
#include "sim/engine.hpp"
#include "sim/place/demand.hpp"
#include "tests/sim/contention_support.hpp"
#include "tests/sim/small_step.hpp"

namespace sim::place {
namespace {

double bytes_of(const StepDemand& demand) {
  double sum = 0;
  for (const Demand& one : demand.demands) sum += one.bytes();
  return sum;
}

TEST_CASE("demands add up to what the engine carries over NICs") {
  strategies::Plan sharded = plan_with(1, 1, 16, 2);
  sharded.zero = 3;
  for (const strategies::Plan& plan :
       {plan_with(4, 2, 4, 4), plan_with(2, 4, 4, 4), plan_with(1, 1, 32, 2), sharded}) {
    const Built built = build(gpt(8), plan);
    const StepDemand demand = demand_of(built.graph, built.cluster, built.gpus, 8);
    const Timeline played =
        simulate(built.graph, built.cluster, built.gpus, {.fidelity = Fidelity::hybrid});
    double carried = 0;
    for (topology::LinkId link = 0; link < built.cluster.link_count(); ++link)
      if (built.cluster.device(built.cluster.link(link).from).kind == topology::DeviceKind::nic &&
          built.cluster.device(built.cluster.link(link).to).kind == topology::DeviceKind::leaf)
        carried += played.link_bytes[link];
    INFO(plan.tensor << " " << plan.pipeline << " " << plan.data);
    CHECK(carried > 0);
    CHECK(bytes_of(demand) == Approx(carried).epsilon(1e-3));
    CHECK(demand.step == Approx(analyse(built.graph, built.cluster, built.gpus).step.s()));
  }
}

TEST_CASE("a ring of four nodes sends each hop the same, and the step grows as it is stretched") {
  // An all-reduce of 1 GB over 4 ranks on a node each: 2 * 3/4 GB over every hop; 10 ms alone, of
  // which 1 ms are latency. Alone in its step, so twice as long costs its other 9 ms again.
  const topology::Cluster cluster = built("nodes: {type: dgx-h100, count: 4, usable_gpus: 1}");
  StepBuilder step =
      data_step(1, 4, base::Collective::all_reduce, 1'000'000'000, cost_of_time(1e-3, 10e-3));
  StepGraph graph = step.graph();
  place_on(graph, cluster, in_order(4));
  const StepDemand demand = demand_of(graph, cluster, in_order(4), 1);
  REQUIRE(demand.demands.size() == 1);
  const Demand& ring = demand.demands[0];
  CHECK(ring.edges.size() == 4);
  for (const Edge& edge : ring.edges) {
    CHECK(edge.to == (edge.from + 1) % 4);
    CHECK(edge.bytes == Approx(1.5e9));
  }
  CHECK(ring.alone == Approx(9e-3));
  CHECK(ring.growth_at(0.5) == 0);
  CHECK(ring.growth_at(2) == Approx(9e-3));
  CHECK(ring.growth_at(100) == Approx(99 * 9e-3));
  CHECK(ring.skew == Approx(8));  // of eight rails one is used
}

TEST_CASE("stages that reduce at different times are parts, and messages go by their names") {
  const Built made = build(gpt(8), plan_with(4, 2, 4, 4));
  const StepDemand demand = demand_of(made.graph, made.cluster, made.gpus, 8);
  std::vector<std::string> names;
  for (const Demand& one : demand.demands) {
    names.push_back(one.name);
    CHECK(one.chained == (one.kind == CommKind::pipeline));
    for (const Edge& edge : one.edges) CHECK(edge.part < one.parts);
  }
  CHECK(std::count(names.begin(), names.end(), "pipeline over pp: activation") == 1);
  CHECK(std::count(names.begin(), names.end(), "pipeline over pp: gradient") == 1);
}

}  // namespace
}  // namespace sim::place
