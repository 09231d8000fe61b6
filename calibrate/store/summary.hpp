#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"

namespace calibrate::store {

/// Rows of a calibration that differ in size, run and version only.
struct MeasuredGroup {
  bool collective = true;
  std::string what;  ///< operation, or kind of kernel
  std::string library;
  std::string device;
  std::string dtype;
  std::string way;       ///< "ring ll128 in place", or the variant of a kernel; may be empty
  Placement placement;   ///< of kernels: `ranks` is KernelRecord::concurrent
  bool in_flop = false;  ///< sizes count Flop (gemm, attention), not bytes
  double from = 0;       ///< smallest and largest size
  double to = 0;
  int rows = 0;
  int dropped = 0;  ///< samples
  int wrong = 0;    ///< rows whose data was wrong

  /// Whether both are of the same thing, whatever its sizes and rows.
  bool same_thing(const MeasuredGroup& other) const;
};

/// The group of one row alone.
MeasuredGroup group_of(const CollectiveRecord& record);
MeasuredGroup group_of(const KernelRecord& record);

/// What was measured: collectives first, each kind in the order of its names.
std::vector<MeasuredGroup> groups_of(const std::vector<RunRecords>& runs);

/// Collectives and kernels that were measured beside each other.
struct MeasuredOverlap {
  MeasuredGroup collective;       ///< without wrong and dropped rows
  MeasuredGroup kernel;           ///< of any size
  double collective_slowed[2]{};  ///< the least and the most, as a multiple of the time alone
  double kernel_slowed[2]{};
};

/// In the order of their names; what was not timed in both ways does not count.
std::vector<MeasuredOverlap> overlaps_of(const std::vector<RunRecords>& runs);

/// Whether the clock went back while it ran: both times are known, and the end is the earlier.
bool ended_before_start(const Run& run);

}  // namespace calibrate::store
