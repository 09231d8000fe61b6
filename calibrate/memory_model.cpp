#include "calibrate/memory_model.hpp"

#include "base/check.hpp"

namespace calibrate {

base::Seconds memory_bound_time(const base::MemoryBound& work, const topology::GpuSpec& gpu,
                                const MemoryCurve& curve) {
  CHECK_INVARIANT(work.kernels >= 0 && work.bytes.count() >= 0);
  // k kernels of b/k bytes each at rate share * x/(x + half): together (b + k half) / share.
  const base::Bytes bytes =
      base::Bytes::from_double(work.bytes.as_double() + curve.half_size.as_double() * work.kernels);
  return gpu.kernel_launch * work.kernels + bytes / (gpu.memory_bandwidth * curve.share);
}

}  // namespace calibrate
