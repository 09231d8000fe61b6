#include "calibrate/nccl/channels.hpp"

#include <algorithm>

namespace calibrate::nccl {

namespace {

constexpr int channels_max = 64;

int threads_of(const Communicator& c, CollectiveAlgorithm algorithm, Protocol protocol) {
  if (algorithm == CollectiveAlgorithm::nvls || algorithm == CollectiveAlgorithm::nvls_tree ||
      algorithm == CollectiveAlgorithm::collnet_direct ||
      algorithm == CollectiveAlgorithm::collnet_chain)
    return 640;
  if (protocol == Protocol::ll128) return 640;
  constexpr double slow_ring = 12;  // GB/s: PCIe needs fewer threads
  const topology::NcclGraph& ring = c.graphs.ring;
  const bool slow = algorithm == CollectiveAlgorithm::ring && protocol == Protocol::simple &&
                    ring.channels * ring.speed_intra <= slow_ring;
  return slow ? 256 : 512;
}

// Bytes that are worth a thread.
double bytes_a_thread(const Communicator& c, CollectiveAlgorithm algorithm, Protocol protocol) {
  if (algorithm == CollectiveAlgorithm::collnet_direct ||
      algorithm == CollectiveAlgorithm::collnet_chain)
    return 512;
  if (protocol == Protocol::simple) return 64;
  const bool ring_ll = algorithm == CollectiveAlgorithm::ring && protocol == Protocol::ll;
  return ring_ll ? 8.0 * c.ranks : 8.0;
}

}  // namespace

int channels_of(const topology::NcclGraphs& graphs, int compute_capability, int nodes,
                bool collnet) {
  int channels =
      2 * (graphs.tree.channels > 0 ? std::min(graphs.ring.channels, graphs.tree.channels)
                                    : graphs.ring.channels);
  if (compute_capability >= 90 && nodes > 1 && graphs.ring.speed_intra > 45 && channels < 16)
    channels *= 2;
  if (collnet) channels += channels / 2;
  return std::min(channels, channels_max);
}

int nvls_channels_of(int compute_capability, int nodes) {
  if (compute_capability < 100) return 16;
  return nodes == 1 ? 24 : 32;
}

Blocks blocks_of(const Communicator& c, CollectiveAlgorithm algorithm, Protocol protocol,
                 double bytes) {
  Blocks blocks{c.channels, threads_of(c, algorithm, protocol)};
  if (algorithm == CollectiveAlgorithm::nvls || algorithm == CollectiveAlgorithm::nvls_tree)
    return {c.nvls_channels, blocks.threads};
  // PAT never sets its threads in 2.28.9, so that nothing is taken away for small sizes.
  if (algorithm == CollectiveAlgorithm::pat) return blocks;
  const double enough = bytes_a_thread(c, algorithm, protocol);
  while (bytes < static_cast<double>(blocks.channels) * blocks.threads * enough) {
    if (blocks.channels > 1)
      --blocks.channels;
    else if (blocks.threads % 128 == 0)
      blocks.threads /= 2;
    else
      break;
  }
  return blocks;
}

}  // namespace calibrate::nccl
