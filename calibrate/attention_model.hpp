#pragma once

#include "base/kernel.hpp"
#include "base/units.hpp"
#include "calibrate/kernel_curves.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// Time of fused attention (FlashAttention, Dao 2022 and 2023): thread blocks of `tile` queries
/// over the SMs, each with a prologue and its share of the visible keys.
/// \pre the GPU has a peak for `attention.dtype`.
base::Seconds flash_attention_time(const base::Attention& attention, const topology::GpuSpec& gpu,
                                   const FlashCurve& curve);

/// Time of attention whose scores go through memory: two batched GEMMs over the full square (four
/// in backward), and between them the traffic of mask, softmax and dropout.
base::Seconds unfused_attention_time(const base::Attention& attention, const topology::GpuSpec& gpu,
                                     const KernelCurves& curves, const UnfusedCurve& curve);

}  // namespace calibrate
