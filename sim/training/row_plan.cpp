#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>
#include <string_view>

#include "sim/training/setting.hpp"

namespace sim::training {

namespace {

using strategies::Plan;
using strategies::ScheduleKind;

bool has_word(const std::string& text, std::string_view wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (word == wanted) return true;
  return false;
}

std::string missing_degree(const Row& row) {
  constexpr int degree_max = 1 << 20;
  for (const auto& [value, name] :
       {std::pair{row.tensor, "tp"}, std::pair{row.pipeline, "pp"}, std::pair{row.gpus, "n_gpus"},
        std::pair{row.global_batch, "global_batch"}, std::pair{row.sequence, "seq_len"}})
    if (!value || *value < 1) return fmt::format("{} missing", name);
  for (const auto& value : {row.tensor, row.pipeline, row.data, row.virtual_stages, row.micro_batch,
                            row.context, row.expert, row.expert_tensor, row.gpus})
    if (value && (*value < 1 || *value > degree_max)) return "a degree is out of range";
  if (*row.gpus % (std::int64_t{*row.tensor} * *row.pipeline * row.context.value_or(1)) != 0)
    return "n_gpus is not a multiple of tp x pp x cp";
  return {};
}

/// With a pipeline as small as the fused softmax takes it, which who tuned a run would not give up.
int usual_micro_batch(const Row& row, std::int64_t of_replica, bool flash_attention) {
  const auto divides = [&](int size) { return of_replica % size == 0; };
  int size = 1;
  if (*row.pipeline > 1) {
    const int heads = row.heads.value_or(0) / *row.tensor;
    while (!flash_attention && !strategies::fits_fused_softmax(heads, size) && divides(size * 2))
      size *= 2;
    return size;
  }
  const int most = row.recompute == "full" ? 16 : 4;
  while (size * 2 <= most && divides(size * 2)) size *= 2;
  return size;
}

/// The fewest chunks that divide the layers of a stage; 1 when nothing does.
int usual_chunks(const Row& row) {
  const int layers = row.layers.value_or(0);
  if (layers % *row.pipeline != 0) return 1;
  const int of_stage = layers / *row.pipeline;
  for (int chunks = 2; chunks <= of_stage; ++chunks)
    if (of_stage % chunks == 0) return chunks;
  return 1;
}

std::string set_schedule(const Row& row, Plan& plan, std::vector<std::string>& inferred) {
  if (plan.pipeline == 1) return {};
  // Searched schedules of arXiv 2401.10241 with the memory of the two that it writes down.
  const bool searched = row.schedule == "zb-1p" || row.schedule == "zb-2p";
  const std::string_view name = row.schedule == "zb-1p"   ? "zb-h1"
                                : row.schedule == "zb-2p" ? "zb-h2"
                                                          : std::string_view(row.schedule);
  if (searched) inferred.push_back(fmt::format("{} as {}", row.schedule, name));
  if (name != "interleaved" && !name.empty()) {
    for (const auto& [known, kind] : strategies::schedule_names)
      if (known == name && kind != ScheduleKind::table) {
        plan.schedule = kind;
        return {};
      }
    return fmt::format("schedule {}", name);
  }
  plan.virtual_stages = row.virtual_stages.value_or(0);
  if (plan.virtual_stages < 2) {
    plan.virtual_stages = usual_chunks(row);
    inferred.push_back(fmt::format("{} chunks a stage", plan.virtual_stages));
  }
  plan.schedule = plan.virtual_stages > 1 ? ScheduleKind::interleaved : ScheduleKind::one_f_one_b;
  return {};
}

/// nanotron's cut: blocks go to a stage until it and those before have their share of all matrix
/// elements, the head's among them; a layer counts as four square matrices and a gated MLP.
std::vector<int> layers_by_cost(const Row& row, int stages) {
  const double hidden = row.hidden.value_or(1);
  const double layer = 4 * hidden * hidden + 3 * hidden * row.ffn.value_or(0);
  const double head = hidden * row.vocab.value_or(0);
  const int layers = row.layers.value_or(0);
  const double share = (layers * layer + head) / stages;
  std::vector<int> counts(static_cast<std::size_t>(stages), 0);
  std::size_t stage = 0;
  for (int done = 1; done <= layers; ++done) {
    ++counts[stage];
    if (done * layer >= share * static_cast<double>(stage + 1) && stage + 1 < counts.size())
      ++stage;
  }
  return counts;
}

/// Stages whose layers do not divide evenly come out even when the embedding and the head count as
/// a layer each; where not even then, the first ones are taken to have one more.
void set_stages(const Row& row, const Framework& framework, Plan& plan,
                std::vector<std::string>& inferred) {
  if (framework.stages_by_cost && plan.pipeline > 1) {
    // It puts the head before the loss where that fills a stage; here both are on the last.
    plan.stage_layers = layers_by_cost(row, plan.pipeline);
    plan.uneven = strategies::Uneven::first;
    return;
  }
  const int stages = plan.shape().depth();
  const int layers = row.layers.value_or(0);
  if (layers % stages == 0) return;
  if ((layers + 2) % stages == 0) {
    plan.account_for_embedding = plan.account_for_loss = true;
    return;
  }
  plan.uneven = strategies::Uneven::first;
  inferred.emplace_back("uneven stages");
}

struct Format {
  std::string_view name;
  base::DType compute;
  base::DType parameters;
  strategies::Scaling scaling = strategies::Scaling::delayed;
};
constexpr Format formats[] = {
    {"fp32", base::DType::fp32, base::DType::fp32},
    {"fp16", base::DType::fp16, base::DType::fp16},
    {"bf16", base::DType::bf16, base::DType::bf16},
    {"fp8", base::DType::fp8, base::DType::bf16},
    {"mxfp8", base::DType::fp8, base::DType::bf16, strategies::Scaling::mx},
    {"nvfp4", base::DType::fp4, base::DType::bf16, strategies::Scaling::nv},
};

std::string set_precision(const Row& row, const Framework& framework, Plan& plan,
                          std::vector<std::string>& inferred) {
  const auto* const format = std::find_if(std::begin(formats), std::end(formats),
                                          [&](const auto& f) { return f.name == row.precision; });
  if (format == std::end(formats)) return fmt::format("precision {}", row.precision);
  plan.precision.compute = format->compute;
  plan.precision.parameters = format->parameters;
  plan.precision.scaling = format->scaling;
  // "current scaling" of Transformer Engine, "float8 tensorwise" of PyTorch.
  const bool current = row.note.find("current scaling") != std::string::npos ||
                       row.note.find("tensorwise") != std::string::npos;
  if (row.precision == "fp8" && current) plan.precision.scaling = strategies::Scaling::current;
  if (row.precision == "fp16" && framework.fp16_gradients)
    plan.precision.gradients = base::DType::fp16;
  for (const Framework::Recipe* recipe : framework.recipes_of(row))
    if (recipe->gradients) {
      plan.precision.gradients = *recipe->gradients;
      inferred.push_back(fmt::format("gradients in {}", base::name_of(*recipe->gradients)));
    }
  return {};
}

void set_overlap(const Row& row, const Framework& framework, Plan& plan,
                 std::vector<std::string>& inferred) {
  const bool nothing = has_word(row.overlap, "none");
  const bool known = nothing || has_word(row.overlap, "grad");
  if (known) {
    plan.overlap.gradient_reduce = has_word(row.overlap, "grad");
    plan.overlap.parameter_gather = has_word(row.overlap, "param");
  } else if (row.data.value_or(1) > 1) {
    if (framework.reduces_early_without_zero && plan.zero == 0) plan.overlap.gradient_reduce = true;
    inferred.emplace_back("overlap");
  }
  if (nothing) plan.overlap.point_to_point = false;
  bool tensor = has_word(row.overlap, "tp");
  if (row.overlap.empty() && plan.tensor > 1)
    for (const Framework::Recipe* recipe : framework.recipes_of(row))
      tensor = tensor || recipe->overlaps_tensor;
  plan.overlap.tensor =
      plan.sequence_parallel && tensor ? framework.tensor_overlap : strategies::TensorOverlap::none;
}

/// "ZeRO-1 within 8": shards of 8 ranks, replicated.
int shards_within(std::string_view note) {
  constexpr std::string_view words = "ZeRO-1 within ";
  const std::size_t at = note.find(words);
  if (at == std::string_view::npos) return 0;
  const std::string_view rest = note.substr(at + words.size());
  int shards = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), shards);
  return shards;
}

