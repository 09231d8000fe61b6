#include "sim/engine/wires.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::engine {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

Wires::Wires(const Traffic& traffic, const Cast& cast, Network& network)
    : traffic_(traffic), cast_(cast), network_(network) {
  for (const Traffic::Pattern& pattern : traffic.patterns())
    ranges_.emplace_back(cast.groups[at(pattern.communicators)].count());
  message_ranges_.resize(traffic.flows().size() - traffic.first_message_flow());
}

std::span<const Wires::Flow> Wires::of_collective(int pattern, std::uint32_t group_class) {
  Range& range = ranges_[at(pattern)][group_class];
  if (!range.known) {
    const Cast::Groups& groups = cast_.groups[at(traffic_.patterns()[at(pattern)].communicators)];
    range = range_of(traffic_.flows_of(pattern, groups.group_of[group_class]));
  }
  return {flows_.data() + range.first, range.count};
}

std::span<const Wires::Flow> Wires::of_message(int from, int to) {
  const std::span<const Traffic::Flow> flows = traffic_.message_flows(from, to);
  if (flows.empty()) return {};
  const auto index = static_cast<std::size_t>(flows.data() - traffic_.flows().data());
  Range& range = message_ranges_[index - traffic_.first_message_flow()];
  if (!range.known) range = range_of(flows);
  return {flows_.data() + range.first, range.count};
}

Wires::Range Wires::range_of(std::span<const Traffic::Flow> flows) {
  std::vector<std::uint32_t> seen;
  const auto first = static_cast<std::uint32_t>(flows_.size());
  for (const Traffic::Flow& flow : flows) {
    const auto index = static_cast<std::size_t>(&flow - traffic_.flows().data());
    const std::uint32_t of_class = cast_.flow_class[index];
    if (cast_.flows_in_class[of_class] > 1) {
      if (std::find(seen.begin(), seen.end(), of_class) != seen.end()) continue;
      seen.push_back(of_class);
    }
    Flow wire{0, flow.bytes};
    if (add_path(flow, wire.path)) flows_.push_back(wire);
  }
  return {first, static_cast<std::uint32_t>(flows_.size()) - first, true};
}

/// false when nothing on the way may bind.
bool Wires::add_path(const Traffic::Flow& flow, PathId& path) {
  const auto index = static_cast<std::size_t>(&flow - traffic_.flows().data());
  const std::uint32_t flows = cast_.flows_in_class[cast_.flow_class[index]];
  std::vector<Network::Hop> hops;
  for (const std::uint32_t link : traffic_.hops(flow.path)) {
    const std::uint32_t of_class = cast_.link_class[link];
    if (of_class == no_class) continue;
    const auto known = std::find_if(hops.begin(), hops.end(),
                                    [&](const Network::Hop& hop) { return hop.link == of_class; });
    if (known != hops.end())
      known->weight += flows;
    else
      hops.push_back({of_class, flows});
  }
  // So far: crossings of all flows of the class with all links of the class.
  for (Network::Hop& hop : hops) {
    CHECK_INVARIANT(hop.weight % cast_.links_in_class[hop.link] == 0);
    hop.weight /= cast_.links_in_class[hop.link];
    hop.link = cast_.network_link[hop.link];
  }
  if (hops.empty()) return false;
  path = network_.add_path(std::move(hops));
  return true;
}

}  // namespace sim::engine
