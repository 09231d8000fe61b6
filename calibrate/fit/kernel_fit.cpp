#include "calibrate/fit/kernel_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calibrate/fit/gemm_fit.hpp"
#include "calibrate/store/store.hpp"

namespace calibrate::fit {

namespace {

bool is_product(const std::string& kind) { return kind == "gemm" || kind == "attention"; }

KernelKey key_of(const KernelRecord& record) {
  KernelKey key{record.device, record.library, record.variant, record.kind};
  key.concurrent = record.concurrent;
  if (const auto* gemm = std::get_if<base::Gemm>(&record.kernel)) key.dtype = gemm->dtype;
  if (const auto* attention = std::get_if<base::Attention>(&record.kernel)) {
    key.dtype = attention->dtype;
    key.backward = attention->backward;
    key.flash = attention->flash;
  }
  return key;
}

/// Whether there is anything to compute or move.
bool has_shape(const base::Kernel& kernel) {
  if (const auto* g = std::get_if<base::Gemm>(&kernel))
    return std::min({g->m, g->n, g->k, g->batch}) > 0;
  if (const auto* a = std::get_if<base::Attention>(&kernel))
    return std::min({a->batch, a->seq_q, a->seq_kv, a->q_heads, a->kv_heads, a->head_dim,
                     a->value_dim}) > 0;
  return std::get<base::MemoryBound>(kernel).bytes.count() >= 0;
}

/// Calls `take(key, record, run)` for all kernels that a fit may rest on.
template <class Take>
void for_all(std::span<const RunRecords> runs, Take take) {
  for (const RunRecords& run : runs)
    for (const KernelRecord& record : run.kernels)
      if (store::usable(record) && has_shape(record.kernel)) take(key_of(record), record, run.run);
}

struct Traffic {
  std::map<double, std::vector<Sample>> sizes;
  Basis basis;

  /// Of one launch: records of several count as so many equal ones.
  void add(const base::MemoryBound& work, const KernelRecord& record, const Run& run) {
    const double launches = std::max(work.kernels, 1);
    Sample sample = sample_of(record.times);
    sample.seconds /= launches;
    sizes[work.bytes.as_double() / launches].push_back(sample);
    basis.add(run, record.library_version);
  }
};

SizeFits fits_of(std::map<KernelKey, Traffic> measured) {
  SizeFits fits;
  for (auto& [key, of_key] : measured)
    fits.emplace(key, FittedKernel<SizeFit>{SizeFit(of_key.sizes), std::move(of_key.basis)});
  return fits;
}

}  // namespace

std::string describe(const KernelKey& key, const std::string& version) {
  std::string text = key.kind;
  if (is_product(key.kind)) text += fmt::format(" {}", base::name_of(key.dtype));
  if (key.kind == "attention")
    text += fmt::format("{}{}", key.backward ? " backward" : "", key.flash ? "" : " unfused");
  text += " on " + key.device;
  if (key.concurrent > 1) text += fmt::format(", {} at once", key.concurrent);
  if (!key.library.empty()) text += ", " + key.library;
  for (const std::string& word : {version, key.variant})
    if (!word.empty()) text += " " + word;
  return text;
}

bool moves_memory(std::string_view kind) {
  return kind != "gemm" && kind != "attention" && kind != "launch" && kind != "graph_launch";
}

FormFit form_of(const KernelKey& key, const topology::HardwareRegistry& registry) {
  const topology::GpuSpec* gpu = registry.find_gpu(key.device);
  if (key.kind != "gemm" || gpu == nullptr || !gpu->peak.contains(key.dtype)) return fit_plain_form;
  return [gpu = *gpu](std::span<const Shape> shapes) { return fit_gemm_form(shapes, gpu); };
}

ShapeFits fit_shapes(std::span<const RunRecords> runs, const topology::HardwareRegistry& registry) {
  struct Measured {
    MeasuredShapes shapes;
    Basis basis;
  };
  std::map<KernelKey, Measured> measured;
  for_all(runs, [&](const KernelKey& key, const KernelRecord& record, const Run& run) {
    if (std::holds_alternative<base::MemoryBound>(record.kernel)) return;
    Measured& of_key = measured[key];
    of_key.shapes.emplace_back(record.kernel, sample_of(record.times));
    of_key.basis.add(run, record.library_version);
  });
  ShapeFits fits;
  for (auto& [key, of_key] : measured)
    fits.emplace(key,
                 FittedKernel<ShapeFit>{ShapeFit(shapes_of(of_key.shapes), form_of(key, registry)),
                                        std::move(of_key.basis)});
  return fits;
}

SizeFits fit_sizes(std::span<const RunRecords> runs) {
  std::map<KernelKey, Traffic> measured;
  for_all(runs, [&](const KernelKey& key, const KernelRecord& record, const Run& run) {
    if (const auto* work = std::get_if<base::MemoryBound>(&record.kernel))
      measured[key].add(*work, record, run);
  });
  return fits_of(std::move(measured));
}

SizeFits fit_memory(std::span<const RunRecords> runs) {
  std::map<KernelKey, Traffic> measured;
  for_all(runs, [&](const KernelKey& key, const KernelRecord& record, const Run& run) {
    const auto* work = std::get_if<base::MemoryBound>(&record.kernel);
    if (work == nullptr || !moves_memory(key.kind)) return;
    KernelKey memory;
    memory.device = key.device;
    memory.kind = "memory";
    memory.concurrent = key.concurrent;
    measured[memory].add(*work, record, run);
  });
  return fits_of(std::move(measured));
}

}  // namespace calibrate::fit
