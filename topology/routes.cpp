#include "topology/routes.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "base/mix.hpp"
#include "topology/attachments.hpp"
#include "topology/spray.hpp"
#include "topology/switch_graph.hpp"

namespace topology {

struct Router::Impl {
  using Hops = std::vector<std::uint32_t>;

  const Cluster& cluster;
  RoutingOptions options;
  SwitchGraph switches;
  Attachments attachments;
  std::optional<Spray> spray;  ///< with adaptive routing

  Impl(const Cluster& of, RoutingOptions with)
      : cluster(of), options(with), switches(of), attachments(of, switches) {
    if (options.kind == Routing::adaptive) spray.emplace(of, switches);
  }

  /// From switch to switch; each one picks among its equal next cables by its own hash of the flow,
  /// as real switches do.
  void append_hashed(std::uint32_t from, std::uint32_t to, std::uint64_t flow, Hops& hops) {
    const std::vector<std::uint16_t>& distance = switches.distances_to(to);
    for (std::uint32_t at = from; at != to;) {
      const std::uint16_t next = static_cast<std::uint16_t>(distance[at] - 1);
      std::uint64_t choices = 0;
      for (const Hop& hop : switches.hops(at)) choices += distance[hop.to] == next ? 1 : 0;
      CHECK_INVARIANT(choices > 0);
      std::uint64_t pick = base::mix(flow ^ at) % choices;
      for (const Hop& hop : switches.hops(at)) {
        if (distance[hop.to] != next || pick-- > 0) continue;
        hops.push_back(hop.link);
        at = hop.to;
        break;
      }
    }
  }

  /// What leaves by one port: one route, or one for each path of a spray.
  void append_port(const Route& whole, const Port& out, const Port& in, std::uint64_t flow,
                   std::vector<Route>& routes) {
    if (!spray) {
      Route& route = routes.emplace_back(whole);
      route.hops.push_back(out.wire);
      append_hashed(out.edge_switch, in.edge_switch, flow, route.hops);
      return;
    }
    for (const Route& path : spray->between(out.edge_switch, in.edge_switch)) {
      Route& route = routes.emplace_back(whole);
      route.share *= path.share;
      route.hops.push_back(out.wire);
      route.hops.insert(route.hops.end(), path.hops.begin(), path.hops.end());
    }
  }

  bool route_across(GpuId from, GpuId to, std::vector<Route>& routes) {
    const std::optional<Attachments::Pair> pair = attachments.choose(from, to, options.pxn);
    if (!pair) return false;
    const Nic& source = attachments.nic(pair->source);
    const Nic& target = attachments.nic(pair->target);
    std::array<std::optional<std::size_t>, nic_ports_max> peers;
    int flows = 0;
    for (std::size_t port = 0; port < nic_ports_max; ++port) {
      peers[port] = attachments.peer_port(pair->source, port, pair->target);
      flows += peers[port] ? 1 : 0;
    }
    Route whole;
    whole.share = 1.0 / flows;
    CHECK_INVARIANT(attachments.append_to_nic(from, pair->source, whole.hops));
    const std::uint64_t flow =
        base::mix(base::mix(options.ecmp_seed) ^
                  ((static_cast<std::uint64_t>(source.device) << 32) | target.device));
    for (std::size_t port = 0; port < nic_ports_max; ++port) {
      if (!peers[port]) continue;
      const Port& in = target.ports[*peers[port]];
      const std::size_t first = routes.size();
      append_port(whole, source.ports[port], in, port == 0 ? flow : base::mix(flow + port), routes);
      for (std::size_t i = first; i < routes.size(); ++i) {
        routes[i].hops.push_back(in.wire ^ 1U);
        CHECK_INVARIANT(attachments.append_from_nic(pair->target, to, routes[i].hops));
      }
    }
    return true;
  }
};

Router::Router(const Cluster& cluster, RoutingOptions options)
    : impl_(std::make_unique<Impl>(cluster, options)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

bool Router::route(GpuId from, GpuId to, std::vector<Route>& routes) const {
  Route inside;
  if (from == to || (impl_->cluster.same_scale_up_domain(from, to) &&
                     impl_->attachments.append_inside(from, to, inside.hops))) {
    routes.push_back(std::move(inside));
    return true;
  }
  return impl_->route_across(from, to, routes);
}

const std::vector<Bundle>& Router::bundles() const {
  static const std::vector<Bundle> no_bundles;
  return impl_->spray ? impl_->spray->bundles() : no_bundles;
}

}  // namespace topology
