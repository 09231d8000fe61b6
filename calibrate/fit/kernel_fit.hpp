#pragma once

#include <compare>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "calibrate/fit/basis.hpp"
#include "calibrate/fit/shape_fit.hpp"
#include "calibrate/fit/size_fit.hpp"
#include "calibrate/records.hpp"
#include "topology/hardware.hpp"

namespace calibrate::fit {

/// What is fitted together: records that differ in shape only.
struct KernelKey {
  std::string device;
  std::string library;
  std::string variant;
  std::string kind;  ///< of kernel_kinds
  base::DType dtype = base::DType::bf16;
  bool backward = false;  ///< of attention, as the next
  bool flash = true;
  int concurrent = 1;

  auto operator<=>(const KernelKey&) const = default;
};

/// "gemm bf16 on H100-SXM5-80GB, cuBLASLt 13.1 heuristic".
std::string describe(const KernelKey& key, const std::string& version);

/// Whether the kind is bounded by memory traffic, and priced by it alone.
bool moves_memory(std::string_view kind);

template <class Fit>
struct FittedKernel {
  Fit fit;
  Basis basis;
};

/// Of everything that is not a matrix product: seconds of one launch by the bytes that it moves.
using SizeFits = std::map<KernelKey, FittedKernel<SizeFit>>;
using ShapeFits = std::map<KernelKey, FittedKernel<ShapeFit>>;

/// Times of one key, of GEMMs or attention.
using MeasuredShapes = std::vector<std::pair<base::Kernel, Sample>>;

/// The formula for a kind of kernel: that of the GPU where the registry has it, else the plain one.
FormFit form_of(const KernelKey& key, const topology::HardwareRegistry& registry);

ShapeFits fit_shapes(std::span<const RunRecords> runs, const topology::HardwareRegistry& registry);
SizeFits fit_sizes(std::span<const RunRecords> runs);
/// The same with all kinds that move memory as one, "memory": a step knows the traffic of such a
/// kernel and not its kind. Where several do the same at once, apart.
SizeFits fit_memory(std::span<const RunRecords> runs);

}  // namespace calibrate::fit
