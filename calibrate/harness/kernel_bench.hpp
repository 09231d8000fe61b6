#pragma once

#include <string>
#include <vector>

#include "calibrate/harness/sampling.hpp"

/// Times kernels, on all ranks of a job at once: neighbours on a host share its memory and its
/// power, as in a step.
namespace calibrate::harness {

class KernelBench {
 public:
  /// All of it must outlive this. `world`: null for a single rank.
  KernelBench(const Device& device, const World* world, const StopRule& rule);

  /// One kernel; every rank gets the same record, samples averaged over ranks. A kernel that the
  /// device does not have is a mistake. No sample is left where the device was throttled all the
  /// time: then `times.iterations` is 0.
  base::Result<KernelRecord> measure(const KernelTask& task, const std::string& variant) const;
  /// The same of a task that is ready.
  KernelRecord measure_work(const KernelTask& task, const Device::Work& work) const;
  /// Of samples of all ranks, averaged over them.
  static Times times(const Samples& samples);

 private:
  const Device& device_;
  const World* world_;
  StopRule rule_;
  Sampling sampling_;
  std::string device_name_;
  std::vector<Software> software_;
};

/// Kernels that no scenario asks for: what a calibration of a machine begins with. Matrix products
/// from 128 to 8,192 a side and tall ones, attention of some lengths, every memory-bound kind from
/// 1 MiB to 256 MiB, in `dtype`; a small grid has a fifth of it, for CPU cores.
std::vector<KernelTask> standard_grid(base::DType dtype, bool small);

}  // namespace calibrate::harness
