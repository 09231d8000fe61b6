#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/backend.hpp"
#include "calibrate/kernel_curves.hpp"
#include "calibrate/profile.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

struct HardwareProfileOptions {
  /// Which attention kernels run where a kernel is fused and where it is not, by the name of a
  /// curve or of a library; empty: the architecture's usual ones.
  std::string flash_attention;
  std::string unfused_attention;
  /// Price kernels in the middle of a step of so many GPUs, at the clock that the slowest of them
  /// keeps; 0: alone, as tables do.
  int step_gpus = 0;
  /// Who prices collectives; null: NCCL.
  std::shared_ptr<const CollectiveBackend> backend;
};

/// Durations from what is known of a GPU model: its figures and the curves of its architecture.
class HardwareProfile : public Profile {
 public:
  /// `flash` and `unfused` index the lists of the same name in `curves`. \pre backend is not null
  HardwareProfile(topology::GpuSpec gpu, KernelCurves curves, std::size_t flash,
                  std::size_t unfused, std::shared_ptr<const CollectiveBackend> backend);

  bool supports(base::DType type) const override;
  Duration kernel(const base::Kernel& kernel) const override;
  CollectiveCost collective(Collective op, base::Bytes bytes,
                            const GroupShape& shape) const override;
  const std::vector<std::string>& sources() const override { return sources_; }

 private:
  int add_source(const std::string& what, const CurveSource& source);
  Duration priced(base::Seconds time, const CurveSource& curve, int source) const;

  topology::GpuSpec gpu_;
  KernelCurves curves_;
  std::size_t flash_;
  std::size_t unfused_;
  std::shared_ptr<const CollectiveBackend> backend_;
  bool measured_;
  std::vector<std::string> sources_;
  std::map<base::DType, int> gemm_source_;
  int flash_source_ = 0;
  int unfused_source_ = 0;
  int memory_source_ = 0;
  int collective_source_ = 0;  ///< the first of the backend's
};

/// Profile of a GPU with the curves under `hardware_folder` ("scenarios/hardware").
base::Result<std::unique_ptr<Profile>> make_hardware_profile(
    const topology::GpuSpec& gpu, const std::string& hardware_folder,
    const HardwareProfileOptions& options = {});

}  // namespace calibrate