void set_zero(const Row& row, Plan& plan, std::vector<std::string>& inferred) {
  plan.zero = row.zero.value_or(plan.zero);
  if (!row.zero && plan.data > 1) inferred.push_back(fmt::format("ZeRO-{}", plan.zero));
  const int shards = shards_within(row.note);
  if (plan.zero >= 1 && shards > 1 && plan.data % shards == 0)
    plan.data_replicate = plan.data / shards;
}

std::string set_recompute(const Row& row, const Framework& framework, Plan& plan,
                          std::vector<std::string>& inferred) {
  using strategies::Recompute;
  if (row.recompute == "selective") {
    // A framework that says which operators means those.
    if (plan.recompute != Recompute::operators) plan.recompute = Recompute::selective;
    return {};
  }
  plan.recompute_operators.clear();
  plan.recompute = row.recompute == "full" ? Recompute::full : Recompute::none;
  if (row.recompute.empty()) {
    for (const Framework::Recipe* recipe : framework.recipes_of(row))
      if (!recipe->recompute_operators.empty()) {
        plan.recompute = Recompute::operators;
        plan.recompute_operators = recipe->recompute_operators;
      }
    inferred.emplace_back(plan.recompute == Recompute::none ? "no recompute"
                                                            : "what is recomputed");
  }
  if (!row.recompute.empty() && row.recompute != "full" && row.recompute != "none")
    return fmt::format("recompute {}", row.recompute);
  return {};
}

