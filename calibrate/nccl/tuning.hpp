#pragma once

#include <array>

#include "calibrate/nccl/constants.hpp"
#include "topology/hardware.hpp"
#include "topology/nccl_graph.hpp"

namespace calibrate::nccl {

/// All that NCCL knows when it prices its collectives.
struct Communicator {
  Version version = Version::v2_28;
  int ranks = 1;
  int nodes = 1;
  int compute_capability = 90;  ///< lowest of the GPUs, times ten
  bool same_capability = true;  ///< of all GPUs
  /// `unknown` counts as Intel. Nodes of different makers count as AMD.
  topology::CpuVendor cpu = topology::CpuVendor::unknown;
  topology::NcclGraphs graphs;
  int channels = 0;        ///< of the communicator, see channels.hpp
  int nvls_channels = 0;   ///< blocks of NVLS
  bool multicast = false;  ///< NVSwitches that add, and more than one GPU on them (NVLS)
  bool nvswitch = false;
  bool collnet = false;             ///< reduction in the network: NCCL_COLLNET_ENABLE
  bool ll128_c2c = true;            ///< NCCL_LL128_C2C
  double network_overhead_us = -1;  ///< NCCL_NET_OVERHEAD; below 0: NCCL's own by CPU
  bool pat = true;                  ///< NCCL_PAT_ENABLE

  double ranks_per_node() const { return static_cast<double>(ranks) / nodes; }
};

/// CPU time for handing a message of LL or LL128 to the NIC; Simple takes three times as long.
double network_overhead_us(const Communicator& communicator);

/// NCCL's prediction for one algorithm and protocol. 0 bandwidth: there is no such thing.
struct Estimate {
  double latency_us = 0;
  double bandwidth_gbyte = 0;  ///< GB/s of `bytes` as nccl-tests counts them
  bool enabled = false;
};

/// Estimates of one collective, by index_of(algorithm) and index_of(protocol).
using Table = std::array<std::array<Estimate, 3>, 7>;

/// Which pairs the user allows; NCCL_ALGO and NCCL_PROTO.
enum class Allowed : unsigned char { no, yes, by_default };
struct Selection {
  std::array<bool, 7> algorithms{true, true, true, true, true, true, true};
  /// `by_default`: LL128 only where NCCL trusts the machine with it.
  std::array<Allowed, 3> protocols{Allowed::yes, Allowed::by_default, Allowed::yes};

  bool operator==(const Selection&) const = default;
};

/// Whether the table prices the operation: all_reduce, all_gather, reduce_scatter, broadcast,
/// reduce.
bool has_table(Collective op);
bool rooted(Collective op);  ///< broadcast and reduce

/// What the bytes of a broadcast or reduce take to pass all ranks of a ring, one hop each. NCCL's
/// model counts one hop in all where its channels are alike, which is right for a few nodes only.
double chain_us(const Communicator& communicator, Protocol protocol);

/// Whether NCCL has a kernel for it on some machine.
bool implements(CollectiveAlgorithm algorithm, Protocol protocol, Collective op);

/// Latency and bandwidth of every algorithm and protocol. \pre has_table(op); ranks >= 2
Table make_table(const Communicator& communicator, Collective op, const Selection& selection = {});

/// Time in us of one choice: `bytes` are corrected as NCCL does for small ones. Infinite when it is
/// not enabled.
double time_us(const Communicator& communicator, Collective op, const Table& table,
               std::size_t algorithm, std::size_t protocol, double bytes);

struct Choice {
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::ring;
  Protocol protocol = Protocol::simple;
  double latency_us = 0;
  double time_us = 0;
};

/// The fastest, the first of equal ones. Infinite time when nothing is enabled.
Choice choose(const Communicator& communicator, Collective op, const Table& table, double bytes);

}  // namespace calibrate::nccl
