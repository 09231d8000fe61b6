#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/dtype.hpp"
#include "base/units.hpp"

/// The coefficients of the kernel models, read from `scenarios/hardware/kernels/*.yaml`. One file
/// serves one GPU architecture and says on which GPUs it was fitted, on how many points, and how
/// far the points lie from the curve.
namespace calibrate {

/// Where a curve comes from and how far to trust it.
struct CurveSource {
  std::string text;   ///< what was fitted, for people
  int points = 0;     ///< measurements used; 0 for figures taken from publications
  double spread = 0;  ///< relative standard deviation of the measurements about the curve
};

/// Coefficients of `gemm_time`.
struct GemmCurve {
  CurveSource source;
  double efficiency = 0;      ///< share of the tensor-core peak in the main loop of a large tile
  double tile_penalty = 0;    ///< m n/(m+n) of a tile at which loading halves the efficiency
  base::Seconds prologue;     ///< filling and draining the pipeline, per wave of tiles
  base::Seconds launch;       ///< from the end of the kernel before to the first tile
  base::Seconds reduction;    ///< a second pass over the partial sums of a split K loop
  double memory_share = 0;    ///< share of the HBM bandwidth that operands reach
  double throttle = 0;        ///< slowdown of very large GEMMs by the power limit
  double throttle_tflop = 1;  ///< work at which half of `throttle` is felt
};

/// Efficiency by head dimension, straight lines between the given ones.
using ByHeadDim = std::map<int, double>;

/// Coefficients of `flash_attention_time` for one family of kernels.
struct FlashCurve {
  std::string name;                    ///< "flash-attention-2"
  std::vector<std::string> libraries;  ///< as tables of measurements call it
  CurveSource source;
  ByHeadDim forward;  ///< share of the tensor-core peak
  ByHeadDim backward;
  double tile = 128;       ///< queries of one thread block
  double causal_pad = 0;   ///< masked keys computed beyond the diagonal, per query
  base::Seconds prologue;  ///< per thread block
  double tail = 0;         ///< share of the longest block by which the last SM ends late
  base::Seconds launch;
};

/// Coefficients of `unfused_attention_time`: how often the kernels between the two GEMMs move the
/// scores (once is one read or one write), and how often q, k, v and the output are moved to be
/// laid out anew.
struct UnfusedCurve {
  std::string name;  ///< "fused-softmax"
  std::vector<std::string> libraries;
  CurveSource source;
  double score_passes = 0;         ///< forward
  double causal_score_passes = 0;  ///< forward with a causal mask
  double backward_score_passes = 0;
  double operand_passes = 0;
};

/// Coefficients of `memory_bound_time`.
struct MemoryCurve {
  CurveSource source;
  double share = 0;       ///< of the HBM bandwidth, for large tensors
  base::Bytes half_size;  ///< traffic of one kernel that reaches half of `share`
};

struct KernelCurves {
  std::string architecture;       ///< "hopper"; "generic" serves everything without a file
  std::vector<std::string> gpus;  ///< measured ones; for the rest the curve is a model
  /// Share of its isolated speed that a compute-bound kernel keeps in the middle of a step, where
  /// the GPU is hot and at its power limit without a pause.
  double sustained = 1;
  std::string sustained_source;
  double sustained_power = 0;  ///< watts that the limit was then; 0: not said
  /// Relative standard deviation of that share over GPUs of one model: those who wait for each
  /// other go as fast as the slowest.
  double gpu_spread = 0;
  double family_spread = 0;               ///< added (in squares) on a GPU that was not measured
  std::map<base::DType, GemmCurve> gemm;  ///< bf16 is always there and serves the absent ones
  std::vector<FlashCurve> flash;          ///< the first is the default; never empty
  std::vector<UnfusedCurve> unfused;      ///< likewise
  MemoryCurve memory;

  bool measured_on(std::string_view gpu) const;
  /// Turns curves of kernels alone into those of kernels in the middle of a step of so many GPUs,
  /// of which the slowest counts, at a limit of `power` watts (0: the usual one).
  void hold_clock(int step_gpus, double power);
  const GemmCurve& gemm_for(base::DType type) const;
  /// By name or library name; nullptr when there is none.
  const FlashCurve* find_flash(std::string_view name) const;
  const UnfusedCurve* find_unfused(std::string_view name) const;
};

/// Expectation of the largest of so many draws from a standard normal distribution, after G. Blom,
/// "Statistical Estimates and Transformed Beta-Variables" (1958): within 0.03 of the exact value.
double expected_most(int draws);

/// Parser of one file, for tests and fuzzers.
base::Result<KernelCurves> read_kernel_curves(std::string_view yaml, const std::string& file);

/// The curves for an architecture: `FOLDER/kernels/ARCHITECTURE.yaml`, or `generic.yaml` where
/// that file does not exist.
base::Result<KernelCurves> load_kernel_curves(const std::string& hardware_folder,
                                              const std::string& architecture);

}  // namespace calibrate
