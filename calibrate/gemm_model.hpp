#pragma once

#include "base/kernel.hpp"
#include "base/units.hpp"
#include "calibrate/kernel_curves.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// Time of one GEMM launch: the best of a list of tile shapes and splits of the K loop, each
/// priced as launch + max(waves of tiles over the SMs, HBM traffic) + reduction of the splits; and
/// what is added to is read.
/// Grows with m, n, k and batch; never below flop/peak or bytes/bandwidth.
/// \pre the GPU has a peak for `gemm.dtype`.
base::Seconds gemm_time(const base::Gemm& gemm, const topology::GpuSpec& gpu,
                        const GemmCurve& curve);

}  // namespace calibrate
