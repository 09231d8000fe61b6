#include "calibrate/validate_kernels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "calibrate/validate_collectives.hpp"

namespace calibrate {

namespace {

using base::DType;

/// What a library's benchmark call does beside the kernel it is named after.
struct LibraryHabits {
  std::string_view name;
  double quantise_bytes;  ///< traffic per activation that an fp8 GEMM quantises first; 0: none
  int quantise_kernels;
  bool writes_kv_cache;  ///< attention copies keys and values into the cache
};

// trtllm quantises per tensor (a pass for the maximum, a pass to scale), sglang and vllm per token.
// The traffic is what the tables show at the share of the memory-bound curve.
constexpr std::array<LibraryHabits, 3> habits{
    {{"trtllm", 7.0, 2, true}, {"sglang", 4.5, 1, true}, {"vllm", 4.5, 1, true}}};

std::string_view first_word(std::string_view text) { return text.substr(0, text.find(' ')); }

const LibraryHabits* habits_of(std::string_view library) {
  for (const LibraryHabits& known : habits)
    if (known.name == first_word(library)) return &known;
  return nullptr;
}

std::optional<DType> dtype_of(std::string_view name) {
  for (const auto& [known, type] : base::dtype_names)
    if (known == name) return type;
  return std::nullopt;
}

bool is_unfused(std::string_view library) {
  return library.starts_with("PyTorch") || library.starts_with("Standard attention");
}

std::int64_t whole(double value) { return std::llround(value); }

KernelsOfRow unexpressed(std::string reason) {
  KernelsOfRow out;
  out.unexpressed = std::move(reason);
  return out;
}

KernelsOfRow gemm_of(const KernelRow& row, DType type) {
  if (row.m < 1 || row.n < 1 || row.k < 1) return unexpressed("m, n or k is missing");
  KernelsOfRow out;
  const std::int64_t groups = row.op == "grouped_gemm" ? whole(row.batch) : 1;
  if (groups < 1) return unexpressed("the number of groups is missing");
  const DType output = type == DType::fp8 || type == DType::fp4 ? DType::bf16 : type;
  out.kernels.emplace_back(
      base::Gemm{whole(row.m), whole(row.n), whole(row.k), groups, type, output});
  const LibraryHabits* library = habits_of(row.library);
  if (library != nullptr && type == DType::fp8)
    out.kernels.emplace_back(
        base::MemoryBound{base::Bytes::from_double(row.m * row.k * static_cast<double>(groups) *
                                                   library->quantise_bytes),
                          library->quantise_kernels});
  return out;
}

KernelsOfRow attention_of(const KernelRow& row, DType type, bool forward, bool backward) {
  if (row.batch < 1 || row.seq_len < 1 || row.q_heads < 1 || row.kv_heads < 1 || row.head_dim < 1)
    return unexpressed("a dimension of the attention is missing");
  base::Attention attention;
  attention.batch = whole(row.batch);
  attention.seq_q = attention.seq_kv = whole(row.seq_len);
  attention.q_heads = whole(row.q_heads);
  attention.kv_heads = whole(row.kv_heads);
  attention.head_dim = attention.value_dim = whole(row.head_dim);
  attention.causal = row.causal;
  attention.flash = !is_unfused(row.library);
  attention.dtype = type;
  KernelsOfRow out;
  out.attention = row.library;
  for (const bool pass : {false, true}) {
    if (pass ? !backward : !forward) continue;
    attention.backward = pass;
    out.kernels.emplace_back(attention);
  }
  const LibraryHabits* library = habits_of(row.library);
  if (library != nullptr && library->writes_kv_cache) {
    const double keys_and_values =
        2 * row.batch * row.seq_len * row.kv_heads * row.head_dim * base::bytes_of(type);
    out.kernels.emplace_back(
        base::MemoryBound{base::Bytes::from_double(2 * keys_and_values), 1});  // read and write
  }
  return out;
}

KernelsOfRow layer_of(const KernelRow& row) {
  std::optional<TransformerLayer> layer = parse_layer_note(row.note);
  if (!layer) return unexpressed("the note does not say hidden and tp of the layer");
  layer->batch = whole(row.batch);
  layer->sequence = whole(row.seq_len);
  layer->heads = whole(row.q_heads);
  if (layer->batch < 1 || layer->sequence < 1 || layer->heads < layer->tensor ||
      layer->hidden < layer->heads || row.dtype != "fp16")
    return unexpressed("a dimension of the layer is missing, or it is not in fp16");
  LayerWork work = work_of(*layer);
  KernelsOfRow out;
  out.kernels = std::move(work.kernels);
  out.calls = std::move(work.calls);
  out.ranks = layer->tensor;
  out.attention = row.library;
  return out;
}

std::string size_class(double time_us) {
  for (const auto& [limit, name] :
       {std::pair{30.0, "below 30 us"}, std::pair{100.0, "30 to 100 us"},
        std::pair{1000.0, "100 us to 1 ms"}})
    if (time_us < limit) return name;
  return "above 1 ms";
}

std::string op_class(const KernelRow& row) {
  return row.op == "other" ? row.note.substr(0, row.note.find_first_of(": ")) : row.op;
}

std::string regime(const KernelRow& row) {
  const bool gemm = row.op == "gemm" || row.op == "grouped_gemm";
  if (!gemm) return "attention and layers";
  return row.m >= 1024 && row.n >= 1024 && row.k >= 1024 ? "gemm, m n k >= 1024" : "gemm, smaller";
}

std::vector<Duration> durations_of(const KernelsOfRow& work, const Profile& profile,
                                   const std::optional<GroupShape>& shape) {
  std::vector<Duration> durations;
  for (const base::Kernel& kernel : work.kernels) durations.push_back(profile.kernel(kernel));
  for (const LayerWork::Call& call : work.calls)
    durations.push_back(profile.collective(call.op, call.bytes, shape.value()).total);
  return durations;
}

base::ScoredRow priced(const KernelRow& row, const std::vector<Duration>& durations) {
  base::ScoredRow scored;
  scored.id = row.id;
  scored.measured = row.time_us * 1e-6;
  double variance = 0;
  Evidence weakest = Evidence::measured;
  for (const Duration& duration : durations) {
    scored.predicted += duration.time.s();
    variance += std::pow(duration.time.s() * duration.spread, 2);
    weakest = std::max(weakest, duration.evidence);
  }
  base::set_interval(scored, std::sqrt(variance) / scored.predicted);
  scored.classes = {{"gpu", row.gpu},
                    {"op", op_class(row)},
                    {"precision", row.dtype},
                    {"library", row.library},
                    {"trust", row.trust},
                    {"source", row.source},
                    {"size", size_class(row.time_us)},
                    {"regime", regime(row)},
                    {"evidence", std::string(name_of(weakest))}};
  return scored;
}

/// Profiles by GPU and attention library; each is read once.
class Profiles {
 public:
  Profiles(const topology::HardwareRegistry& registry, const std::string& folder,
           Calibrations calibrations)
      : registry_(registry), folder_(folder), calibrations_(std::move(calibrations)) {}

