#pragma once

#include <functional>
#include <vector>

namespace calibrate::fit {

/// The simplex method of J. A. Nelder and R. Mead (1965) from a simplex of edge `step` about
/// `start`: a point with a small value, after so many evaluations. \pre start is not empty
std::vector<double> minimise(const std::function<double(const std::vector<double>&)>& value,
                             const std::vector<double>& start, double step, int evaluations);

}  // namespace calibrate::fit
