#pragma once

#include <span>
#include <vector>

/// Latency and bandwidth over ranges of sizes.
namespace calibrate::fit {

/// Something of `bytes` takes `seconds`.
struct Knot {
  double bytes = 0;
  double seconds = 0;
};

/// t(S) = alpha_i + beta_i S in range i: straight between knots, so continuous. It descends only
/// where a library changes its method, see method_changes.
class PiecewiseLine {
 public:
  struct Segment {
    double from = 0;  ///< bytes
    double to = 0;
    double alpha = 0;  ///< seconds; below 0 where t grows faster than it did before the range
    double beta = 0;   ///< seconds a byte; below 0 from one method to the next
  };

  /// \pre knots is not empty, sizes ascend, times are above 0
  explicit PiecewiseLine(std::vector<Knot> knots);

  /// Seconds. Beyond the knots the first and the last segment go on, and below the first in
  /// proportion to the size at least.
  double at(double bytes) const;
  /// One of slope 0 where there is a single knot.
  const std::vector<Segment>& segments() const { return segments_; }

 private:
  std::vector<Segment> segments_;
};

/// Where a library changes its method (protocol, algorithm) for a quicker one: numbers of the first
/// sizes of the new one. A method takes longer for more bytes, but with the next one more bytes may
/// take less. The three sizes before take longer than the three from there on, each than each, by a
/// quarter at least and by more than the noise of the points could make of them (3 sigma): one size
/// that was disturbed is no method.
std::vector<std::size_t> method_changes(std::span<const Knot> points);

/// Neighbours of one method in the wrong order share the median of their times, until all are in
/// order: robust isotonic regression.
void put_in_order(std::vector<Knot>& knots);

/// Standard deviation of a normal distribution of which as many (68.3 %) lie as near to 0.
/// \pre residuals is not empty
double robust_deviation(std::vector<double> residuals);

/// The middle one, or the mean of the middle two. \pre values is not empty
double median(std::vector<double> values);

/// As few ranges as explain the points: dynamic programming over breakpoints, where each range
/// costs its squared log residuals in units of the noise, cut off at 3 sigma so that outliers do
/// not pull, and 3 log(points) for its three parameters (Bayesian information criterion). The noise
/// is estimated from how far points lie off the line between their neighbours. Each method has
/// ranges of its own.
/// \pre points is not empty, sizes ascend strictly, times are above 0
PiecewiseLine fit_piecewise(std::span<const Knot> points);

}  // namespace calibrate::fit
