#include "calibrate/calibrated_profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.hpp"

namespace calibrate {

namespace {

/// How an estimate of a fit came about, as offsets from the fit's first source.
enum Way { of_measured, of_interpolated, of_fitted, of_near, of_far };

Way way_of(const fit::Estimate& estimate) {
  if (estimate.reach == fit::Reach::far) return of_far;
  if (estimate.reach == fit::Reach::near) return of_near;
  if (estimate.evidence == Evidence::measured) return of_measured;
  return estimate.evidence == Evidence::interpolated ? of_interpolated : of_fitted;
}

/// "Open MPI" is the library of the backend "mpi", "NCCL" that of "nccl".
bool is_library_of(const std::string& backend, const std::string& library) {
  std::string name = library.substr(library.find_last_of(' ') + 1);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return !backend.empty() && name == backend;
}

/// Groups that worked at once count inside a CPU host, whose memory they share in a step as well:
/// there nothing else in a forecast makes them wait for each other.
bool is_used(const fit::CollectiveKey& key, const CalibratedUse& use) {
  const Placement& place = key.placement;
  return key.device == use.device && is_library_of(use.backend, key.library) &&
         (place.groups == 1 || (use.shares_device && place.nodes == 1)) &&
         (place.ranks_per_device == 1 || use.shares_device);
}

/// How well a key of the kind that is wanted serves; the least is the best. Who computes at once
/// shares memory and power; what a library does unasked goes before the best of its kernels.
auto order_of(const fit::KernelKey& key, int rows, const CalibratedUse& use) {
  const double crowd = std::abs(std::log(static_cast<double>(std::max(key.concurrent, 1)) /
                                         static_cast<double>(use.ranks_per_node)));
  return std::tuple(crowd, key.variant.starts_with("best"), -rows);
}

/// The keys that serve best, one of each kind.
template <class Fits>
std::vector<const typename Fits::value_type*> chosen_of(const Fits& fits,
                                                        const CalibratedUse& use) {
  std::map<std::tuple<std::string, base::DType, bool, bool>, const typename Fits::value_type*> best;
  for (const auto& entry : fits) {
    const fit::KernelKey& key = entry.first;
    if (key.device != use.device) continue;
    const auto*& slot = best[{key.kind, key.dtype, key.backward, key.flash}];
    if (slot == nullptr || order_of(key, entry.second.basis.rows(), use) <
                               order_of(slot->first, slot->second.basis.rows(), use))
      slot = &entry;
  }
  std::vector<const typename Fits::value_type*> chosen;
  for (const auto& [kind, entry] : best) chosen.push_back(entry);
  return chosen;
}

/// Those whose clock falls under load; a CPU runs its vector units at the clock of its tables.
bool is_gpu(const topology::GpuSpec& gpu) { return gpu.vendor == "nvidia" || gpu.vendor == "amd"; }

/// The backend whose measurements stand for it; none where the user sets its algorithms, which
/// measurements do not tell about.
std::string library_of(const CollectiveBackend* backend) {
  if (backend == nullptr) return "nccl";
  return backend->chooses_freely() ? std::string(backend->name()) : std::string();
}

std::set<std::string> devices_of(const Calibration& calibration) {
  std::set<std::string> devices;
  const auto add = [&](const auto& fits) {
    for (const auto& [key, fitted] : fits) devices.insert(key.device);
  };
  add(calibration.products);
  add(calibration.memory);
  add(calibration.collectives);
  return devices;
}

bool sits(const Placement& placement, const GroupShape& shape) {
  return placement.ranks == shape.ranks && placement.nodes == shape.nodes &&
         placement.ranks_per_node == shape.ranks_per_node;
}

Duration duration_of(const fit::Estimate& estimate, int first_source) {
  return {base::Seconds::from_s(estimate.seconds), estimate.spread, estimate.evidence,
          first_source + way_of(estimate)};
}

/// What is known better; of two guesses the surer.
bool is_better(const Duration& a, const Duration& b) {
  if (a.evidence != b.evidence) return a.evidence < b.evidence;
  return a.evidence == Evidence::model && a.spread < b.spread;
}

}  // namespace

Calibration fit_calibration(std::string name, std::span<const RunRecords> runs,
                            const topology::HardwareRegistry& registry) {
  return {std::move(name), fit::fit_collectives(runs), fit::fit_shapes(runs, registry),
          fit::fit_memory(runs), fit::fit_overlaps(runs)};
}

bool is_of_use(const Calibration& calibration, const CalibratedUse& use) {
  const auto of_device = [&](const auto& entry) { return entry.first.device == use.device; };
  return std::any_of(calibration.products.begin(), calibration.products.end(), of_device) ||
         std::any_of(calibration.memory.begin(), calibration.memory.end(), of_device) ||
         std::any_of(calibration.collectives.begin(), calibration.collectives.end(),
                     [&](const auto& entry) { return is_used(entry.first, use); });
}

CalibratedProfile::CalibratedProfile(Calibrations calibrations, CalibratedUse use,
                                     std::unique_ptr<Profile> fallback)
    : calibrations_(std::move(calibrations)), use_(std::move(use)), fallback_(std::move(fallback)) {
  CHECK_INVARIANT(calibrations_ != nullptr && fallback_ != nullptr && use_.sustained > 0);
  sources_ = fallback_->sources();
  for (const Calibration& calibration : *calibrations_) {
    add_kernels(calibration);
    add_collectives(calibration);
    add_overlaps(calibration);
  }
}

int CalibratedProfile::add_sources(const std::string& what, const fit::Basis& basis,
                                   const std::string& points, const std::string& condition) {
  const int first = static_cast<int>(sources_.size());
  const std::string dates = basis.dates();
  const std::string when = dates.empty() ? "measured" : "measured " + dates;
  const std::string end = condition.empty() ? "" : "; " + condition;
  for (const std::string& way : {fmt::format("{} ({})", when, points),
                                 fmt::format("interpolated between {} {}", points, when),
                                 fmt::format("fitted to {} {}", points, when),
                                 fmt::format("fitted, up to twice beyond {} {}", points, when),
                                 fmt::format("extrapolated beyond {} {}", points, when)})
    sources_.push_back(fmt::format("{}, {}{}", what, way, end));
  return first;
}

void CalibratedProfile::add_kernels(const Calibration& calibration) {
  const std::string clock =
      use_.sustained < 1 ? fmt::format("clock held at {:.0f} %", 100 * use_.sustained) : "";
  for (const auto* entry : chosen_of(calibration.products, use_)) {
    const auto& [key, fitted] = *entry;
    const int source = add_sources(fit::describe(key, fitted.basis.versions()), fitted.basis,
                                   fmt::format("{} shapes", fitted.fit.shapes().size()),
                                   key.kind == "gemm" || key.flash ? clock : "");
    products_.push_back({key, {&fitted.fit, source}});
  }
  for (const auto* entry : chosen_of(calibration.memory, use_)) {
    const auto& [key, fitted] = *entry;
    memory_.push_back(
        {&fitted.fit,
         add_sources(fmt::format("memory-bound kernels on {}", key.device), fitted.basis,
                     fmt::format("{} sizes", fitted.fit.points().size()), "")});
  }
}

void CalibratedProfile::add_collectives(const Calibration& calibration) {
  // Keys ascend by algorithm and protocol, so that the library's own choice (no words) comes first,
  // and by stride.
  std::vector<OfGroup> groups;
  for (const auto& [key, fitted] : calibration.collectives)
    if (is_used(key, use_)) add_choice(groups, key, fitted);
  // Those that had most company come first, as in a step.
  std::stable_sort(groups.begin(), groups.end(), [](const OfGroup& a, const OfGroup& b) {
    return a.placement.groups > b.placement.groups;
  });
  std::move(groups.begin(), groups.end(), std::back_inserter(collectives_));
}

void CalibratedProfile::add_choice(std::vector<OfGroup>& groups, const fit::CollectiveKey& key,
                                   const fit::FittedCollective& fitted) {
  const auto same = std::find_if(groups.begin(), groups.end(), [&](const OfGroup& group) {
    return group.op == key.op && group.placement == key.placement;
  });
  if (same != groups.end() && same->own_choice) return;
  const Sourced<fit::CollectiveFit> choice{
      &fitted.fit, add_sources(fit::describe(key, fitted.basis.versions()), fitted.basis,
                               fmt::format("{} sizes", fitted.fit.sizes().points().size()), "")};
  if (same != groups.end()) {
    same->choices.push_back(choice);
  } else {
    groups.push_back(
        {key.op, key.placement, key.algorithm.empty() && key.protocol.empty(), {choice}});
  }
}

void CalibratedProfile::add_overlaps(const Calibration& calibration) {
  for (const auto& [key, fitted] : calibration.overlaps) {
    if (!is_used(key.collective, use_)) continue;
    const int source = static_cast<int>(sources_.size());
    overlaps_.push_back({key, {&fitted.fit, source}});
    const std::string versions = fitted.basis.versions();
    const std::string dates = fitted.basis.dates();
    const std::string when = dates.empty() ? "measured" : "measured " + dates;
    const std::size_t sizes = fitted.fit.sizes();
    const std::string kernels = fit::describe_kernels(key, versions);
    sources_.push_back(fmt::format("{}, {} ({} sizes)", kernels, when, sizes));
    sources_.push_back(
        fmt::format("{}, {}, as beside the nearest of {} sizes", kernels, when, sizes));
    const std::string collective = fit::describe_collective(key, versions);
    sources_.push_back(fmt::format("{}, {} ({} sizes)", collective, when, sizes));
    sources_.push_back(fmt::format("{}, {}, as the nearest of {} sizes", collective, when, sizes));
  }
}

bool CalibratedProfile::supports(base::DType type) const { return fallback_->supports(type); }

Duration CalibratedProfile::kernel(const base::Kernel& kernel) const {
  fit::KernelKey wanted;
  if (const auto* gemm = std::get_if<base::Gemm>(&kernel)) {
    wanted.kind = "gemm";
    wanted.dtype = gemm->dtype;
  } else if (const auto* attention = std::get_if<base::Attention>(&kernel)) {
    wanted.kind = "attention";
    wanted.dtype = attention->dtype;
    wanted.backward = attention->backward;
    wanted.flash = attention->flash;
  }
  const Duration otherwise = fallback_->kernel(kernel);
  if (const auto* work = std::get_if<base::MemoryBound>(&kernel)) return memory(*work, otherwise);
  return product(kernel, wanted, otherwise);
}

Duration CalibratedProfile::product(const base::Kernel& kernel, const fit::KernelKey& wanted,
                                    const Duration& otherwise) const {
  Duration best = otherwise;
  bool known = false;
  for (const Product& candidate : products_) {
    const fit::KernelKey& key = candidate.key;
    if (std::tie(key.kind, key.dtype, key.backward, key.flash) !=
        std::tie(wanted.kind, wanted.dtype, wanted.backward, wanted.flash))
      continue;
    Duration duration = duration_of(candidate.of.fit->at(kernel), candidate.of.source);
    // A product without a pause runs hot, see KernelCurves::sustained.
    if (key.kind == "gemm" || key.flash) duration.time = duration.time / use_.sustained;
    const bool first = !known && duration.evidence != Evidence::model;
    if (!first && !is_better(duration, best)) continue;
    best = duration;
    known = true;
  }
  return best;
}

Duration CalibratedProfile::memory(const base::MemoryBound& work, const Duration& otherwise) const {
  Duration best = otherwise;
  bool known = false;
  if (work.kernels < 1) return best;
  for (const Sourced<fit::SizeFit>& candidate : memory_) {
    const double launches = work.kernels;
    Duration duration =
        duration_of(candidate.fit->at(work.bytes.as_double() / launches), candidate.source);
    duration.time = duration.time * launches;
    const bool first = !known && duration.evidence != Evidence::model;
    if (!first && !is_better(duration, best)) continue;
    best = duration;
    known = true;
  }
  return best;
}

CollectiveCost CalibratedProfile::collective(Collective op, base::Bytes bytes,
                                             const GroupShape& shape) const {
  CollectiveCost best = fallback_->collective(op, bytes, shape);
  if (shape.ranks < 2 || (shape.gpu != nullptr && shape.gpu->name != use_.device)) return best;
  bool known = false;
  for (const OfGroup& group : collectives_) {
    if (group.op != op || !sits(group.placement, shape)) continue;
    const CollectiveCost cost = quickest(group.choices, bytes);
    const bool first = !known && cost.total.evidence != Evidence::model;
    if (!first && !is_better(cost.total, best.total)) continue;
    known = true;
    best.latency = cost.latency;
    best.bus_rate = cost.bus_rate;
    best.total = cost.total;
  }
  set_overlap(best, op, bytes, shape);
  return best;
}

void CalibratedProfile::set_overlap(CollectiveCost& cost, Collective op, base::Bytes bytes,
                                    const GroupShape& shape) const {
  for (const Overlap& overlap : overlaps_) {
    const bool memory = overlap.key.memory_bound;
    int& source = memory ? cost.memory_share_source : cost.sm_share_source;
    const fit::CollectiveKey& key = overlap.key.collective;
    if (source >= 0 || key.op != op || !sits(key.placement, shape)) continue;
    const fit::OverlapFit::Share kernel = overlap.of.fit->of_kernel(bytes.as_double());
    (memory ? cost.memory_share : cost.sm_share) = kernel.taken;
    source = overlap.of.source + (kernel.inside ? 0 : 1);
    const fit::OverlapFit::Share collective = overlap.of.fit->of_collective(bytes.as_double());
    (memory ? cost.lost_to_memory : cost.lost_to_products) = collective.taken;
    (memory ? cost.lost_to_memory_source : cost.lost_to_products_source) =
        overlap.of.source + (collective.inside ? 2 : 3);
  }
}

CollectiveCost CalibratedProfile::quickest(const std::vector<Sourced<fit::CollectiveFit>>& choices,
                                           base::Bytes bytes) {
  std::optional<CollectiveCost> best;
  for (const Sourced<fit::CollectiveFit>& choice : choices) {
    const fit::Estimate estimate = choice.fit->sizes().at(bytes.as_double());
    CollectiveCost cost = choice.fit->cost(bytes, estimate);
    cost.total = duration_of(estimate, choice.source);
    const auto order = [](const CollectiveCost& c) {
      return std::pair(c.total.evidence, c.total.time);
    };
    if (!best || order(cost) < order(*best)) best = cost;
  }
  return best.value();
}

base::Result<MadeProfile> make_calibrated_profile(const Calibrations& calibrations,
                                                  const topology::GpuSpec& gpu, int ranks_per_node,
                                                  const std::string& hardware_folder,
                                                  const HardwareProfileOptions& options) {
  auto fallback = make_hardware_profile(gpu, hardware_folder, options);
  if (!fallback) return tl::unexpected(fallback.error());
  MadeProfile made{std::move(*fallback), {}};
  if (calibrations == nullptr) return made;
  CalibratedUse use{.device = gpu.name,
                    .backend = library_of(options.backend.get()),
                    .shares_device = !is_gpu(gpu),
                    .ranks_per_node = ranks_per_node};
  if (options.step_gpus > 0 && is_gpu(gpu)) {
    auto curves = load_kernel_curves(hardware_folder, gpu.architecture);
    if (!curves) return tl::unexpected(curves.error());
    curves->hold_clock(options.step_gpus, gpu.power_limit);
    use.sustained = curves->sustained;
  }
  for (const Calibration& calibration : *calibrations)
    if (!is_of_use(calibration, use))
      made.warnings.push_back(
          {{calibration.name},
           fmt::format("no kernels of a {} in it, and no collectives{} on it", use.device,
                       use.backend.empty() ? "" : " of " + use.backend),
           fmt::format("it holds: {}", fmt::join(devices_of(calibration), ", ")),
           base::Severity::warning});
  made.profile =
      std::make_unique<CalibratedProfile>(calibrations, std::move(use), std::move(made.profile));
  return made;
}

}  // namespace calibrate
