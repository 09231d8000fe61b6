#include "sim/beside.hpp"

#include <algorithm>

namespace sim {

namespace {

/// Kernels get on, however many blocks others hold.
constexpr double most_taken = 0.9;

}  // namespace

calibrate::CollectiveCost cost_in_plan(const calibrate::Profile& profile,
                                       const strategies::Communication& what,
                                       const calibrate::GroupShape& shape,
                                       const strategies::Execution& execution) {
  calibrate::CollectiveCost cost =
      profile.collective(what.op, ceil_div(what.bytes, what.parts), shape);
  // The bytes go out step by step, so that they come at a lower rate on average.
  if (base::one_way(what.op) && what.axes.has(strategies::Axis::tensor) && shape.nodes > 1 &&
      execution.tensor_step > base::Seconds{})
    cost.stretch_to(cost.total.time + execution.tensor_step * (shape.ranks - 1));
  cost.latency = cost.latency * what.parts;
  cost.total.time = cost.total.time * what.parts;
  return cost;
}

void set_shares(calibrate::CollectiveCost& cost, base::Collective op, base::Bytes bytes,
                const calibrate::GroupShape& shape) {
  if (shape.gpu == nullptr || cost.wire_time() <= 0) return;
  constexpr double passes = 3;
  const double wire = bytes.as_double() * calibrate::bus_factor(op, shape.ranks);
  if (cost.sm_share_source < 0)
    cost.sm_share = static_cast<double>(cost.channels) / shape.gpu->multiprocessors;
  if (cost.memory_share_source < 0)
    cost.memory_share = passes * wire / cost.wire_time() / shape.gpu->memory_bandwidth.byte();
}

AtOnce at_once(double arithmetic, double streaming, double collective,
               const calibrate::CollectiveCost& cost) {
  AtOnce both{0, 0};
  double left = collective;
  // Runs kernels of `seconds` when alone, which keep `kept` of their speed and take `lost` of its.
  const auto run = [&](double seconds, double kept, double lost) {
    const double together = std::min(seconds / kept, left / (1 - lost));
    left -= std::min(left, together * (1 - lost));
    both.collective += together;
    both.kernels += seconds + together * (1 - kept);
  };
  run(arithmetic, 1 - std::min(cost.sm_share, most_taken), cost.lost_to_products);
  run(streaming, 1, cost.lost_to_memory);
  both.collective += left;
  return both;
}

}  // namespace sim
