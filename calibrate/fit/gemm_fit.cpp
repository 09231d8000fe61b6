#include "calibrate/fit/gemm_fit.hpp"

#include <algorithm>
#include <cmath>

#include "calibrate/fit/minimise.hpp"
#include "calibrate/gemm_model.hpp"

namespace calibrate::fit {

namespace {

constexpr std::size_t shapes_most = 256;  // more do not make so few coefficients better known

/// Evenly over the list.
std::vector<Shape> thinned(std::span<const Shape> shapes) {
  const std::size_t stride = (shapes.size() + shapes_most - 1) / shapes_most;
  std::vector<Shape> some;
  for (std::size_t i = 0; i < shapes.size(); i += stride) some.push_back(shapes[i]);
  return some;
}

/// Mean of the log residuals' absolute values, of which none counts more than that of a factor of
/// e: an outlier does not pull.
template <class Form>
double miss(const std::vector<Shape>& shapes, const Form& form) {
  double sum = 0;
  for (const Shape& shape : shapes)
    sum += std::min(std::abs(std::log(form(shape.kernel) / shape.seconds)), 1.0);
  return sum / static_cast<double>(shapes.size());
}

struct Plain {
  double launch = 0;
  double per_flop = 0;
  double per_byte = 0;

  double operator()(const base::Kernel& kernel) const {
    return launch + base::flop_of(kernel).count() * per_flop +
           base::bytes_of(kernel).as_double() * per_byte;
  }
};

/// Coefficients that are fitted by their logarithms, so that they stay positive.
GemmCurve curve_of(const std::vector<double>& logs) {
  GemmCurve curve;
  curve.efficiency = std::exp(logs[0]);
  curve.tile_penalty = std::exp(logs[1]);
  curve.prologue = base::Seconds::from_s(std::exp(logs[2]));
  curve.launch = base::Seconds::from_s(std::exp(logs[3]));
  curve.reduction = base::Seconds::from_s(std::exp(logs[4]));
  curve.memory_share = std::exp(logs[5]);
  curve.throttle = std::exp(logs[6]);
  return curve;
}

}  // namespace

TimeForm fit_plain_form(std::span<const Shape> shapes) {
  const std::vector<Shape> some = thinned(shapes);
  // Where to begin: the quickest shape is all launch, the best rates are those of the device.
  Plain begin{some.front().seconds, some.front().seconds, some.front().seconds};
  for (const Shape& shape : some) {
    begin.launch = std::min(begin.launch, shape.seconds);
    begin.per_flop = std::min(begin.per_flop,
                              shape.seconds / std::max(base::flop_of(shape.kernel).count(), 1.0));
    begin.per_byte = std::min(
        begin.per_byte, shape.seconds / std::max(base::bytes_of(shape.kernel).as_double(), 1.0));
  }
  const auto plain_of = [&](const std::vector<double>& logs) {
    return Plain{begin.launch * std::exp(logs[0]), begin.per_flop * std::exp(logs[1]),
                 begin.per_byte * std::exp(logs[2])};
  };
  const auto value = [&](const std::vector<double>& logs) { return miss(some, plain_of(logs)); };
  constexpr int evaluations = 300;
  std::vector<double> logs = minimise(value, {-0.7, 0.2, -0.7}, 0.7, evaluations);
  return plain_of(minimise(value, logs, 0.2, evaluations));
}

TimeForm fit_gemm_form(std::span<const Shape> shapes, const topology::GpuSpec& gpu) {
  const std::vector<Shape> some = thinned(shapes);
  const auto form_of = [gpu](const std::vector<double>& logs) {
    return [gpu, curve = curve_of(logs)](const base::Kernel& kernel) {
      return gemm_time(std::get<base::Gemm>(kernel), gpu, curve).s();
    };
  };
  const auto value = [&](const std::vector<double>& logs) { return miss(some, form_of(logs)); };
  // What curves of GPUs have: 75 % of the peak, 1, 3 and 2 us, 80 % of the bandwidth, no throttle
  // to speak of.
  const std::vector<double> begin{std::log(0.75), std::log(10.0), std::log(1e-6), std::log(3e-6),
                                  std::log(2e-6), std::log(0.8),  std::log(0.05)};
  constexpr int evaluations = 300;
  const std::vector<double> logs = minimise(value, begin, 0.3, evaluations);
  return form_of(minimise(value, logs, 0.1, evaluations));
}

}  // namespace calibrate::fit
