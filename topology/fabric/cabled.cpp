#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

namespace {

/// Links `cable` and the one after it, as far as they work.
void set_state(Graph& graph, LinkId cable, double rate_left) {
  for (const LinkId id : {cable, cable + 1}) {
    Link& link = *graph.links[id];
    link.down = rate_left <= 0;
    link.degraded = rate_left > 0 && rate_left < 1;
    if (link.degraded) link.rate = link.rate * rate_left;
  }
}

DeviceKind kind_of(int tier) {
  return tier == 1 ? DeviceKind::leaf : tier == 2 ? DeviceKind::spine : DeviceKind::core;
}

class Cables {
 public:
  explicit Cables(const Site& site) : site_(site), cabling_(site.spec.cabling) {
    for (const std::vector<DeviceId>& nics : site.nics)
      ports_.emplace_back(nics.size(), 0);  // of each NIC
  }

  void build() {
    check_switches();
    check_node_cables();
    check_trunks();
    if (base::has_errors(site_.problems)) return;
    for (const Cabling::Switch& one : cabling_.switches) {
      switches_.push_back(add_device(site_.graph, kind_of(one.tier), one.name, -1, one.rail));
      site_.graph[switches_.back()].tier = one.tier;
    }
    for (const Cabling::NodeCable& cable : cabling_.node_cables) {
      const auto nic = static_cast<std::size_t>(cable.nic);
      set_state(site_.graph,
                site_.attach(cable.node, nic, switches_[cable.to], cabling_.switches[cable.to].rail,
                             rate_of(cable)),
                cable.rate_left);
    }
    for (const Cabling::Trunk& cable : cabling_.trunks)
      set_state(site_.graph,
                site_.trunk(switches_[cable.lower], switches_[cable.upper], rate_of(cable)),
                cable.rate_left);
    note_state();
  }

 private:
  void check_switches() const {
    std::set<std::string_view> names;
    for (const Cabling::Switch& one : cabling_.switches) {
      if (!names.insert(one.name).second)
        site_.error(fmt::format("two switches are named '{}'", one.name));
      if (one.tier < 1)
        site_.error(
            fmt::format("switch '{}' is of tier {}, must be at least 1", one.name, one.tier));
    }
  }

  bool is_switch_index(std::size_t index) const {
    if (index < cabling_.switches.size()) return true;
    site_.error(fmt::format("a cable ends at switch {}, but there are {}", index,
                            cabling_.switches.size()));
    return false;
  }

  void check_share(double rate_left) const {
    if (!(rate_left >= 0 && rate_left <= 1))
      site_.error(fmt::format("a cable has {} of its rate left, must be 0 to 1", rate_left));
  }

  void check_node_cables() {
    for (const Cabling::NodeCable& cable : cabling_.node_cables) {
      check_share(cable.rate_left);
      if (!is_switch_index(cable.to)) continue;
      if (cable.node >= ports_.size()) {
        site_.error(
            fmt::format("a cable ends at node {}, but there are {}", cable.node, ports_.size()));
        continue;
      }
      std::vector<int>& nics = ports_[cable.node];
      const std::string& name = site_.spec.nodes[cable.node].name;
      if (cable.nic < 0 || cable.nic >= static_cast<int>(nics.size())) {
        site_.error(fmt::format("a cable ends at NIC {} of node '{}', but a {} has {}", cable.nic,
                                name, site_.type(cable.node).name, nics.size()));
        continue;
      }
      if (++nics[static_cast<std::size_t>(cable.nic)] == nic_ports_max + 1)
        site_.error(fmt::format("NIC {} of node '{}' has more than {} cables", cable.nic, name,
                                nic_ports_max),
                    "are two NICs taken for one?");
    }
    for (std::size_t node = 0; node < ports_.size(); ++node)
      if (site_.spec.nodes[node].usable_gpus > 0 &&
          std::all_of(ports_[node].begin(), ports_[node].end(), [](int n) { return n == 0; }))
        site_.error(fmt::format("no cable of node '{}' is known", site_.spec.nodes[node].name),
                    "its GPUs could not reach the other nodes; leave the node out, or name it as "
                    "the dump of the cables does");
  }

  void check_trunks() const {
    if (!site_.affordable(static_cast<double>(cabling_.trunks.size()))) return;
    for (const Cabling::Trunk& cable : cabling_.trunks) {
      check_share(cable.rate_left);
      if (is_switch_index(cable.lower) && is_switch_index(cable.upper) &&
          cable.lower == cable.upper)
        site_.error(fmt::format("a cable joins switch '{}' to itself",
                                cabling_.switches[cable.lower].name));
    }
  }

  base::BytesPerSecond rate_of(const Cabling::NodeCable& cable) {
    if (cable.rate > base::BytesPerSecond()) return cable.rate;
    ++without_rate_;
    return site_.type(cable.node).nic_rate /
           ports_[cable.node][static_cast<std::size_t>(cable.nic)];
  }

  base::BytesPerSecond rate_of(const Cabling::Trunk& cable) {
    if (cable.rate > base::BytesPerSecond()) return cable.rate;
    ++without_rate_;
    return site_.uplink_rate();
  }

  void note_state() const {
    int down = 0;
    int degraded = 0;
    const auto count = [&](const auto& cables) {
      for (const auto& cable : cables) {
        down += cable.rate_left <= 0 ? 1 : 0;
        degraded += cable.rate_left > 0 && cable.rate_left < 1 ? 1 : 0;
      }
    };
    count(cabling_.node_cables);
    count(cabling_.trunks);
    if (down + degraded > 0)
      site_.note(fmt::format("cables found down: {}, degraded: {}", down, degraded));
    if (without_rate_ > 0)
      site_.note(
          fmt::format("cables whose rate nobody told: {}; they are taken to carry what the "
                      "NICs do",
                      without_rate_));
  }

  const Site& site_;
  const Cabling& cabling_;
  std::vector<std::vector<int>> ports_;  ///< cables of each NIC, by node
  std::vector<DeviceId> switches_;
  int without_rate_ = 0;
};

}  // namespace

void build_as_cabled(const Site& site) { Cables(site).build(); }

}  // namespace topology::fabric
