#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/dtype.hpp"
#include "base/kernel.hpp"
#include "calibrate/records.hpp"
#include "calibrate/runtime/runtime.h"

/// What kernels are measured and executed on. What fails while something runs throws
/// base::EnvironmentError.
namespace calibrate::harness {

/// A kernel as a runtime launches it.
struct KernelTask {
  std::string kind;  ///< of kernel_kinds
  base::Kernel kernel;
  std::int64_t rows = 0;  ///< of memory-bound kinds, in `dtype`
  std::int64_t columns = 0;
  base::DType dtype = base::DType::fp32;

  bool operator==(const KernelTask&) const = default;
};

/// How a kernel of a step is launched. Traffic of which only the bytes are known is a copy that
/// reads one half of them and writes the other, in as many launches.
KernelTask task_of(const base::Kernel& kernel);

/// A device of a runtime, closed when the last of its works is gone.
class Device {
  struct Opened;

 public:
  /// A kernel with its operands on the device.
  class Work {
   public:
    /// Every launch of the task; done on return where the device is a host.
    void launch(void* stream) const;
    const std::string& library() const { return library_; }
    const std::string& variant() const { return variant_; }

   private:
    friend class Device;
    std::shared_ptr<const Opened> device_;
    std::shared_ptr<void> work_;
    int launches_ = 1;
    std::string library_;
    std::string variant_;
  };

  /// Number `ordinal` of a runtime; one that is not there or does not work is a mistake.
  static base::Result<Device> open(const foreshard_compute& runtime, int ordinal);

  /// Whether its memory is the host's and launches return when the work is done.
  bool host() const;
  int count() const;  ///< of such devices in this machine
  calibrate::Device description() const;
  std::vector<Software> software() const;
  foreshard_sensors sensors() const;
  /// `variant`: empty, "heuristic" or "best". A kernel that the device does not have is a mistake.
  base::Result<Work> prepare(const KernelTask& task, const std::string& variant = {}) const;

  /// Memory of the device, given back with the last owner.
  std::shared_ptr<void> allocate(base::Bytes bytes) const;
  void to_device(void* memory, const void* host, base::Bytes bytes) const;
  void to_host(void* host, const void* memory, base::Bytes bytes) const;
  std::shared_ptr<void> stream() const;  ///< null on a host
  std::shared_ptr<void> event() const;
  void synchronise(void* stream) const;
  void record(void* event, void* stream) const;
  void wait(void* stream, void* event) const;
  double elapsed(void* begin, void* end) const;  ///< seconds

 private:
  explicit Device(std::shared_ptr<const Opened> opened) : opened_(std::move(opened)) {}
  std::shared_ptr<const Opened> opened_;
};

}  // namespace calibrate::harness
