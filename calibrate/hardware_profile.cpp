#include "calibrate/hardware_profile.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/check.hpp"
#include "calibrate/attention_model.hpp"
#include "calibrate/collective_model.hpp"
#include "calibrate/gemm_model.hpp"
#include "calibrate/memory_model.hpp"

namespace calibrate {

HardwareProfile::HardwareProfile(topology::GpuSpec gpu, KernelCurves curves, std::size_t flash)
    : gpu_(std::move(gpu)),
      curves_(std::move(curves)),
      flash_(flash),
      measured_(curves_.measured_on(gpu_.name)) {
  CHECK_INVARIANT(flash_ < curves_.flash.size());
  for (const auto& [type, curve] : curves_.gemm)
    gemm_source_[type] = add_source(fmt::format("{} GEMM curve", base::name_of(type)), curve.source);
  const FlashCurve& fused = curves_.flash[flash_];
  flash_source_ = add_source(fmt::format("{} curve", fused.name), fused.source);
  unfused_source_ = add_source("unfused attention curve", curves_.unfused.source);
  memory_source_ = add_source("memory-bound curve", curves_.memory.source);
  collective_source_ = static_cast<int>(sources_.size());
  sources_.emplace_back("collective model (NCCL 2.28 tuning constants)");
}

int HardwareProfile::add_source(const std::string& what, const CurveSource& source) {
  const std::string basis =
      source.points > 0 ? fmt::format("{}, {} points", source.text, source.points) : source.text;
  sources_.push_back(
      measured_ ? fmt::format("{} {} ({})", gpu_.name, what, basis)
                : fmt::format("{} {} scaled to {} ({})", curves_.architecture, what, gpu_.name,
                              basis));
  return static_cast<int>(sources_.size()) - 1;
}

Duration HardwareProfile::priced(base::Seconds time, const CurveSource& curve, int source) const {
  const bool fitted = measured_ && curve.points > 0;
  const double spread = measured_ ? curve.spread : std::hypot(curve.spread, curves_.family_spread);
  return {time, spread, fitted ? Evidence::fitted : Evidence::model, source};
}

bool HardwareProfile::supports(base::DType type) const { return gpu_.peak.contains(type); }

Duration HardwareProfile::kernel(const base::Kernel& kernel) const {
  if (const auto* gemm = std::get_if<base::Gemm>(&kernel)) {
    CHECK_INVARIANT(supports(gemm->dtype));
    const GemmCurve& curve = curves_.gemm_for(gemm->dtype);
    const auto own = gemm_source_.find(gemm->dtype);
    const int source = own == gemm_source_.end() ? gemm_source_.at(base::DType::bf16) : own->second;
    return priced(gemm_time(*gemm, gpu_, curve), curve.source, source);
  }
  if (const auto* attention = std::get_if<base::Attention>(&kernel)) {
    CHECK_INVARIANT(supports(attention->dtype));
    if (!attention->flash)
      return priced(unfused_attention_time(*attention, gpu_, curves_), curves_.unfused.source,
                    unfused_source_);
    const FlashCurve& curve = curves_.flash[flash_];
    return priced(flash_attention_time(*attention, gpu_, curve), curve.source, flash_source_);
  }
  const auto& work = std::get<base::MemoryBound>(kernel);
  return priced(memory_bound_time(work, gpu_, curves_.memory), curves_.memory.source,
                memory_source_);
}

CollectiveCost HardwareProfile::collective(Collective op, base::Bytes bytes,
                                           const GroupShape& shape) const {
  CollectiveCost cost = collective_cost(op, bytes, shape);
  cost.total.source = collective_source_;
  return cost;
}

base::Result<std::unique_ptr<Profile>> make_hardware_profile(const topology::GpuSpec& gpu,
                                                             const std::string& hardware_folder,
                                                             const HardwareProfileOptions& options) {
  base::Result<KernelCurves> curves = load_kernel_curves(hardware_folder, gpu.architecture);
  if (!curves) return tl::unexpected(curves.error());
  std::size_t flash = 0;
  if (!options.attention.empty()) {
    const FlashCurve* found = curves->find_flash(options.attention);
    if (found == nullptr) {
      std::vector<std::string_view> names;
      for (const FlashCurve& curve : curves->flash) names.push_back(curve.name);
      return tl::unexpected(base::Diagnostics{
          {{hardware_folder + "/kernels/" + curves->architecture + ".yaml"},
           fmt::format("no curve for the attention kernels '{}'", options.attention),
           base::suggest(options.attention, names)}});
    }
    flash = static_cast<std::size_t>(found - curves->flash.data());
  }
  return std::make_unique<HardwareProfile>(gpu, std::move(*curves), flash);
}

}  // namespace calibrate
