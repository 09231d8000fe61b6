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
  const auto bytes = base::Bytes::from_count(4'000'000'000);
  const auto whole = cost_in_parts(profile, base::Collective::broadcast, bytes, 1, shape);
  const auto parts = cost_in_parts(profile, base::Collective::broadcast, bytes, 4, shape);
  CHECK(whole.total.time.s() == Approx(0.04));
  CHECK(parts.total.time.s() == Approx(0.04));
  CHECK(parts.bus_rate == whole.bus_rate);
}

}  // namespace
}  // namespace sim
