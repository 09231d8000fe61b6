#include "topology/routes.hpp"

#include <boost/graph/adjacency_list.hpp>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "topology/graph.hpp"

namespace topology {

namespace {

constexpr LinkId no_link = std::numeric_limits<LinkId>::max();
constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint16_t unreachable = std::numeric_limits<std::uint16_t>::max();

/// splitmix64: every bit of the input moves every bit of the output.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// Two directions of a short path.
struct Lane {
  LinkId out = no_link;
  LinkId in = no_link;
};

/// How a GPU reaches its hub (NVSwitch or PCIe switch) and its NIC.
struct Ports {
  DeviceId hub_device = none;
  Lane hub;
  DeviceId nic = none;
  Lane nic_lane;  ///< GPU to NIC; without one, the way leads over the hub:
  Lane hub_to_nic;
  std::uint32_t edge_switch = none;  ///< switch that the NIC is on
  Lane wire;                         ///< NIC to that switch
};

/// A link between switches, by indices into the list of switches.
struct Hop {
  LinkId link = 0;
  std::uint32_t to = 0;
};

}  // namespace

struct Router::Impl {
  const Cluster& cluster;
  RoutingOptions options;
  std::vector<Ports> ports;              ///< by GPU
  std::vector<std::uint32_t> first_hop;  ///< into `hops`, by switch; one more at the end
  std::vector<Hop> hops;
  /// Distance of every switch to the key, filled when first needed.
  std::vector<std::vector<std::uint16_t>> distances;

  Impl(const Cluster& of, RoutingOptions with) : cluster(of), options(with) {
    read_switches();
    for (GpuId gpu = 0; gpu < static_cast<GpuId>(cluster.gpu_count()); ++gpu)
      ports.push_back(ports_of(gpu));
  }

  std::vector<std::uint32_t> switch_index;  ///< by device; `none` if it is no switch

  void read_switches() {
    const Graph& graph = cluster.graph();
    switch_index.assign(cluster.device_count(), none);
    std::vector<DeviceId> switches;
    for (DeviceId id = 0; id < cluster.device_count(); ++id)
      if (is_switch(cluster.device(id).kind)) {
        switch_index[id] = static_cast<std::uint32_t>(switches.size());
        switches.push_back(id);
      }
    for (const DeviceId id : switches) {
      first_hop.push_back(static_cast<std::uint32_t>(hops.size()));
      for (auto [edge, end] = boost::out_edges(id, graph); edge != end; ++edge) {
        const std::uint32_t to = switch_index[boost::target(*edge, graph)];
        if (to != none) hops.push_back({graph[*edge].id, to});
      }
    }
    first_hop.push_back(static_cast<std::uint32_t>(hops.size()));
    distances.resize(switches.size());
  }

  /// The lane to the first neighbour of `from` that `wanted` accepts.
  template <class Wanted>
  std::pair<DeviceId, Lane> lane(DeviceId from, Wanted wanted) const {
    const Graph& graph = cluster.graph();
    for (auto [edge, end] = boost::out_edges(from, graph); edge != end; ++edge) {
      const DeviceId to = static_cast<DeviceId>(boost::target(*edge, graph));
      // Both directions of a cable have neighbouring ids, the even one first.
      if (wanted(graph[to])) return {to, {graph[*edge].id, graph[*edge].id ^ 1U}};
    }
    return {none, {}};
  }

  Ports ports_of(GpuId gpu) const {
    const DeviceId device = cluster.gpu(gpu);
    const int rail = cluster.rail_of(gpu);
    const auto is_hub = [](const Device& d) {
      return d.kind == DeviceKind::nvswitch || d.kind == DeviceKind::pcie_switch;
    };
    const auto is_own_nic = [&](const Device& d) {
      return d.kind == DeviceKind::nic && d.rail == rail;
    };
    Ports out;
    std::tie(out.hub_device, out.hub) = lane(device, is_hub);
    std::tie(out.nic, out.nic_lane) = lane(device, is_own_nic);
    if (out.nic == none && out.hub_device != none)
      std::tie(out.nic, out.hub_to_nic) = lane(out.hub_device, is_own_nic);
    if (out.nic == none) return out;
    const auto [edge_switch, wire] =
        lane(out.nic, [](const Device& d) { return is_switch(d.kind); });
    if (edge_switch != none) out.edge_switch = switch_index[edge_switch], out.wire = wire;
    return out;
  }

