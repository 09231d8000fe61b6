#pragma once

#include "calibrate/nccl/tuning.hpp"

namespace calibrate::nccl {

inline topology::NcclGraph graph(topology::NcclPattern pattern, int channels, double intra,
                                 double inter) {
  topology::NcclGraph out;
  out.pattern = pattern;
  out.channels = channels;
  out.speed_intra = intra;
  out.speed_inter = inter;
  return out;
}

/// A communicator with as many ring channels as tree channels, all at one speed.
inline Communicator communicator(int nodes, int gpus, int capability, int searched, double speed,
                                 int channels) {
  Communicator c;
  c.ranks = nodes * gpus;
  c.nodes = nodes;
  c.compute_capability = capability;
  c.cpu = topology::CpuVendor::intel;
  c.graphs.ring = graph(topology::NcclPattern::ring, searched, speed, speed);
  c.graphs.tree = graph(topology::NcclPattern::balanced_tree, searched, speed, speed);
  c.channels = channels;
  c.nvls_channels = 16;
  c.nvswitch = true;
  return c;
}

inline Communicator with_nvls(Communicator c, double intra, double inter) {
  c.graphs.nvls = graph(topology::NcclPattern::nvls, 8, intra, inter);
  c.multicast = true;
  return c;
}

// The machines whose prices were printed by NCCL 2.28.9's own tuning unit.
inline Communicator eight_h100() { return with_nvls(communicator(1, 8, 90, 12, 30, 24), 40, 60); }
inline Communicator eight_a100() { return communicator(1, 8, 80, 12, 20, 24); }
inline Communicator eight_b200() { return with_nvls(communicator(1, 8, 100, 16, 45, 32), 80, 90); }
inline Communicator h100_nodes(int nodes) {
  return with_nvls(communicator(nodes, 8, 90, 8, 48, 16), 40, 48);
}
inline Communicator four_a100_nodes_amd() {
  Communicator c = communicator(4, 8, 80, 8, 24, 16);
  c.cpu = topology::CpuVendor::amd;
  return c;
}
/// One GPU a node: no links inside, which counts as PCIe, and a plain tree.
inline Communicator four_single_a100() {
  Communicator c = communicator(4, 1, 80, 1, 12, 2);
  c.graphs.tree.pattern = topology::NcclPattern::tree;
  c.graphs.ring.type_intra = c.graphs.tree.type_intra = topology::NcclPath::loc;
  return c;
}

/// Case A to I of the golden values.
inline Communicator golden(char name) {
  switch (name) {
    case 'A': return eight_h100();
    case 'B': return eight_a100();
    case 'C': return eight_b200();
    case 'D': return h100_nodes(2);
    case 'E': return h100_nodes(4);
    case 'F': return h100_nodes(16);
    case 'G': return h100_nodes(128);
    case 'H': return four_a100_nodes_amd();
    default: return four_single_a100();
  }
}

}  // namespace calibrate::nccl
