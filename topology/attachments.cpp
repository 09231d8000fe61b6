#include "topology/attachments.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "topology/graph.hpp"

namespace topology {

namespace {

/// The other direction of a cable.
LinkId back(LinkId link) { return link ^ 1U; }

}  // namespace

Attachments::Attachments(const Cluster& cluster, const SwitchGraph& switches)
    : cluster_(cluster), switches_(switches) {
  gpus_.resize(static_cast<std::size_t>(cluster.gpu_count()));
  read_nics();
  const auto count = static_cast<GpuId>(cluster.gpu_count());
  for (GpuId gpu = 0; gpu < count; ++gpu) read_gpu(gpu);
  for (GpuId gpu = 0; gpu < count; ++gpu) {
    const auto [first, end] = nics_of(gpu);
    for (NicId shift = 0; shift < end - first; ++shift) {
      const NicId nic = first + (static_cast<NicId>(cluster.rail_of(gpu)) + shift) % (end - first);
      if (!works(gpu, nic)) continue;
      gpus_[gpu].home = nic;
      break;
    }
  }
}

/// Devices come node by node, so those of one node have neighbouring numbers.
void Attachments::read_nics() {
  const Graph& graph = cluster_.graph();
  std::vector<GpuId> gpu_of(cluster_.device_count(), none);
  for (GpuId gpu = 0; gpu < static_cast<GpuId>(cluster_.gpu_count()); ++gpu)
    gpu_of[cluster_.gpu(gpu)] = gpu;
  for (DeviceId id = 0; id < cluster_.device_count(); ++id) {
    if (cluster_.device(id).kind != DeviceKind::nic) continue;
    const auto node = static_cast<std::size_t>(cluster_.device(id).node);
    first_nic_.resize(std::max(first_nic_.size(), node + 1), static_cast<NicId>(nics_.size()));
    Nic nic;
    nic.device = id;
    std::size_t port = 0;
    for (auto [edge, end] = boost::out_edges(id, graph); edge != end; ++edge) {
      const Cable& cable = graph[*edge];
      const DeviceKind kind = graph[cable.to].kind;
      if (is_switch(kind)) {
        CHECK_INVARIANT(port < nic.ports.size());
        const std::uint32_t at = switches_.index_of(cable.to);
        if (!cable.down) nic.ports[port] = {cable.id, at, switches_.part_of(at)};
        nic.rail = cable.rail;
        ++port;
      } else if (kind == DeviceKind::pcie_switch && !cable.down) {
        nic.host = cable.to;
        nic.from_host = back(cable.id);
      } else if (kind == DeviceKind::gpu && !cable.down) {
        const GpuId gpu = gpu_of[cable.to];
        nic.owners.push_back(gpu);
        gpus_[gpu].nic = static_cast<NicId>(nics_.size());
        gpus_[gpu].to_nic = back(cable.id);
      }
    }
    nics_.push_back(std::move(nic));
  }
  first_nic_.resize(cluster_.nodes().size() + 1, static_cast<NicId>(nics_.size()));
}

void Attachments::read_gpu(GpuId gpu) {
  const Graph& graph = cluster_.graph();
  Gpu& out = gpus_[gpu];
  for (auto [edge, end] = boost::out_edges(cluster_.gpu(gpu), graph); edge != end; ++edge) {
    const Cable& cable = graph[*edge];
    const DeviceKind kind = graph[cable.to].kind;
    if (cable.down || (kind != DeviceKind::nvswitch && kind != DeviceKind::pcie_switch)) continue;
    out.hub = cable.to;
    out.to_hub = cable.id;
    out.has_nvswitch = kind == DeviceKind::nvswitch;
  }
}

bool Attachments::displaced(GpuId gpu) const {
  const auto [first, end] = nics_of(gpu);
  return home(gpu) != none && home(gpu) != first + static_cast<NicId>(cluster_.rail_of(gpu));
}

bool Attachments::works(GpuId gpu, NicId nic) const {
  const auto& ports = nics_[nic].ports;
  Hops hops;
  return std::any_of(ports.begin(), ports.end(),
                     [](const Port& port) { return port.wire != no_link; }) &&
         append_to_nic(gpu, nic, hops);
}

std::pair<NicId, NicId> Attachments::nics_of(GpuId gpu) const {
  const auto node = static_cast<std::size_t>(cluster_.node_of(gpu));
  return {first_nic_[node], first_nic_[node + 1]};
}

bool Attachments::append_inside(GpuId from, GpuId to, Hops& hops) const {
  const Gpu& a = gpus_[from];
  const Gpu& b = gpus_[to];
  if (a.hub != none && a.hub == b.hub) {
    hops.insert(hops.end(), {a.to_hub, back(b.to_hub)});
    return true;
  }
  const DeviceId peer = cluster_.gpu(to);
  const Graph& graph = cluster_.graph();
  for (auto [edge, end] = boost::out_edges(cluster_.gpu(from), graph); edge != end; ++edge) {
    if (graph[*edge].to != peer || graph[*edge].down) continue;
    hops.push_back(graph[*edge].id);
    return true;
  }
  return false;
}

bool Attachments::append_to_nic(GpuId gpu, NicId id, Hops& hops) const {
  const Gpu& from = gpus_[gpu];
  const Nic& nic = nics_[id];
  if (from.nic == id) {
    hops.push_back(from.to_nic);
    return true;
  }
  if (nic.host != none && from.hub == nic.host) {
    hops.insert(hops.end(), {from.to_hub, nic.from_host});
    return true;
  }
  for (const GpuId owner : nic.owners) {
    if (!append_inside(gpu, owner, hops)) continue;
    hops.push_back(gpus_[owner].to_nic);
    return true;
  }
  return false;
}

bool Attachments::append_from_nic(NicId nic, GpuId gpu, Hops& hops) const {
  const std::size_t before = hops.size();
  if (!append_to_nic(gpu, nic, hops)) return false;
  const auto added = hops.begin() + static_cast<std::ptrdiff_t>(before);
  std::reverse(added, hops.end());
  std::transform(added, hops.end(), added, back);
  return true;
}

/// Where the peer is on another rail: the NIC of the own node on that rail, if NVSwitch reaches it.
NicId Attachments::in_rail_of(GpuId from, NicId source, NicId target) const {
  const int rail = nics_[target].rail;
  if (rail < 0 || nics_[source].rail == rail || !gpus_[from].has_nvswitch) return source;
  const auto [first, end] = nics_of(from);
  for (NicId nic = first; nic < end; ++nic)
    if (nics_[nic].rail == rail && works(from, nic)) return nic;
  return source;
}

std::optional<std::size_t> Attachments::peer_port(NicId source, std::size_t of_source,
                                                  NicId target) const {
  const Port& out = nics_[source].ports[of_source];
  const auto& in = nics_[target].ports;
  const auto reached = [&](std::size_t port) {
    return in[port].wire != no_link && in[port].part == out.part;
  };
  if (out.wire == no_link) return std::nullopt;
  if (reached(of_source)) return of_source;
  for (std::size_t port = 0; port < in.size(); ++port)
    if (reached(port)) return port;
  return std::nullopt;
}

bool Attachments::meet(Pair pair) const {
  for (std::size_t port = 0; port < nic_ports_max; ++port)
    if (peer_port(pair.source, port, pair.target)) return true;
  return false;
}

std::optional<Attachments::Pair> Attachments::choose(GpuId from, GpuId to, bool pxn) const {
  Pair pair{home(from), home(to)};
  if (pair.source == none || pair.target == none) return std::nullopt;
  if (pxn) pair.source = in_rail_of(from, pair.source, pair.target);
  if (meet(pair)) return pair;
  // Part of the network is cut off: the nearest two NICs, counted from the usual ones, that meet.
  const auto [a, a_end] = nics_of(from);
  const auto [b, b_end] = nics_of(to);
  const NicId of_a = a_end - a;
  const NicId of_b = b_end - b;
  for (NicId shift = 1; shift < of_a + of_b - 1; ++shift)
    for (NicId i = shift < of_b ? 0 : shift - of_b + 1; i <= std::min(shift, of_a - 1); ++i) {
      const Pair other{a + (pair.source - a + i) % of_a, b + (pair.target - b + shift - i) % of_b};
      if (meet(other) && works(from, other.source) && works(to, other.target)) return other;
    }
  return std::nullopt;
}

}  // namespace topology