  /// Breadth-first search from `target`; cables go both ways, so it runs over outgoing links.
  const std::vector<std::uint16_t>& distances_to(std::uint32_t target) {
    std::vector<std::uint16_t>& distance = distances[target];
    if (!distance.empty()) return distance;
    distance.assign(distances.size(), unreachable);
    distance[target] = 0;
    std::vector<std::uint32_t> queue{target};
    for (std::size_t head = 0; head < queue.size(); ++head) {
      const std::uint32_t at = queue[head];
      for (std::uint32_t i = first_hop[at]; i < first_hop[at + 1]; ++i) {
        if (distance[hops[i].to] != unreachable) continue;
        distance[hops[i].to] = static_cast<std::uint16_t>(distance[at] + 1);
        queue.push_back(hops[i].to);
      }
    }
    return distance;
  }

  /// From switch to switch; each one picks among its equal next cables by its own hash of the flow,
  /// as real switches do.
  bool cross_fabric(const Ports& a, const Ports& b, std::vector<LinkId>& links) {
    const std::vector<std::uint16_t>& distance = distances_to(b.edge_switch);
    if (distance[a.edge_switch] == unreachable) return false;
    const std::uint64_t flow =
        mix(mix(options.ecmp_seed) ^ ((static_cast<std::uint64_t>(a.nic) << 32) | b.nic));
    for (std::uint32_t at = a.edge_switch; at != b.edge_switch;) {
      const std::uint16_t next = static_cast<std::uint16_t>(distance[at] - 1);
      std::uint64_t choices = 0;
      for (std::uint32_t i = first_hop[at]; i < first_hop[at + 1]; ++i)
        choices += distance[hops[i].to] == next ? 1 : 0;
      CHECK_INVARIANT(choices > 0);
      std::uint64_t pick = mix(flow ^ at) % choices;
      for (std::uint32_t i = first_hop[at]; i < first_hop[at + 1]; ++i) {
        if (distance[hops[i].to] != next || pick-- > 0) continue;
        links.push_back(hops[i].link);
        at = hops[i].to;
        break;
      }
    }
    return true;
  }

  bool route_inside(GpuId from, GpuId to, std::vector<LinkId>& links) const {
    const Ports& a = ports[from];
    const Ports& b = ports[to];
    if (a.hub_device != none && a.hub_device == b.hub_device) {
      links.push_back(a.hub.out);
      links.push_back(b.hub.in);
      return true;
    }
    const DeviceId peer = cluster.gpu(to);
    const Graph& graph = cluster.graph();
    for (auto [edge, end] = boost::out_edges(cluster.gpu(from), graph); edge != end; ++edge) {
      if (boost::target(*edge, graph) != peer) continue;
      links.push_back(graph[*edge].id);
      return true;
    }
    return false;
  }

  bool route_across(GpuId from, GpuId to, std::vector<LinkId>& links) {
    const Ports& a = ports[from];
    const Ports& b = ports[to];
    if (a.edge_switch == none || b.edge_switch == none) return false;
    const std::size_t before = links.size();
    if (a.nic_lane.out != no_link)
      links.push_back(a.nic_lane.out);
    else
      links.insert(links.end(), {a.hub.out, a.hub_to_nic.out});
    links.push_back(a.wire.out);
    if (!cross_fabric(a, b, links)) {
      links.resize(before);
      return false;
    }
    links.push_back(b.wire.in);
    if (b.nic_lane.in != no_link)
      links.push_back(b.nic_lane.in);
    else
      links.insert(links.end(), {b.hub_to_nic.in, b.hub.in});
    return true;
  }
};

Router::Router(const Cluster& cluster, RoutingOptions options)
    : impl_(std::make_unique<Impl>(cluster, options)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

bool Router::route(GpuId from, GpuId to, std::vector<LinkId>& links) const {
  if (from == to) return true;
  if (impl_->cluster.same_scale_up_domain(from, to)) return impl_->route_inside(from, to, links);
  return impl_->route_across(from, to, links);
}

}  // namespace topology
