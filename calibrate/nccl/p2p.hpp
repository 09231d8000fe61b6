#pragma once

#include "calibrate/nccl/tuning.hpp"

namespace calibrate::nccl {

/// What messages between single ranks run over. Rates in GB/s, one direction, usable.
struct Paths {
  int ranks = 2;
  int nodes = 1;
  int ranks_per_node = 2;
  topology::ScaleUpKind scale_up = topology::ScaleUpKind::nvswitch;
  double gpu_gbyte = 0;   ///< a GPU with all others of its node
  double pair_gbyte = 0;  ///< a GPU with one other
  double link_gbyte = 0;  ///< one NVLink; 0 where there are none
  double node_gbyte = 0;  ///< the NICs that the ranks of a node use, together
  double nic_gbyte = 0;   ///< one of them

  bool operator==(const Paths&) const = default;
};

/// Price of a send/recv, all-to-all, gather or scatter.
struct P2pCost {
  Protocol protocol = Protocol::simple;
  double latency_us = 0;
  double time_us = 0;
  int channels = 0;
};

/// NCCL has no table for these: each is a group of messages between pairs (2.28, all-to-all,
/// gather and scatter too). Modelled here, with NCCL's constants but by our own formula:
///   time = latency + max(bytes / rate over NVLink, bytes / rate over NICs, posting) + one chunk
/// - latency: base and hop of a ring, in LL or Simple; LL for messages of at most 16 KiB a channel,
///   at half the rate, never across nodes (NCCL's buffers for it are missing there). No message
///   is priced above the smallest one in Simple, so that more bytes never cost less.
/// - posting: the CPU hands the messages of a rank to its NIC one after the other.
/// - one chunk: a message lies in a buffer of the receiver before it is copied out, so what all
///   channels hold at once comes last. 512 KiB a channel over NVLink, 128 KiB elsewhere.
/// The last two terms were chosen with published all-to-alls in view (8 H100, 8 A100, and Polaris
/// for posting), so those sweeps are no independent test of them. Across nodes nothing is known of
/// what a network loses to its line rate: Polaris takes twice as long as this says.
/// `bytes` as nccl-tests counts them. \pre ranks >= 2; op is one of the four.
P2pCost p2p_cost(const Communicator& communicator, const Paths& paths, Collective op, double bytes);

/// Channels for messages: twice the NVLinks of a GPU, to the next power of two, at most 32 (as the
/// log of a DGX H100 says); two where there are none.
int p2p_channels(const Paths& paths);

}  // namespace calibrate::nccl