  base::Result<const Profile*> find(const topology::GpuSpec& gpu, const std::string& library) {
    const HardwareProfileOptions wanted = options_for(gpu, library);
    std::unique_ptr<Profile>& slot =
        known_[{gpu.name, wanted.flash_attention, wanted.unfused_attention}];
    if (slot == nullptr) {
      auto made = make_calibrated_profile(calibrations_, gpu, 1, folder_, wanted);
      if (!made) return tl::unexpected(made.error());
      slot = std::move(made->profile);
    }
    return slot.get();
  }
  const topology::GpuSpec* gpu(std::string_view name) const { return registry_.find_gpu(name); }

 private:
  // The curve of the library, of its family ("vllm 0.24.0": "vllm"), or the usual one.
  HardwareProfileOptions options_for(const topology::GpuSpec& gpu, const std::string& library) {
    auto curves = curves_.find(gpu.architecture);
    if (curves == curves_.end()) {
      auto loaded = load_kernel_curves(folder_, gpu.architecture);
      if (!loaded) return {};  // make_hardware_profile tells why
      curves = curves_.emplace(gpu.architecture, std::move(*loaded)).first;
    }
    for (const std::string_view name : {std::string_view(library), first_word(library)}) {
      if (const FlashCurve* curve = curves->second.find_flash(name)) return {curve->name, ""};
      if (const UnfusedCurve* curve = curves->second.find_unfused(name)) return {"", curve->name};
    }
    return {};
  }

