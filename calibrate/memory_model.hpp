#pragma once

#include "base/kernel.hpp"
#include "base/units.hpp"
#include "calibrate/kernel_curves.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// Time of kernels bounded by HBM traffic: each one's launch, then bytes at the share of the
/// bandwidth that a kernel of its size reaches, share * b / (b + half_size).
base::Seconds memory_bound_time(const base::MemoryBound& work, const topology::GpuSpec& gpu,
                                const MemoryCurve& curve);

}  // namespace calibrate
