#pragma once

#include "calibrate/fit/shape_fit.hpp"
#include "topology/hardware.hpp"

namespace calibrate::fit {

/// launch + work / rate + bytes / bandwidth: of a device of which nothing else is known, and of
/// attention.
TimeForm fit_plain_form(std::span<const Shape> shapes);

/// `gemm_time` of this GPU, with tiles, waves and splits; its coefficients fitted.
/// \pre the shapes are GEMMs in a format that the GPU has a peak for
TimeForm fit_gemm_form(std::span<const Shape> shapes, const topology::GpuSpec& gpu);

}  // namespace calibrate::fit