/// "(tokendrop)" rows pad every expert to its capacity, which no other dispatcher does.
void set_experts(const Row& row, const Framework& framework, Plan& plan,
                 std::vector<std::string>& inferred) {
  plan.expert.degree = row.expert.value_or(1);
  if (plan.expert.degree == 1) return;
  plan.expert.tensor = row.expert_tensor.value_or(1);  // as NVIDIA's recipes have it
  if (!row.expert_tensor && plan.tensor > 1) inferred.emplace_back("whole experts");
  if (row.model.find("tokendrop") != std::string::npos) return;
  for (const Framework::Recipe* recipe : framework.recipes_of(row)) {
    if (!recipe->dispatcher && !recipe->overlaps_experts) continue;
    plan.expert.dispatcher = recipe->dispatcher.value_or(plan.expert.dispatcher);
    plan.overlap.expert = recipe->overlaps_experts;
    inferred.emplace_back("how tokens reach experts");
  }
}

}  // namespace

Expressed<Plan> plan_of(const Row& row, const Framework& framework,
                        std::vector<std::string>& inferred) {
  if (std::string reason = missing_degree(row); !reason.empty())
    return tl::unexpected(std::move(reason));
  Plan plan = framework.plan;
  plan.tensor = *row.tensor;
  plan.pipeline = *row.pipeline;
  plan.context.degree = row.context.value_or(1);
  set_experts(row, framework, plan, inferred);
  plan.data = *row.gpus / plan.tensor / plan.pipeline / plan.context.degree;
  if (row.data && *row.data != plan.data)
    return tl::unexpected(std::string("dp is not n_gpus / (tp x pp x cp)"));
  plan.global_batch = *row.global_batch;
  plan.sequence = *row.sequence;
  plan.flash_attention = row.flash_attention.value_or(plan.flash_attention);
  plan.micro_batch = row.micro_batch.value_or(0);
  if (!row.micro_batch) {
    plan.micro_batch = usual_micro_batch(row, plan.global_batch / plan.data, plan.flash_attention);
    inferred.push_back(fmt::format("micro batch {}", plan.micro_batch));
  }
  plan.sequence_parallel =
      plan.tensor > 1 && row.sequence_parallel.value_or(framework.sequence_parallel);
  if (plan.tensor > 1 && !row.sequence_parallel) inferred.emplace_back("sequence parallel");
  if (!row.flash_attention) inferred.emplace_back("attention kernel");
  if (!plan.flash_attention) plan.attention_kernels.clear();  // the framework's are fused ones
  set_zero(row, plan, inferred);
  for (std::string reason :
       {set_precision(row, framework, plan, inferred), set_schedule(row, plan, inferred),
        set_recompute(row, framework, plan, inferred)})
    if (!reason.empty()) return tl::unexpected(std::move(reason));
  set_stages(row, framework, plan, inferred);
  set_overlap(row, framework, plan, inferred);
  return plan;
}

}  // namespace sim::training
