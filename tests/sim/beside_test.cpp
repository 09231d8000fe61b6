#include "sim/beside.hpp"

#include "tests/sim/small_step.hpp"

namespace sim {
namespace {

TEST_CASE("kernels lose SMs to a collective for as long as it runs") {
  // A tenth of the SMs for 4 of 10 ms: 4 ms do the work of 3.6.
  CHECK(compute_beside(10e-3, 4e-3, 0.1) == Approx(10.4e-3));
  // Half of the SMs: 1 ms takes 2, within the 4 of the collective.
  CHECK(compute_beside(1e-3, 4e-3, 0.5) == Approx(2e-3));
  CHECK(compute_beside(1e-3, 0, 0.5) == Approx(1e-3));
  // More blocks than SMs: kernels keep a tenth.
  CHECK(compute_beside(1e-3, 100e-3, 1.5) == Approx(10e-3));
}

TEST_CASE("a collective in parts is each of them, one behind the other") {
  const FlatProfile profile;  // 100 GB/s, no latency
  const calibrate::GroupShape shape{.ranks = 4};
  strategies::Communication what{.op = base::Collective::broadcast,
                                 .bytes = base::Bytes::from_count(4'000'000'000)};
  const auto whole = cost_in_plan(profile, what, shape, {});
  what.parts = 4;
  const auto parts = cost_in_plan(profile, what, shape, {});
  CHECK(whole.total.time.s() == Approx(0.04));
  CHECK(parts.total.time.s() == Approx(0.04));
  CHECK(parts.bus_rate == whole.bus_rate);
}

TEST_CASE("collectives of tensor ranks on several nodes take longer at each step of their ring") {
  const FlatProfile profile;
  calibrate::GroupShape shape{.ranks = 16};
  shape.nodes = 2;
  strategies::Communication what{.op = base::Collective::all_gather,
                                 .axes = strategies::Axis::tensor,
                                 .bytes = base::Bytes::from_count(4'000'000'000)};
  const strategies::Execution execution{.tensor_step = base::Seconds::from_us(30)};
  const auto alone = cost_in_plan(profile, what, shape, {});
  const auto longer = cost_in_plan(profile, what, shape, execution);
  // 16 ranks: 15 steps of 30 us; the bytes come at a lower rate.
  CHECK(longer.total.time.us() == Approx(alone.total.time.us() + 450));
  CHECK(longer.bus_rate.byte() / alone.bus_rate.byte() ==
        Approx(alone.total.time / longer.total.time));
  // Not in a node, not of all-reduces, not of other ranks.
  shape.nodes = 1;
  CHECK(cost_in_plan(profile, what, shape, execution).total.time == alone.total.time);
  shape.nodes = 2;
  what.axes = strategies::Axis::data_shard;
  CHECK(cost_in_plan(profile, what, shape, execution).total.time == alone.total.time);
  what.axes = strategies::Axis::tensor;
  what.op = base::Collective::all_reduce;
  CHECK(cost_in_plan(profile, what, shape, execution).total.time ==
        cost_in_plan(profile, what, shape, {}).total.time);
}

}  // namespace
}  // namespace sim
