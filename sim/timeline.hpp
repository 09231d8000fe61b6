#pragma once

#include <cstdint>
#include <vector>

#include "base/units.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// When one task of one rank ran. For a collective or message, `ready` is when this rank arrived
/// and `begin` when the last of its members had: ready to begin is waiting, begin to end is
/// transfer.
struct Span {
  double ready = 0;
  double begin = 0;
  double end = 0;
  /// Of a segment: seconds that collectives beside it cost its kernels. Of a collective on a stream
  /// of its own: seconds that kernels beside it cost it.
  double slowed = 0;
};

/// When everything happened: the outcome of any executor.
struct Timeline {
  base::Seconds step;                     ///< end of the last task of the last rank
  std::vector<std::uint32_t> first_span;  ///< per rank, offset into spans; ranks + 1 entries
  std::vector<Span> spans;                ///< per rank, one per task of its program, same order
  /// Bytes that crossed each link of the cluster graph; empty from an executor without links.
  std::vector<double> link_bytes;
  /// Seconds in which a link was asked for more than its rate, and seconds that its transfers would
  /// have saved had it been wide enough; by LinkId, empty from an executor without links.
  std::vector<double> link_busy_s;
  std::vector<double> link_lost_s;
  /// Bytes that crossed scale-up links inside collectives executed as durations (no flows).
  double private_bytes = 0;
  int actors = 0;  ///< ranks played: one of each class of ranks that are alike
  /// For the scaling benchmark: durations and transfers that were simulated; of these, transfers
  /// over links that may hold them up; of these, transfers that had to share a link and so went
  /// through SimGrid.
  std::uint64_t activities = 0;
  std::uint64_t transfers = 0;
  std::uint64_t shared_transfers = 0;

  const Span& span(int rank, std::uint32_t task) const {
    return spans[first_span[static_cast<std::size_t>(rank)] + task];
  }
};

}  // namespace sim
