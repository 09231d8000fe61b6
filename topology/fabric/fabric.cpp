#include "topology/fabric/fabric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace topology::fabric {

namespace {

/// The first node that has NICs stands for all where one figure must do; build_cluster notes mixed
/// types. Every fabric is only built when some node has NICs.
const NodeType& typical(const Site& site) {
  for (std::size_t i = 0; i < site.nics.size(); ++i)
    if (!site.nics[i].empty()) return site.type(i);
  return site.type(0);
}

}  // namespace

int ceil_of(double cables) {
  return static_cast<int>(std::ceil(std::min(cables, 2 * cables_max) - 1e-9));
}

void Site::error(std::string message, std::string hint) const {
  problems.push_back({spec.where, std::move(message), std::move(hint)});
}

void Site::note(std::string message) const {
  notes.push_back({spec.where, std::move(message), "", base::Severity::note});
}

int Site::rails() const {
  std::size_t most = 0;
  for (const auto& of_node : nics) most = std::max(most, of_node.size());
  return static_cast<int>(most);
}

base::BytesPerSecond Site::nic_rate() const { return typical(*this).nic_rate; }

base::BytesPerSecond Site::port_rate() const { return nic_rate() / spec.fabric.nic_ports; }

base::BytesPerSecond Site::uplink_rate() const {
  const base::BytesPerSecond given = spec.fabric.uplink_rate;
  return given > base::BytesPerSecond() ? given : nic_rate();
}

double Site::wire_efficiency() const { return typical(*this).nic_efficiency; }

void Site::attach(std::size_t node, std::size_t nic, DeviceId to, int rail) const {
  attach(node, nic, to, rail, type(node).nic_rate / spec.fabric.nic_ports);
}

LinkId Site::attach(std::size_t node, std::size_t nic, DeviceId to, int rail,
                    base::BytesPerSecond raw) const {
  const NodeType& of = type(node);
  // Half on the way in, half on the way out: NIC to NIC under one switch takes `nic_latency`.
  return add_cable(graph, nics[node][nic], to, raw * of.nic_efficiency, of.nic_latency / 2, rail);
}

bool Site::affordable(double cables) const {
  if (cables <= cables_max) return true;
  error(fmt::format("the fabric would have {:.0f} cables between switches, more than {:.0f}",
                    cables, cables_max),
        "are 'uplink_rate' and the numbers of switches as meant?");
  return false;
}

void Site::trunk(DeviceId lower, DeviceId upper, int count) const {
  for (int i = 0; i < count; ++i) trunk(lower, upper, uplink_rate());
}

LinkId Site::trunk(DeviceId lower, DeviceId upper, base::BytesPerSecond raw) const {
  return add_cable(graph, lower, upper, raw * wire_efficiency(), spec.fabric.switch_latency);
}

int nodes_per_leaf(const Site& site, int cables) {
  const FabricSpec& fabric = site.spec.fabric;
  if (fabric.nodes_per_leaf > 0) return fabric.nodes_per_leaf;
  // down + up = ports, with up = down * rate of a NIC's port / (oversubscription * uplink).
  const double up_for_one = site.port_rate() / (site.uplink_rate() * fabric.oversubscription);
  const int down = static_cast<int>(fabric.switch_ports / (1 + up_for_one) + 1e-9);
  return std::max(1, down / std::max(1, cables));
}

}  // namespace topology::fabric
