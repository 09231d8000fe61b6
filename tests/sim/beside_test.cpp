#include "sim/beside.hpp"

#include "tests/sim/small_step.hpp"

namespace sim {
namespace {

TEST_CASE("kernels lose SMs to a collective for as long as it runs") {
  const auto kernels = [](double arithmetic, double collective, double sm_share) {
    calibrate::CollectiveCost cost;
    cost.sm_share = sm_share;
    const AtOnce both = at_once(arithmetic, 0, collective, cost);
    CHECK(both.collective == Approx(collective));
    return both.kernels;
  };
  // A tenth of the SMs for 4 of 10 ms: 4 ms do the work of 3.6.
  CHECK(kernels(10e-3, 4e-3, 0.1) == Approx(10.4e-3));
  // Half of the SMs: 1 ms takes 2, within the 4 of the collective.
  CHECK(kernels(1e-3, 4e-3, 0.5) == Approx(2e-3));
  CHECK(kernels(1e-3, 0, 0.5) == Approx(1e-3));
  // More blocks than SMs: kernels keep a tenth.
  CHECK(kernels(1e-3, 100e-3, 1.5) == Approx(10e-3));
}

TEST_CASE("a collective loses speed to the kernels that begin with it, for as long as they run") {
  calibrate::CollectiveCost cost;
  cost.sm_share = 0.5;
  cost.lost_to_products = 0.75;
  cost.lost_to_memory = 0.5;
  // Arithmetic of 1 ms takes 2, in which the collective does 0.5 of its 4 ms; streaming of 2 ms, in
  // which it does 1; the other 2.5 ms alone.
  AtOnce both = at_once(1e-3, 2e-3, 4e-3, cost);
  CHECK(both.kernels == Approx(4e-3));
  CHECK(both.collective == Approx(6.5e-3));
  // A collective of 0.25 ms is over after 1 ms, half a millisecond of arithmetic is left.
  both = at_once(1e-3, 2e-3, 0.25e-3, cost);
  CHECK(both.collective == Approx(1e-3));
  CHECK(both.kernels == Approx(1.5e-3 + 2e-3));
  // One of 1 ms: 0.5 done in the 2 ms of arithmetic, the rest in 1 ms of streaming.
  both = at_once(1e-3, 2e-3, 1e-3, cost);
  CHECK(both.collective == Approx(3e-3));
  CHECK(both.kernels == Approx(4e-3));
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
