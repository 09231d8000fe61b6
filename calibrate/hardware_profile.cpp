#include "calibrate/hardware_profile.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/check.hpp"
#include "calibrate/attention_model.hpp"
#include "calibrate/gemm_model.hpp"
#include "calibrate/memory_model.hpp"

namespace calibrate {

namespace {

// Index of the curve that was asked for; the first when nothing was.
template <class Curve>
base::Result<std::size_t> choose(const std::vector<Curve>& curves, const Curve* found,
                                 const std::string& wanted, const std::string& file) {
  if (wanted.empty()) return 0;
  if (found != nullptr) return static_cast<std::size_t>(found - curves.data());
  std::vector<std::string_view> names;
  for (const Curve& curve : curves) names.push_back(curve.name);
  return tl::unexpected(base::Diagnostics{
      {{file}, fmt::format("no attention kernels '{}'", wanted), base::suggest(wanted, names)}});
}

}  // namespace

HardwareProfile::HardwareProfile(topology::GpuSpec gpu, KernelCurves curves, std::size_t flash,
                                 std::size_t unfused,
                                 std::shared_ptr<const CollectiveBackend> backend)
    : gpu_(std::move(gpu)),
      curves_(std::move(curves)),
      flash_(flash),
      unfused_(unfused),
      backend_(std::move(backend)),
      measured_(curves_.measured_on(gpu_.name)) {
  CHECK_INVARIANT(flash_ < curves_.flash.size() && unfused_ < curves_.unfused.size());
  CHECK_INVARIANT(backend_ != nullptr);
  for (const auto& [type, curve] : curves_.gemm)
    gemm_source_[type] =
        add_source(fmt::format("{} GEMM curve", base::name_of(type)), curve.source);
  const FlashCurve& fused = curves_.flash[flash_];
  flash_source_ = add_source(fmt::format("{} curve", fused.name), fused.source);
  const UnfusedCurve& plain = curves_.unfused[unfused_];
  unfused_source_ = add_source(fmt::format("{} curve", plain.name), plain.source);
  memory_source_ = add_source("memory-bound curve", curves_.memory.source);
  collective_source_ = static_cast<int>(sources_.size());
  for (std::string& source : backend_->sources()) sources_.push_back(std::move(source));
}

int HardwareProfile::add_source(const std::string& what, const CurveSource& source) {
  std::string basis =
      source.points > 0 ? fmt::format("{}, {} points", source.text, source.points) : source.text;
  if (curves_.sustained < 1)
    basis += fmt::format("; clock held at {:.0f} %", 100 * curves_.sustained);
  sources_.push_back(measured_ ? fmt::format("{} {} ({})", gpu_.name, what, basis)
                               : fmt::format("{} {} scaled to {} ({})", curves_.architecture, what,
                                             gpu_.name, basis));
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
    return priced(gemm_time(*gemm, gpu_, curve) / curves_.sustained, curve.source, source);
  }
  if (const auto* attention = std::get_if<base::Attention>(&kernel)) {
    CHECK_INVARIANT(supports(attention->dtype));
    if (!attention->flash) {
      const UnfusedCurve& curve = curves_.unfused[unfused_];
      return priced(unfused_attention_time(*attention, gpu_, curves_, curve), curve.source,
                    unfused_source_);
    }
    const FlashCurve& curve = curves_.flash[flash_];
    return priced(flash_attention_time(*attention, gpu_, curve) / curves_.sustained, curve.source,
                  flash_source_);
  }
  const auto& work = std::get<base::MemoryBound>(kernel);
  return priced(memory_bound_time(work, gpu_, curves_.memory), curves_.memory.source,
                memory_source_);
}

CollectiveCost HardwareProfile::collective(Collective op, base::Bytes bytes,
                                           const GroupShape& shape) const {
  if (!backend_->supports(op)) return {};
  CollectiveCost cost = backend_->cost(op, bytes, shape);
  cost.total.source += collective_source_;
  return cost;
}

base::Result<std::unique_ptr<Profile>> make_hardware_profile(
    const topology::GpuSpec& gpu, const std::string& hardware_folder,
    const HardwareProfileOptions& options) {
  base::Result<KernelCurves> curves = load_kernel_curves(hardware_folder, gpu.architecture);
  if (!curves) return tl::unexpected(curves.error());
  const std::string file = hardware_folder + "/kernels/" + curves->architecture + ".yaml";
  const auto flash = choose(curves->flash, curves->find_flash(options.flash_attention),
                            options.flash_attention, file);
  if (!flash) return tl::unexpected(flash.error());
  const auto unfused = choose(curves->unfused, curves->find_unfused(options.unfused_attention),
                              options.unfused_attention, file);
  if (!unfused) return tl::unexpected(unfused.error());
  if (options.step_gpus > 0)
    curves->hold_clock(options.step_gpus, gpu.power_limit);
  else
    curves->sustained = 1;
  std::shared_ptr<const CollectiveBackend> backend = options.backend;
  if (backend == nullptr) {
    auto nccl = make_backend({.hardware_folder = hardware_folder});
    if (!nccl) return tl::unexpected(nccl.error());
    backend = std::move(*nccl);
  }
  return std::make_unique<HardwareProfile>(gpu, std::move(*curves), *flash, *unfused,
                                           std::move(backend));
}

}  // namespace calibrate
