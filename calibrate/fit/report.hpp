#pragma once

#include <map>
#include <span>

#include "calibrate/fit/collective_fit.hpp"
#include "calibrate/fit/kernel_fit.hpp"

namespace calibrate::fit {

/// Every key of a calibration fitted, with held-out errors: what `calibrate fit` tells.
struct Report {
  struct Shapes {
    int points = 0;
    double error = 0;  ///< median absolute relative error of shapes predicted by the other half
  };

  CollectiveFits collectives;
  SizeFits sizes;
  ShapeFits products;
  std::map<KernelKey, Shapes> held_out;  ///< of products, where there are enough shapes
};

Report report_of(std::span<const RunRecords> runs, const topology::HardwareRegistry& registry);

}  // namespace calibrate::fit
