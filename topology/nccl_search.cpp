#include "topology/nccl_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "base/check.hpp"

namespace topology {

namespace {

// Speeds that the search tries, GB/s a channel (NCCL 2.28, src/graph/search.cc).
constexpr std::array intra_old{40., 30., 20., 18., 15., 12., 10., 9., 7., 6., 5., 4., 3.};
constexpr std::array intra_sm90{60., 50., 40., 30., 24., 20., 15., 12., 11., 6., 3.};
constexpr std::array intra_sm100{90., 80., 70., 60., 50., 40., 30., 24., 20., 19., 18.};
constexpr std::array inter_old{48., 30., 28., 24., 20., 18., 15., 12., 10., 9.,
                               7.,  6.,  5.,  4.,  3.,  2.4, 1.2, .24, .12};
constexpr std::array inter_sm90{48., 45., 42., 40., 30., 24., 22., 20., 17.5,
                                15., 12., 6.,  3.,  2.4, 1.2, .24, .12};
constexpr std::array inter_sm100{96.,  48., 45.1, 42., 40., 30., 24., 22., 20.,
                                 17.5, 15., 12.,  6.,  3.,  2.4, 1.2, .24, .12};

constexpr int channels_max = 32;    // of a search: half of MAXCHANNELS
constexpr int nvls_heads_max = 32;  // NCCL_MAX_NVLS_ARITY

std::span<const double> ladder_of(const NcclMachine& m) {
  if (m.nodes == 1) {
    if (m.compute_capability >= 100) return intra_sm100;
    if (m.compute_capability >= 90) return intra_sm90;
    return intra_old;
  }
  if (m.compute_capability >= 100) return inter_sm100;
  if (m.compute_capability >= 90) return inter_sm90;
  return inter_old;
}

double link_speed(int compute_capability) {
  if (compute_capability >= 100) return 40.1;
  if (compute_capability >= 90) return 20.6;
  if (compute_capability == 86) return 12;
  return compute_capability >= 70 ? 20 : 18;
}

double nic_speed(const NcclMachine& m) { return std::min(m.nic_rate_mbit / 8000, m.pcie_gbyte); }

// Whether so many channels find room. A ring or a chain visits g GPUs over g-1 hops in each
// channel when it comes from the network and leaves to it, g when it stays in the node; the
// channels begin at different GPUs, so the links of every GPU carry the same share.
bool fits(const NcclMachine& m, bool closed, int channels, double intra, double inter) {
  constexpr double slack = 1 + 1e-9;
  const double g = m.gpus_per_node;
  if (m.nodes > 1) {
    // Channels spread over the NICs evenly.
    const double of_nic = std::ceil(static_cast<double>(channels) / m.nics);
    if (of_nic * inter > nic_speed(m) * slack) return false;
  }
  const double hops = closed ? g : g - 1;
  return channels * intra * hops / g <= nccl_scale_up_speed(m) * slack;
}

int most_channels(const NcclMachine& m, bool closed, double speed) {
  int channels = 0;
  while (channels < channels_max && fits(m, closed, channels + 1, speed, speed)) ++channels;
  return channels;
}

NcclPath intra_path(const NcclMachine& m) {
  if (m.gpus_per_node == 1) return NcclPath::loc;
  if (m.scale_up == ScaleUpKind::pcie) return m.host_pcie ? NcclPath::phb : NcclPath::pxb;
  return NcclPath::nvl;
}

NcclGraph blank(const NcclMachine& m, NcclPattern pattern) {
  NcclGraph graph;
  graph.pattern = pattern;
  graph.type_intra = intra_path(m);
  graph.type_inter = m.host_pcie ? NcclPath::phb : NcclPath::pxb;
  // Where links lead to single GPUs, only different orders use them all.
  graph.same_channels = m.scale_up != ScaleUpKind::mesh || m.gpus_per_node <= 2;
  return graph;
}

NcclGraph ring_graph(const NcclMachine& m) {
  const std::span<const double> ladder = ladder_of(m);
  const bool closed = m.nodes == 1;
  NcclGraph ring = blank(m, NcclPattern::ring);
  double best = 0;
  for (const double speed : ladder) {
    if (ring.channels > 0 && speed <= 0.49 * ring.speed_intra) break;
    const int channels = most_channels(m, closed, speed);
    if (channels * speed <= best * (1 + 1e-9)) continue;
    best = channels * speed;
    ring.channels = channels;
    ring.speed_intra = ring.speed_inter = speed;
  }
  if (ring.channels == 0) {  // NCCL's own last resort: any order, slowly
    ring.channels = 1;
    ring.speed_intra = ring.speed_inter = 0.1;
    ring.type_intra = ring.type_inter = NcclPath::sys;
    return ring;
  }
  // The same number of channels may go faster: at the other end of the ladder more of them did.
  for (const double speed : ladder)
    if (speed > ring.speed_intra && fits(m, closed, ring.channels, speed, speed)) {
      ring.speed_intra = ring.speed_inter = speed;
      break;
    }
  // Fast channels are split in two, since one block of threads cannot feed them.
  const bool enough = m.compute_capability > 80 && ring.speed_intra < 50 && ring.channels > 4;
  if (ring.speed_intra >= 25 && !enough && 2 * ring.channels <= channels_max) {
    ring.channels *= 2;
    ring.speed_intra /= 2;
    ring.speed_inter /= 2;
  }
  return ring;
}

// As many channels as the ring, the GPUs of a node in a chain. Inside a node they may be up to
// twice as fast as outside, step by step while there is room.
NcclGraph tree_graph(const NcclMachine& m, const NcclGraph& ring) {
  NcclGraph tree = blank(m, m.gpus_per_node == 1 ? NcclPattern::tree : NcclPattern::balanced_tree);
  tree.channels = ring.channels;
  tree.type_intra = ring.type_intra;
  tree.type_inter = ring.type_inter;
  tree.speed_inter = tree.speed_intra = ring.speed_inter;
  if (m.gpus_per_node == 1 || m.nodes == 1) return tree;
  const std::span<const double> ladder = ladder_of(m);
  for (auto speed = ladder.rbegin(); speed != ladder.rend(); ++speed) {
    if (*speed <= tree.speed_intra) continue;
    const bool may = tree.speed_intra < 2 * tree.speed_inter;
    if (!may || !fits(m, false, tree.channels, *speed, tree.speed_inter)) break;
    tree.speed_intra = *speed;
  }
  return tree;
}

// One channel a GPU; each is the head of one and carries one more share for it.
NcclGraph nvls_graph(const NcclMachine& m) {
  NcclGraph nvls = blank(m, NcclPattern::nvls);
  nvls.same_channels = true;
  const int heads = std::min(m.gpus_per_node, nvls_heads_max);
  // Two GPUs gain nothing by it, and NCCL does not try (src/transport/nvls.cc).
  if (!m.multicast || m.scale_up != ScaleUpKind::nvswitch || m.gpus_per_node <= 2) return nvls;
  const auto inside = [&](double speed) {
    return (m.gpus_per_node + 1) * speed <= nccl_scale_up_speed(m);
  };
  const auto outside = [&](double speed) {
    return m.nodes == 1 || std::ceil(static_cast<double>(heads) / m.nics) * speed <= nic_speed(m);
  };
  const std::span<const double> ladder = ladder_of(m);
  const auto first = std::find_if(ladder.begin(), ladder.end(),
                                  [&](double speed) { return inside(speed) && outside(speed); });
  if (first == ladder.end()) return nvls;
  nvls.channels = heads;
  nvls.speed_intra = nvls.speed_inter = *first;
  for (auto speed = first; speed != ladder.begin();) {
    --speed;
    if (nvls.speed_inter >= 2 * nvls.speed_intra || !outside(*speed)) break;
    nvls.speed_inter = *speed;
  }
  return nvls;
}

// Machines whose graphs are known, which hold whatever the rule says: the first two from logs that
// people published, the others worked out by hand from the search's rules.
struct KnownMachine {
  int compute_capability;
  int gpus_per_node;
  bool one_node;
  int nics;
  double nic_rate_mbit;
  int channels;
  double speed;
};
constexpr std::array<KnownMachine, 6> known_machines{{
    {90, 8, true, 0, 0, 12, 30},       // 8 x H100 or H200
    {80, 8, true, 0, 0, 12, 20},       // 8 x A100
    {100, 8, true, 0, 0, 16, 45},      // 8 x B200
    {90, 8, false, 8, 400000, 8, 48},  // nodes of 8 x H100 with 8 x 400 Gbit/s
    {80, 8, false, 8, 200000, 8, 24},  // nodes of 8 x A100 with 8 x 200 Gbit/s
    {80, 1, false, 1, 100000, 1, 12},  // nodes of one A100 with 100 Gbit/s
}};

const KnownMachine* known_machine(const NcclMachine& m) {
  if (m.gpus_per_node > 1 && (m.scale_up != ScaleUpKind::nvswitch || m.amd_gpu)) return nullptr;
  // All links of its GPUs, not a machine of the same GPUs with fewer.
  constexpr double links_sm100 = 900;
  const double whole = m.compute_capability >= 100  ? links_sm100
                       : m.compute_capability >= 90 ? 450
                                                    : 300;
  if (m.gpus_per_node > 1 && std::abs(m.scale_up_gbyte / whole - 1) > 0.01) return nullptr;
  const auto same = [&](const KnownMachine& known) {
    return known.compute_capability == m.compute_capability &&
           known.gpus_per_node == m.gpus_per_node && known.one_node == (m.nodes == 1) &&
           (known.one_node ||
            (known.nics == m.nics && std::abs(m.nic_rate_mbit / known.nic_rate_mbit - 1) < 0.01));
  };
  const auto found = std::find_if(known_machines.begin(), known_machines.end(), same);
  return found == known_machines.end() ? nullptr : &*found;
}

}  // namespace

double nccl_scale_up_speed(const NcclMachine& m) {
  const bool nvlink = !m.amd_gpu && m.scale_up != ScaleUpKind::pcie;
  if (!nvlink) return m.scale_up_gbyte * m.scale_up_efficiency;
  const double raw_link = m.compute_capability >= 100 ? 50 : 25;
  return m.scale_up_gbyte / raw_link * link_speed(m.compute_capability);
}

NcclGraphs nccl_graphs_by_rule(const NcclMachine& machine) {
  CHECK_INVARIANT(machine.gpus_per_node >= 1 && machine.nodes >= 1);
  CHECK_INVARIANT(machine.nodes == 1 || machine.nics >= 1);
  NcclGraphs graphs;
  graphs.ring = ring_graph(machine);
  graphs.tree = tree_graph(machine, graphs.ring);
  graphs.nvls = nvls_graph(machine);
  graphs.gpus_per_node = machine.gpus_per_node;
  graphs.across_nodes = machine.nodes > 1;
  return graphs;
}

NcclGraphs nccl_graphs(const NcclMachine& machine) {
  NcclGraphs graphs = nccl_graphs_by_rule(machine);
  if (const KnownMachine* known = known_machine(machine)) {
    graphs.ring.channels = graphs.tree.channels = known->channels;
    graphs.ring.speed_intra = graphs.ring.speed_inter = known->speed;
    graphs.tree.speed_inter = known->speed;
    graphs.tree.speed_intra = std::max(graphs.tree.speed_intra, known->speed);
  }
  return graphs;
}

}  // namespace topology
