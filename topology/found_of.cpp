#include "topology/found_of.hpp"

#include <fmt/format.h>

#include <map>

#include "topology/graph.hpp"
#include "topology/node_tally.hpp"

namespace topology {

namespace {

class Finder {
 public:
  Finder(const Cluster& cluster, const std::string& file) : cluster_(cluster), file_(file) {}

  FoundCluster run() {
    out_.levels = cluster_.levels();
    add_nodes();
    add_switches();
    for (LinkId id = 0; id + 1 < cluster_.link_count(); id += 2) add_cable(cluster_.link(id));
    out_.sources.push_back(
        {"scenario", file_,
         fmt::format("{}, {}", count_of(static_cast<int>(out_.nodes.size()), "node"),
                     count_of(static_cast<int>(out_.cables.size()), "cable"))});
    return std::move(out_);
  }

 private:
  void add_nodes() {
    std::map<int, int> domain_nodes;
    for (const NodeInfo& node : cluster_.nodes()) ++domain_nodes[node.accelerator_domain];
    for (const NodeInfo& node : cluster_.nodes()) {
      FoundNode found;
      found.name = node.name;
      found.type = node.type->name;
      found.gpu = node.type->gpu;
      found.gpus = node.type->gpus;
      found.usable_gpus = node.gpus;
      found.free_gpus = node.free_gpus;
      found.unavailable = node.unavailable;
      found.domains = node.domains;
      if (domain_nodes[node.accelerator_domain] > 1)
        found.accelerator_domain = fmt::format("nvlink-{}", node.accelerator_domain);
      for (int nic = 0; nic < node.type->nics; ++nic)
        found.nics.push_back({.name = fmt::format("nic-{}", nic),
                              .id = "",
                              .rate = node.type->nic_rate,
                              .role = FabricRole::compute,
                              .gpus = {}});
      found.where = {file_};
      out_.nodes.push_back(std::move(found));
    }
  }

  void add_switches() {
    for (DeviceId id = 0; id < cluster_.device_count(); ++id) {
      const Device& device = cluster_.device(id);
      if (!is_switch(device.kind)) continue;
      switch_at_[id] = out_.switches.size();
      out_.switches.push_back({.id = device.name,
                               .name = "",
                               .model = "",
                               .tier = device.tier,
                               .rail = device.rail,
                               .role = FabricRole::compute,
                               .where = {file_}});
    }
  }

  /// Between switches and NICs; what is inside nodes is in no dump of a network.
  void add_cable(const Link& link) {
    FoundCable cable;
    if (!end_of(link.from, cable.a) || !end_of(link.to, cable.b)) return;
    if (cable.a.at == CableEnd::At::node && cable.b.at == CableEnd::At::node) return;
    cable.rate = link.rate / efficiency();
    cable.state = link.down       ? CableState::down
                  : link.degraded ? CableState::degraded
                                  : CableState::up;
    cable.where = {file_};
    out_.cables.push_back(std::move(cable));
  }

  bool end_of(DeviceId id, CableEnd& end) const {
    const Device& device = cluster_.device(id);
    if (device.kind == DeviceKind::nic) {
      end.index = static_cast<std::size_t>(device.node);
      end.nic = device.name.substr(device.name.rfind('/') + 1);
      return true;
    }
    const auto at = switch_at_.find(id);
    if (at == switch_at_.end()) return false;
    end.at = CableEnd::At::fabric_switch;
    end.index = at->second;
    return true;
  }

  /// Wires carry raw rates times the share that payload can use, see fabric::Site.
  double efficiency() const {
    for (const NodeInfo& node : cluster_.nodes())
      if (node.type->nics > 0) return node.type->nic_efficiency;
    return 1;
  }

  const Cluster& cluster_;
  const std::string& file_;
  std::map<DeviceId, std::size_t> switch_at_;
  FoundCluster out_;
};

}  // namespace

FoundCluster found_of(const Cluster& cluster, const std::string& file) {
  return Finder(cluster, file).run();
}

}  // namespace topology
