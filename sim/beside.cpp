#include "sim/beside.hpp"

#include <algorithm>

namespace sim {

namespace {

/// Kernels get on, however many blocks others hold.
constexpr double most_taken = 0.9;

}  // namespace

calibrate::CollectiveCost cost_in_parts(const calibrate::Profile& profile, base::Collective op,
                                        base::Bytes bytes, int parts,
                                        const calibrate::GroupShape& shape) {
  calibrate::CollectiveCost cost = profile.collective(op, ceil_div(bytes, parts), shape);
  cost.latency = cost.latency * parts;
  cost.total.time = cost.total.time * parts;
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
