#pragma once

#include "calibrate/nccl/tuning.hpp"

namespace calibrate::nccl {

/// Channels that the collectives of a communicator may use: twice those of the smaller of ring and
/// tree, twice again where few fast ones lead out of Hopper nodes, half as many more with CollNet;
/// at most 64 (NCCL 2.28, src/graph/connect.cc).
int channels_of(const topology::NcclGraphs& graphs, int compute_capability, int nodes,
                bool collnet);

/// Blocks of an NVLS kernel: 16 on sm90; on sm100 24, or 32 with several nodes.
int nvls_channels_of(int compute_capability, int nodes);

struct Blocks {
  int channels = 0;
  int threads = 0;  ///< of each

  bool operator==(const Blocks&) const = default;
};

/// What a kernel is launched with after the choice: small sizes take fewer channels, then fewer
/// threads (NCCL 2.28, src/enqueue.cc).
Blocks blocks_of(const Communicator& communicator, CollectiveAlgorithm algorithm, Protocol protocol,
                 double bytes);

}  // namespace calibrate::nccl
