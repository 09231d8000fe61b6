#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

/// What NCCL's search over the links of a node ends with: the channels that its collectives use and
/// how fast each is. All that NCCL's cost model knows of a machine.
namespace topology {

/// Shapes of a graph, numbered as in NCCL's graph files.
enum class NcclPattern : std::uint8_t {
  balanced_tree = 1,  ///< parent and one child share a NIC, the other child is one GPU further
  split_tree = 2,     ///< parent and children at different GPUs
  tree = 3,           ///< all at one GPU
  ring = 4,
  nvls = 5,  ///< reduction in the NVSwitch
  collnet_direct = 6,
};

/// The worst link on a way, best first (NCCL 2.28, src/graph/topo.h).
enum class NcclPath : std::uint8_t {
  loc,  ///< the GPU itself
  nvl,  ///< NVLink
  nvb,  ///< NVLink through another GPU
  c2c,  ///< chip to chip
  pix,  ///< one PCIe switch
  pxb,  ///< several PCIe switches
  p2c,  ///< to a NIC over C2C and its host
  pxn,  ///< to a NIC through another GPU
  phb,  ///< through the host
  sys,  ///< from socket to socket
  net,
  dis,  ///< none
};

inline constexpr std::array<std::pair<std::string_view, NcclPath>, 12> nccl_path_names{{
    {"LOC", NcclPath::loc},
    {"NVL", NcclPath::nvl},
    {"NVB", NcclPath::nvb},
    {"C2C", NcclPath::c2c},
    {"PIX", NcclPath::pix},
    {"PXB", NcclPath::pxb},
    {"P2C", NcclPath::p2c},
    {"PXN", NcclPath::pxn},
    {"PHB", NcclPath::phb},
    {"SYS", NcclPath::sys},
    {"NET", NcclPath::net},
    {"DIS", NcclPath::dis},
}};

/// One graph. A graph without channels is not there.
struct NcclGraph {
  NcclPattern pattern = NcclPattern::ring;
  int channels = 0;          ///< as searched; a communicator doubles them
  double speed_intra = 0;    ///< GB/s (10^9 bytes) of one channel inside a node
  double speed_inter = 0;    ///< GB/s of one channel between nodes
  double latency_inter = 0;  ///< us that the network adds to a hop; 0 for InfiniBand and sockets
  NcclPath type_intra = NcclPath::nvl;  ///< worst between GPUs
  NcclPath type_inter = NcclPath::pix;  ///< worst between a GPU and a NIC
  bool same_channels = true;            ///< all channels visit the GPUs in the same order
  int crossnic = 0;                     ///< 1: a channel may leave by another NIC than it came

  bool operator==(const NcclGraph&) const = default;
};

/// The graphs of one communicator.
struct NcclGraphs {
  NcclGraph ring;
  NcclGraph tree;
  NcclGraph collnet_chain;
  NcclGraph nvls;
  NcclGraph collnet_direct;
  int gpus_per_node = 0;      ///< that the ring visits
  bool across_nodes = false;  ///< whether it leaves the node

  bool operator==(const NcclGraphs&) const = default;
};

}  // namespace topology
