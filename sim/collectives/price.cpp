#include "sim/collectives/price.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace sim::collectives {

namespace {

/// No public measurements say how near algorithms come that nobody has tuned.
constexpr double spread = 0.3;

/// Bytes of one member, out and in.
struct Traffic {
  double inside_out = 0;
  double inside_in = 0;
  double across_out = 0;
  double across_in = 0;

  double inside() const { return std::max(inside_out, inside_in); }
  double across() const { return std::max(across_out, across_in); }
};

std::vector<Traffic> traffic_of(const std::vector<Flow>& flows, std::span<const Member> members) {
  std::vector<Traffic> traffic(members.size());
  for (const Flow& flow : flows) {
    Traffic& from = traffic[static_cast<std::size_t>(flow.from)];
    Traffic& to = traffic[static_cast<std::size_t>(flow.to)];
    const bool inside = members[static_cast<std::size_t>(flow.from)].domain ==
                        members[static_cast<std::size_t>(flow.to)].domain;
    (inside ? from.inside_out : from.across_out) += flow.bytes.as_double();
    (inside ? to.inside_in : to.across_in) += flow.bytes.as_double();
  }
  return traffic;
}

/// Members of a node on one rail and what they send and receive together.
struct Rail {
  int members = 0;
  Traffic traffic;
};

/// A member has one NIC, which it shares with others on its rail. A rail of a domain of several
/// hosts is as many NICs as its members need at that many a NIC.
base::Seconds network_time(const std::vector<Traffic>& traffic, std::span<const Member> members,
                           const calibrate::GroupShape& shape) {
  const int nics = std::max(1, shape.nics);
  const base::BytesPerSecond nic_rate = shape.network_rate / nics;
  double busiest = 0;
  std::map<std::pair<int, int>, Rail> rails;
  for (std::size_t i = 0; i < members.size(); ++i) {
    busiest = std::max(busiest, traffic[i].across());
    Rail& rail = rails[{members[i].domain, shape.nics > 0 ? members[i].rail : 0}];
    ++rail.members;
    rail.traffic.across_out += traffic[i].across_out;
    rail.traffic.across_in += traffic[i].across_in;
  }
  const double members_a_nic = std::max(1.0, static_cast<double>(shape.ranks_per_node) / nics);
  for (const auto& [place, rail] : rails)
    busiest = std::max(
        busiest, rail.traffic.across() / std::max(1.0, std::floor(rail.members / members_a_nic)));
  return busiest > 0 ? base::Seconds::from_s(busiest / nic_rate.byte()) : base::Seconds{};
}

}  // namespace

calibrate::CollectiveCost price(const Algorithm& algorithm, const Demand& demand,
                                std::span<const Member> members,
                                const calibrate::GroupShape& shape) {
  const Expansion expansion = algorithm.expand(demand, members);
  const std::vector<Traffic> traffic = traffic_of(expansion.flows, members);
  double inside = 0;
  for (const Traffic& member : traffic) inside = std::max(inside, member.inside());
  base::Seconds wire = network_time(traffic, members, shape);
  if (inside > 0) wire = std::max(wire, base::Seconds::from_s(inside / shape.scale_up_rate.byte()));

  calibrate::CollectiveCost cost;
  cost.algorithm = algorithm.id;
  cost.latency = shape.scale_up_latency * expansion.rounds_inside +
                 shape.network_latency * expansion.rounds_across;
  if (wire > base::Seconds{})
    cost.bus_rate =
        demand.bytes / wire * base::bus_factor(demand.op, static_cast<int>(members.size()));
  cost.total = {cost.latency + wire, spread, calibrate::Evidence::model, 0};
  return cost;
}

}  // namespace sim::collectives
