#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/kernel.hpp"
#include "calibrate/fit/kriging.hpp"
#include "calibrate/fit/size_fit.hpp"

/// Times of one kind of kernel on one device as a function of its shape.
namespace calibrate::fit {

/// What was measured of one shape.
struct Shape {
  base::Kernel kernel;  ///< a Gemm or an Attention
  double seconds = 0;   ///< median
  double spread = 0;    ///< as Point::spread
};

/// Seconds of a kernel by a formula.
using TimeForm = std::function<double(const base::Kernel&)>;

/// Finds the parameters of a formula for these shapes.
using FormFit = std::function<TimeForm(std::span<const Shape>)>;

/// Shapes with all their measurements made one; in the order of their dimensions.
std::vector<Shape> shapes_of(const std::vector<std::pair<base::Kernel, Sample>>& measured);

/// A formula, and a local correction by what it misses at near shapes: kriging of the log residuals
/// over the logarithms of the dimensions, whose reach is chosen, or which is left out, by what each
/// shape is predicted to take from the others. Shapes that all others contradict do not correct.
class ShapeFit {
 public:
  /// \pre shapes is not empty, all of one kind, none twice
  ShapeFit(std::vector<Shape> shapes, const FormFit& form);

  /// A measured shape takes its median. One that has a measured shape within twice of it in every
  /// dimension is interpolated; others within twice of the range of all dimensions and of the work
  /// are fitted; beyond it is a model.
  Estimate at(const base::Kernel& kernel) const;
  const std::vector<Shape>& shapes() const { return shapes_; }
  /// Robust relative deviation of the shapes about the formula alone.
  double form_spread() const { return form_spread_; }
  /// Robust relative deviation of each shape about what the others say of it.
  double left_out_spread() const { return left_out_spread_; }

 private:
  double predict(const base::Kernel& kernel, const Kriging::Place& place) const;
  void choose_correction(const std::vector<Kriging::Place>& places);

  std::vector<Shape> shapes_;
  std::vector<Kriging::Place> places_;
  TimeForm form_;
  double offset_ = 0;  ///< median log residual, where nothing near tells more
  std::optional<Kriging> correction_;
  double form_spread_ = 0;
  double left_out_spread_ = 0;
  Kriging::Place least_;  ///< of each dimension and of the work, logarithms of 2
  Kriging::Place most_;
};

/// Half of the shapes predict the other half, and the other way round: relative errors. Empty below
/// 8 shapes.
std::vector<double> held_out_errors(const std::vector<Shape>& shapes, const FormFit& form);

}  // namespace calibrate::fit
