#pragma once

#include <map>
#include <optional>
#include <vector>

#include "calibrate/fit/piecewise.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/records.hpp"

/// What was measured at some sizes answers for all sizes, with an honest spread.
namespace calibrate::fit {

/// One measurement of one size.
struct Sample {
  double seconds = 0;
  double deviation = 0;  ///< relative, within the measurement; 0 when unknown
};

/// The typical time of a record, and how its iterations scatter.
Sample sample_of(const Times& times);

/// All measurements of one size, made one.
struct Point {
  double bytes = 0;
  double seconds = 0;  ///< the median, in ascending order with its neighbours of one method
  double spread = 0;   ///< relative standard deviation of the repeats, and of ordering them
  int repeats = 0;
};

/// How far predictions lie from sizes that a fit did not see: every second size predicts the rest.
struct HeldOut {
  int points = 0;
  double interpolated = 0;  ///< median absolute relative error of lines between measured sizes
  double fitted = 0;        ///< the same of the fit
  double spread = 0;        ///< of the better one: its robust relative deviation
  double best() const { return std::min(interpolated, fitted); }
};

/// How a size lies to the measured ones.
enum class Reach { inside, near, far };

struct Estimate {
  double seconds = 0;
  double spread = 0;
  Evidence evidence = Evidence::measured;
  Reach reach = Reach::inside;  ///< far: more than 2x beyond the measured sizes
};

/// A measured size takes its median. Between two of them time is a straight line from one to the
/// other or the piecewise fit, whichever predicts held-out sizes better; straight lines where there
/// are too few sizes to tell. Up to twice beyond the range the fit goes on from the last size;
/// farther too, as a model whose spread grows. More bytes never take less, but where the library
/// changes its method (see method_changes).
class SizeFit {
 public:
  /// \pre not empty; sizes are not negative, times are above 0
  explicit SizeFit(const std::map<double, std::vector<Sample>>& measured);

  Estimate at(double bytes) const;
  const std::vector<Point>& points() const { return points_; }
  const PiecewiseLine& line() const { return line_; }
  /// Robust relative deviation of the medians about the fit.
  double residual_spread() const { return residual_spread_; }
  /// Nothing below 5 sizes.
  const std::optional<HeldOut>& held_out() const { return held_out_; }
  /// What answers between measured sizes: interpolated or fitted.
  Evidence between() const { return between_; }

 private:
  Estimate inside(const Point& below, const Point& above, double bytes) const;
  Estimate beyond(const Point& edge, double bytes) const;

  std::vector<Point> points_;
  PiecewiseLine line_;
  double residual_spread_ = 0;
  std::optional<HeldOut> held_out_;
  Evidence between_ = Evidence::interpolated;
  double usual_gap_ = 1;  ///< doublings from a size to the next
};

}  // namespace calibrate::fit
