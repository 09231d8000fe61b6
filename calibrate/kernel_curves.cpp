#include "calibrate/kernel_curves.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "base/check.hpp"
#include "base/document.hpp"
#include "base/map_reader.hpp"

namespace calibrate {

namespace {

using base::MapReader;
using base::Range;

constexpr Range<double> share{0.01, 1.0};
constexpr Range<double> positive{1e-6, 1e9};

void read_source(MapReader& reader, CurveSource& out) {
  reader.require("source", out.text);
  reader.require("points", out.points, Range<int>{0, 1'000'000'000});
  reader.require("spread", out.spread, Range<double>{0.0, 2.0});
}

GemmCurve read_gemm(MapReader& reader) {
  GemmCurve curve;
  read_source(reader, curve.source);
  reader.require("efficiency", curve.efficiency, share);
  reader.require("tile_penalty", curve.tile_penalty, Range<double>{0.0, 1000.0});
  reader.require("prologue", curve.prologue);
  reader.require("launch", curve.launch);
  reader.require("reduction", curve.reduction);
  reader.require("memory_share", curve.memory_share, share);
  reader.require("throttle", curve.throttle, Range<double>{0.0, 1.0});
  reader.require("throttle_tflop", curve.throttle_tflop, positive);
  reader.finish();
  return curve;
}

void read_by_head_dim(MapReader& parent, std::string_view key, ByHeadDim& out) {
  std::optional<MapReader> reader = parent.required_map(key);
  if (!reader) return;
  for (const std::string_view name : reader->keys()) {
    int head_dim = 0;
    const auto [end, status] = std::from_chars(name.data(), name.data() + name.size(), head_dim);
    double value = 0;
    const bool is_number = status == std::errc() && end == name.data() + name.size();
    if (!is_number || head_dim < 1) {
      reader->find(name);
      reader->error(name, fmt::format("'{}' is not a head dimension", name));
    } else if (reader->read(name, value, share)) {
      out[head_dim] = value;
    }
  }
  if (out.empty()) parent.error(key, fmt::format("'{}' has no head dimension", key));
}

FlashCurve read_flash(MapReader& reader) {
  FlashCurve curve;
  read_source(reader, curve.source);
  reader.require("name", curve.name);
  reader.read("libraries", curve.libraries);
  read_by_head_dim(reader, "forward", curve.forward);
  read_by_head_dim(reader, "backward", curve.backward);
  reader.require("tile", curve.tile, Range<double>{1.0, 1024.0});
  reader.require("causal_pad", curve.causal_pad, Range<double>{0.0, 1024.0});
  reader.require("prologue", curve.prologue);
  reader.require("tail", curve.tail, Range<double>{0.0, 1.0});
  reader.require("launch", curve.launch);
  reader.finish();
  return curve;
}

UnfusedCurve read_unfused(MapReader& reader) {
  constexpr Range<double> passes{0.0, 100.0};
  UnfusedCurve curve;
  read_source(reader, curve.source);
  reader.require("name", curve.name);
  reader.read("libraries", curve.libraries);
  reader.require("score_passes", curve.score_passes, passes);
  reader.require("causal_score_passes", curve.causal_score_passes, passes);
  reader.require("backward_score_passes", curve.backward_score_passes, passes);
  reader.require("operand_passes", curve.operand_passes, passes);
  reader.finish();
  return curve;
}

void read_memory(MapReader& reader, MemoryCurve& out) {
  read_source(reader, out.source);
  reader.require("share", out.share, share);
  reader.require("half_size", out.half_size);
  reader.finish();
}

void read_gemms(MapReader& root, std::map<base::DType, GemmCurve>& out) {
  std::optional<MapReader> gemm = root.required_map("gemm");
  if (!gemm) return;
  for (const auto& [name, type] : base::dtype_names)
    if (std::optional<MapReader> reader = gemm->map(name)) out[type] = read_gemm(*reader);
  gemm->finish();
  if (!out.contains(base::DType::bf16))
    gemm->error("bf16", "'gemm.bf16' is missing", "it serves every number format without its own");
}

// By name or by one of its libraries.
template <class Curve>
const Curve* find_curve(const std::vector<Curve>& curves, std::string_view name) {
  for (const Curve& curve : curves) {
    const auto& names = curve.libraries;
    if (curve.name == name || std::find(names.begin(), names.end(), name) != names.end())
      return &curve;
  }
  return nullptr;
}

template <class Curve, class Read>
std::vector<Curve> read_list(MapReader& root, std::string_view key, Read read) {
  std::vector<Curve> curves;
  for (MapReader& reader : root.maps(key)) curves.push_back(read(reader));
  if (curves.empty()) root.error(key, fmt::format("'{}' must list at least one kernel", key));
  return curves;
}

}  // namespace

bool KernelCurves::measured_on(std::string_view gpu) const {
  return std::find(gpus.begin(), gpus.end(), gpu) != gpus.end();
}

const GemmCurve& KernelCurves::gemm_for(base::DType type) const {
  const auto own = gemm.find(type);
  if (own != gemm.end()) return own->second;
  CHECK_INVARIANT(gemm.contains(base::DType::bf16));
  return gemm.at(base::DType::bf16);
}

const FlashCurve* KernelCurves::find_flash(std::string_view name) const {
  return find_curve(flash, name);
}

double expected_most(int draws) {
  return boost::math::quantile(boost::math::normal(), (draws - 0.375) / (draws + 0.25));
}

void KernelCurves::hold_clock(int step_gpus, double power) {
  sustained *= 1 - gpu_spread * expected_most(step_gpus);
  // Power grows with the clock and the square of the voltage, which grows with the clock.
  if (power > 0 && power < sustained_power) sustained *= std::cbrt(power / sustained_power);
  // The controller is slower than a kernel: matrix products of all sizes run at one clock, which
  // light kernels between them let rise.
  constexpr double share_of_large = 0.3;
  for (auto& [type, curve] : gemm) {
    curve.throttle *= share_of_large;
    curve.throttle_tflop = 0;
  }
}

const UnfusedCurve* KernelCurves::find_unfused(std::string_view name) const {
  return find_curve(unfused, name);
}

base::Result<KernelCurves> read_kernel_curves(std::string_view yaml, const std::string& file) {
  const base::Result<base::Document> document = base::parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  base::Diagnostics problems;
  MapReader root(*document, document->root, "", problems);
  KernelCurves curves;
  root.require("architecture", curves.architecture);
  root.read("measured_on", curves.gpus);
  root.require("family_spread", curves.family_spread, Range<double>{0.0, 2.0});
  if (root.read("sustained", curves.sustained, Range<double>{0.1, 1.0}))
    root.require("sustained_source", curves.sustained_source);
  root.read("sustained_power", curves.sustained_power, Range<double>{1, 1e5});
  root.read("gpu_spread", curves.gpu_spread, Range<double>{0.0, 0.2});
  read_gemms(root, curves.gemm);
  curves.flash = read_list<FlashCurve>(root, "flash_attention", read_flash);
  curves.unfused = read_list<UnfusedCurve>(root, "unfused_attention", read_unfused);
  if (auto reader = root.required_map("memory_bound")) read_memory(*reader, curves.memory);
  root.finish();
  if (base::has_errors(problems)) return tl::unexpected(problems);
  return curves;
}

base::Result<KernelCurves> load_kernel_curves(const std::string& hardware_folder,
                                              const std::string& architecture) {
  const std::string folder = hardware_folder + "/kernels/";
  std::string file = folder + architecture + ".yaml";
  if (!std::filesystem::exists(file)) file = folder + "generic.yaml";
  const base::Result<std::string> text = base::read_file(file);
  if (!text) return tl::unexpected(text.error());
  return read_kernel_curves(*text, file);
}

}  // namespace calibrate
