#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/store/summary.hpp"

/// What changed between two calibrations.
namespace calibrate::store {

/// Beyond so many standard errors a change is no chance: with normal noise one in 370 is.
inline constexpr double errors_to_be_sure = 3;
/// A change below 1 % is called none, however sure it is.
inline constexpr double change_that_counts = 0.01;

/// Where a change of 10 % could be chance, one that is not sure is not called none either.
inline constexpr double change_to_be_seen = 0.1;

enum class Verdict {
  same,
  slower,
  faster,
  unsure,  ///< it differs, but how far repetitions spread is unknown, or too much
  only_in_a,
  only_in_b,
};

std::string_view name_of(Verdict verdict);

/// One size (or shape) that both have measured.
struct ChangedRow {
  /// "1048576 bytes", or the shape of a kernel; of a kernel beside a collective also its size.
  std::string size;
  /// Typical time in A, seconds; the median when it was measured several times. Beside something
  /// else it is a mean, see slowed.
  double before = 0;
  double after = 0;             ///< in B
  double drift = 0;             ///< of the logarithms: above 0 when B is slower
  std::optional<double> error;  ///< standard, of `drift`; nothing when a side tells no spread
  Verdict verdict = Verdict::same;
};

/// All sizes of the same thing: the same operation, library, device, type and placement, or kernel,
/// library, device and variant; alone, or beside the same other thing. Versions of libraries may
/// differ.
struct ChangedGroup {
  MeasuredGroup of;  ///< its sizes and rows are those of A, or of B where A has none
  std::optional<MeasuredGroup> beside;  ///< what ran at once with it, of any size
  std::vector<ChangedRow> rows;         ///< sizes in both
  int only_in_a = 0;                    ///< sizes
  int only_in_b = 0;
  double drift = 0;             ///< mean of the rows'
  std::optional<double> error;  ///< of `drift`
  Verdict verdict = Verdict::same;

  int count(Verdict which) const;
};

struct Difference {
  std::vector<ChangedGroup> groups;
  int compared = 0;  ///< groups with a size in both
  int slower = 0;
  int faster = 0;
  int unsure = 0;
  double drift = 0;  ///< median of those of the groups that were compared

  bool drifted() const { return slower + faster > 0; }
};

/// A change in parts of the time before: exp(drift) - 1.
double change_of(double drift);

/// Compares rows that a fit could rest on.
///
/// The error of a typical time is its standard deviation over the root of the number of samples,
/// 1.2533 times that for a median (its asymptotic efficiency with normal noise is 2/pi). The error
/// of a group is the larger of what those of its rows give and of what the scatter of its rows,
/// from three on, gives: changes of single sizes are not taken for a drift of all. Errors of few
/// values are widened as Student's t is wider than the normal distribution.
Difference difference(const std::vector<RunRecords>& a, const std::vector<RunRecords>& b);

}  // namespace calibrate::store
