#pragma once

#include <vector>

namespace calibrate::fit {

/// A quantity known at some places, for other places: the mean of the near ones, weighted by
/// exp(-distance / length) and against each other (simple kriging: D. G. Krige 1951, G. Matheron
/// 1963), drawn to the median of all where nothing is near.
class Kriging {
 public:
  using Place = std::vector<double>;
  struct Options {
    double length = 4;   ///< distance at which values have little to do with each other
    double noise = 0.1;  ///< variance of a value about what is near, over that of all
  };

  /// \pre as many values as places, at least one
  Kriging(std::vector<Place> places, std::vector<double> values, const Options& options);

  double at(const Place& place) const;
  /// What the others say of place `i`.
  double without(std::size_t i) const;

 private:
  double predict(const Place& place, std::size_t left_out) const;

  std::vector<Place> places_;
  std::vector<double> values_;
  Options options_;
  double middle_;
};

}  // namespace calibrate::fit