  const topology::HardwareRegistry& registry_;
  const std::string& folder_;
  Calibrations calibrations_;
  std::map<std::string, KernelCurves> curves_;
  std::map<std::array<std::string, 3>, std::unique_ptr<Profile>> known_;
};

}  // namespace

base::Result<std::vector<KernelRow>> read_kernel_rows(const base::Csv& table) {
  base::Diagnostics problems = base::missing_columns(
      table, {"id", "library", "gpu", "op", "dtype", "m", "n", "k", "batch", "seq_len", "q_heads",
              "kv_heads", "head_dim", "causal", "time_us"});
  if (!problems.empty()) return tl::unexpected(problems);
  std::vector<KernelRow> rows;
  for (const base::Csv::Row& fields : table.rows) {
    const base::CsvRow cells(table, fields, problems);
    KernelRow row;
    for (const auto& [column, field] : {std::pair{"id", &row.id},
                                        {"source", &row.source},
                                        {"library", &row.library},
                                        {"gpu", &row.gpu},
                                        {"op", &row.op},
                                        {"dtype", &row.dtype},
                                        {"note", &row.note},
                                        {"trust", &row.trust}})
      *field = cells.text(column);
    for (const auto& [column, field] : {std::pair{"m", &row.m},
                                        {"n", &row.n},
                                        {"k", &row.k},
                                        {"batch", &row.batch},
                                        {"seq_len", &row.seq_len},
                                        {"q_heads", &row.q_heads},
                                        {"kv_heads", &row.kv_heads},
                                        {"head_dim", &row.head_dim},
                                        {"time_us", &row.time_us}})
      *field = cells.number(column).value_or(0);
    row.causal = cells.number("causal").value_or(0) != 0;
    rows.push_back(std::move(row));
  }
  if (!problems.empty()) return tl::unexpected(problems);
  return rows;
}

KernelsOfRow kernels_of(const KernelRow& row) {
  if (!(row.time_us > 0)) return unexpressed("no time");
  constexpr double dimension_max = 1e7;  // the product of two stays far below 2^63
  for (const double dimension :
       {row.m, row.n, row.k, row.batch, row.seq_len, row.q_heads, row.kv_heads, row.head_dim})
    if (dimension < 0 || dimension > dimension_max)
      return unexpressed("a dimension is out of range");
  const std::optional<DType> type = dtype_of(row.dtype);
  if (!type) return unexpressed(fmt::format("unknown number format '{}'", row.dtype));
  if (row.op == "gemm" || row.op == "grouped_gemm") return gemm_of(row, *type);
  if (row.op == "attention_fwd") return attention_of(row, *type, true, false);
  if (row.op == "attention_bwd") return attention_of(row, *type, false, true);
  if (row.note.starts_with("attention_fwd_bwd")) return attention_of(row, *type, true, true);
  if (row.note.starts_with("transformer_layer")) return layer_of(row);
  return unexpressed(fmt::format("no kernel stands for '{}'", op_class(row)));
}

base::Result<base::Score> validate_kernels(const std::vector<KernelRow>& rows,
                                           const topology::HardwareRegistry& registry,
                                           const std::string& hardware_folder,
                                           const Calibrations& calibrations) {
  Profiles profiles(registry, hardware_folder, calibrations);
  std::vector<base::ScoredRow> scored;
  std::vector<base::UnexpressedRow> left_out;
  for (const KernelRow& row : rows) {
    KernelsOfRow work = kernels_of(row);
    const topology::GpuSpec* gpu = profiles.gpu(row.gpu);
    if (gpu == nullptr) work.unexpressed = fmt::format("unknown GPU '{}'", row.gpu);
    CollectiveRow group;
    group.gpu = row.gpu;
    group.ranks = work.ranks;
    group.nodes = 1;
    const std::optional<CollectiveSetting> setting = setting_of(group, registry);
    if (!work.calls.empty() && !setting)
      work.unexpressed = fmt::format("no node type has {} '{}'", work.ranks, row.gpu);
    if (work.unexpressed.empty()) {
      auto profile = profiles.find(*gpu, work.attention);
      if (!profile) return tl::unexpected(profile.error());
      if ((*profile)->supports(*dtype_of(row.dtype))) {
        std::optional<GroupShape> shape;
        if (setting) shape = shape_of(*setting, registry);
        scored.push_back(priced(row, durations_of(work, **profile, shape)));
        continue;
      }
      work.unexpressed = fmt::format("a {} does not compute in {}", row.gpu, row.dtype);
    }
    left_out.push_back({row.id, std::move(work.unexpressed)});
  }
  return base::make_score(std::move(scored), std::move(left_out));
}

}  // namespace calibrate
