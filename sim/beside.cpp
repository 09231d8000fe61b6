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

double compute_beside(double compute, double wire, double sm_share) {
  const double taken = std::min(sm_share, most_taken);
  const double slowed = compute / (1 - taken);
  return slowed <= wire ? slowed : compute + wire * taken;
}

}  // namespace sim
