#include "sim/search/space.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "base/quantity.hpp"
#include "strategies/plan_names.hpp"

namespace sim::search {

namespace {

using strategies::Plan;
using strategies::Recompute;
using strategies::ScheduleKind;

// --- values as numbers ---------------------------------------------------------------------------

/// Axes as digits, the fastest first.
int code_of(const strategies::AxisOrder& order) {
  int code = 0;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis)
    code = code * strategies::dimension_count + static_cast<int>(*axis);
  return code;
}

strategies::AxisOrder order_of(int code) {
  strategies::AxisOrder order;
  for (strategies::Axis& axis : order) {
    axis = static_cast<strategies::Axis>(code % strategies::dimension_count);
    code /= strategies::dimension_count;
  }
  return order;
}

std::optional<int> whole_number(std::string_view text, int least) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < least || value > strategies::degree_max) return std::nullopt;
  return value;
}

std::optional<int> degree(std::string_view text) { return whole_number(text, 1); }
std::string number(int value) { return fmt::format("{}", value); }

std::optional<int> flag(std::string_view text) {
  if (text == "true") return 1;
  if (text == "false") return 0;
  return std::nullopt;
}
std::string flag_text(int value) { return value != 0 ? "true" : "false"; }

/// Operators to recompute are a list of the plan, not a value.
std::optional<int> recompute(std::string_view text) {
  for (const auto& [name, value] : strategies::recompute_names)
    if (name == text && value != Recompute::operators) return static_cast<int>(value);
  return std::nullopt;
}

std::string recompute_text(int value) {
  return std::string(base::name_in(strategies::recompute_names, static_cast<Recompute>(value)));
}

std::optional<int> schedule(std::string_view text) {
  for (const auto& [name, kind] : strategies::schedule_names)
    if (name == text && kind != ScheduleKind::table) return static_cast<int>(kind);
  return std::nullopt;
}

std::string schedule_text(int value) {
  return std::string(strategies::name_of(static_cast<ScheduleKind>(value)));
}

std::optional<int> bucket(std::string_view text) {
  const auto bytes = base::parse_bytes(text);
  if (!bytes || bytes->count() <= 0 || bytes->count() > std::numeric_limits<int>::max())
    return std::nullopt;
  return static_cast<int>(bytes->count());
}

/// 0: as its policy has it.
std::string bucket_text(int value) {
  return value == 0 ? "default" : base::format_bytes(base::Bytes::from_count(value));
}

std::optional<int> zero_stage(std::string_view text) {
  const auto value = whole_number(text, 0);
  return value && *value <= 3 ? value : std::nullopt;
}

std::optional<int> rank_order(std::string_view text) {
  const auto order = strategies::parse_rank_order(text, {});
  return order ? std::optional(code_of(*order)) : std::nullopt;
}

std::string rank_order_text(int value) {
  std::vector<std::string> names;
  for (const strategies::Axis axis : order_of(value)) names.push_back(strategies::name_of(axis));
  return fmt::format("{}", fmt::join(names, "-"));
}

// --- axes ----------------------------------------------------------------------------------

struct AxisKind {
  Axis axis;
  std::string_view key;
  std::optional<int> (*parse)(std::string_view);
  std::string (*text)(int);
  void (*apply)(Plan&, int);
  std::string_view wanted;  ///< what its values are, for the user
};

/// With another stage of ZeRO, keys that go with the base's only say what they do by default: plans
/// of the space are such that a file can have them (see read_data_parallel and read_offload).
void set_zero(Plan& plan, int stage) {
  if (stage == plan.zero) return;
  plan.zero = stage;
  plan.owns_tensors = false;
  plan.sync.reset();
  const bool of_ddp = plan.ddp.buckets == strategies::BucketPolicy::best_fit ||
                      plan.ddp.buckets == strategies::BucketPolicy::per_parameter;
  if (stage > 0 && of_ddp) plan.ddp.buckets = strategies::Ddp().buckets;
  if (stage == 3) {
    plan.offload.optimizer = false;
  } else {
    plan.fsdp.offload = false;
    plan.fsdp.ranks_after_forward = 0;
  }
}

/// Of which layers only `full` knows.
void set_recompute(Plan& plan, int value) {
  plan.recompute = static_cast<Recompute>(value);
  if (plan.recompute != Recompute::full) plan.recompute_every = 1;
}

/// Only with it tokens are exchanged that could travel beside a product.
void set_sequence_parallel(Plan& plan, int value) {
  plan.sequence_parallel = value != 0;
  if (!plan.sequence_parallel) plan.overlap.tensor = strategies::TensorOverlap::none;
}

const std::array<AxisKind, axis_count> axes{{
    {Axis::rank_order, "rank_order", rank_order, rank_order_text,
     [](Plan& plan, int value) { plan.order = order_of(value); }, "an order such as tp-cp-dp-pp"},
    {Axis::tensor_parallel, "tensor_parallel", degree, number,
     [](Plan& plan, int value) { plan.tensor = value; }, "a degree"},
    {Axis::context_parallel, "context_parallel", degree, number,
     [](Plan& plan, int value) { plan.context.degree = value; }, "a degree"},
    {Axis::expert_parallel, "expert_parallel", degree, number,
     [](Plan& plan, int value) { plan.expert.degree = value; }, "a degree"},
    {Axis::pipeline_parallel, "pipeline_parallel", degree, number,
     [](Plan& plan, int value) { plan.pipeline = value; }, "a degree"},
    {Axis::sequence_parallel, "sequence_parallel", flag, flag_text, set_sequence_parallel,
     "true or false"},
    {Axis::micro_batch, "micro_batch", degree, number,
     [](Plan& plan, int value) { plan.micro_batch = value; }, "a number of sequences"},
    {Axis::recompute, "recompute", recompute, recompute_text, set_recompute,
     "none, selective or full"},
    {Axis::schedule, "schedule", schedule, schedule_text,
     [](Plan& plan, int value) { plan.schedule = static_cast<ScheduleKind>(value); },
     "a schedule such as 1f1b or interleaved"},
    {Axis::virtual_stages, "virtual_stages", degree, number,
     [](Plan& plan, int value) { plan.virtual_stages = value; }, "a number of chunks"},
    {Axis::zero, "zero", zero_stage, number, set_zero, "0, 1, 2 or 3"},
    {Axis::data_replicate, "data_replicate", degree, number,
     [](Plan& plan, int value) { plan.data_replicate = value; }, "a number of replicas"},
    {Axis::bucket, "bucket", bucket, bucket_text,
     [](Plan& plan, int value) { plan.bucket = base::Bytes::from_count(value); },
     "a size below 2 GiB, such as 25 MiB"},
    {Axis::gradient_reduce, "overlap.gradient_reduce", flag, flag_text,
     [](Plan& plan, int value) { plan.overlap.gradient_reduce = value != 0; }, "true or false"},
    {Axis::parameter_gather, "overlap.parameter_gather", flag, flag_text,
     [](Plan& plan, int value) { plan.overlap.parameter_gather = value != 0; }, "true or false"},
}};

const AxisKind& kind_of(Axis axis) { return axes[static_cast<std::size_t>(axis)]; }

/// Laid where an axis does not matter.
void neutral(Axis axis, Plan& plan) {
  switch (axis) {
    case Axis::sequence_parallel: set_sequence_parallel(plan, 0); return;
    case Axis::schedule:
      if (plan.schedule != ScheduleKind::table) plan.schedule = ScheduleKind::one_f_one_b;
      return;
    case Axis::virtual_stages: plan.virtual_stages = 1; return;
    case Axis::zero: set_zero(plan, 0); return;
    case Axis::data_replicate: plan.data_replicate = 1; return;
    default: return;
  }
}

// --- the default -----------------------------------------------------------------------------

std::vector<int> divisors(std::int64_t number, std::int64_t most) {
  std::vector<int> all;
  for (std::int64_t d = 1; d <= std::min(number, most); ++d)
    if (number % d == 0) all.push_back(static_cast<int>(d));
  return all;
}

std::vector<int> powers(int most) {
  std::vector<int> all;
  for (int power = 1; power <= most; power *= 2) all.push_back(power);
  return all;
}

/// Ascending, with `always`, each once.
std::vector<int> with(std::vector<int> values, int always) {
  values.push_back(always);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

int largest_domain(const topology::Cluster& cluster, int gpus) {
  int most = 1;
  int run = 1;
  for (int gpu = 1; gpu < gpus; ++gpu) {
    const auto id = static_cast<topology::GpuId>(gpu);
    run = cluster.same_scale_up_domain(id - 1, id) ? run + 1 : 1;
    most = std::max(most, run);
  }
  return most;
}

/// `base` first, then its pipeline on neighbouring nodes, and data parallel on them.
std::vector<int> rank_orders(const Plan& base) {
  std::vector<int> orders{code_of(base.order)};
  for (const std::string_view text : {"tp-ep-cp-dp-pp", "tp-ep-cp-pp-dp"}) {
    const int code = *rank_order(text);
    if (std::find(orders.begin(), orders.end(), code) == orders.end()) orders.push_back(code);
  }
  return orders;
}

std::vector<int> schedules(const Plan& base) {
  std::vector<int> all{static_cast<int>(base.schedule)};
  for (const ScheduleKind kind :
       {ScheduleKind::one_f_one_b, ScheduleKind::interleaved, ScheduleKind::zb_h1})
    if (kind != base.schedule) all.push_back(static_cast<int>(kind));
  return all;
}

/// At least two; no stage has less than a layer.
std::vector<int> chunks(const Plan& base, int layers) {
  std::vector<int> all = divisors(layers, layers / 2);
  std::erase(all, 1);
  if (base.schedule == ScheduleKind::interleaved) all = with(all, base.virtual_stages);
  if (all.empty()) all.push_back(1);
  return all;
}

/// 0: as the policy has it.
std::vector<int> buckets(const Plan& base) {
  std::vector<int> all{0, 25 << 20, 200 << 20};
  Plan usual = base;
  usual.bucket = {};
  strategies::choose_buckets(usual);
  if (usual.bucket != base.bucket && base.bucket.count() <= std::numeric_limits<int>::max())
    all.insert(all.begin(), static_cast<int>(base.bucket.count()));
  return all;
}

/// Whether the user cut the model by hand, which fits one pipeline only.
bool cut_by_hand(const Plan& plan) {
  return plan.schedule == ScheduleKind::table || !plan.stage_layers.empty() ||
         plan.first_stage_layers || plan.last_stage_layers;
}

}  // namespace

std::string_view key_of(Axis axis) { return kind_of(axis).key; }

void Space::apply(Axis axis, int index, Plan& plan) const {
  if (matters(axis, plan))
    kind_of(axis).apply(plan, of(axis)[static_cast<std::size_t>(index)]);
  else
    neutral(axis, plan);
}

Plan Space::plan(const PlanCode& code) const {
  Plan made = base;
  made.data = 0;
  for (const AxisKind& kind : axes) apply(kind.axis, code[kind.axis], made);
  return made;
}

bool matters(Axis axis, const Plan& plan) {
  switch (axis) {
    case Axis::sequence_parallel: return plan.tensor > 1;
    case Axis::schedule: return plan.pipeline > 1 && plan.schedule != ScheduleKind::table;
    case Axis::virtual_stages:
      return plan.pipeline > 1 && plan.schedule == ScheduleKind::interleaved;
    case Axis::data_replicate: return plan.zero > 0;
    case Axis::bucket:
      return plan.zero < 3 && plan.ddp.buckets != strategies::BucketPolicy::per_parameter;
    case Axis::parameter_gather: return plan.zero > 0;
    case Axis::recompute: return plan.recompute != Recompute::operators;
    default: return true;
  }
}

std::string text_of(Axis axis, int value) { return kind_of(axis).text(value); }

Space default_space(const strategies::ModelSpec& model, const Plan& base,
                    const topology::Cluster& cluster, int gpus) {
  Space space;
  space.base = base;
  const int layers = model.layer_count();
  space.of(Axis::rank_order) = rank_orders(base);
  space.of(Axis::tensor_parallel) =
      with(divisors(largest_domain(cluster, gpus), gpus), base.tensor);
  constexpr std::int64_t long_sequence = 16384;  // where one rank's tokens become many
  space.of(Axis::context_parallel) =
      with(base.sequence >= long_sequence ? powers(16) : std::vector<int>{1}, base.context.degree);
  space.of(Axis::expert_parallel) =
      with(model.mixture ? divisors(model.mixture->experts, gpus) : std::vector<int>{1},
           base.expert.degree);
  space.of(Axis::pipeline_parallel) = with(divisors(layers, gpus), base.pipeline);
  space.of(Axis::sequence_parallel) = {1};
  if (base.tensor > 1 && !base.sequence_parallel) space.of(Axis::sequence_parallel) = {1, 0};
  space.of(Axis::micro_batch) = with(powers(16), base.micro_batch);
  space.of(Axis::recompute) = {static_cast<int>(Recompute::none),
                               static_cast<int>(Recompute::selective),
                               static_cast<int>(Recompute::full)};
  space.of(Axis::schedule) = schedules(base);
  space.of(Axis::virtual_stages) = chunks(base, layers);
  space.of(Axis::zero) = {0, 1, 2, 3};
  space.of(Axis::data_replicate) = with(powers(64), base.data_replicate);
  space.of(Axis::bucket) = buckets(base);
  space.of(Axis::gradient_reduce) = {1, 0};
  space.of(Axis::parameter_gather) = {1, 0};
  if (cut_by_hand(base)) {
    space.of(Axis::pipeline_parallel) = {base.pipeline};
    space.of(Axis::schedule) = {static_cast<int>(base.schedule)};
    space.of(Axis::virtual_stages) = {base.virtual_stages};
  }
  return space;
}

base::Result<Space> with_axes(Space space, const std::vector<compare::Axis>& axes_of_user,
                              const std::string& file) {
  base::Diagnostics mistakes;
  for (const compare::Axis& wanted : axes_of_user) {
    const auto kind = std::find_if(axes.begin(), axes.end(),
                                   [&](const AxisKind& one) { return one.key == wanted.path; });
    if (kind == axes.end()) {
      mistakes.push_back({{file, wanted.line, wanted.column},
                          fmt::format("a search does not vary '{}'", wanted.path),
                          "set it in the scenario, or compare without --search"});
      continue;
    }
    std::vector<int> values;
    for (std::size_t i = 0; i < wanted.words.size(); ++i)
      if (const auto value = kind->parse(wanted.words[i]))
        values.push_back(*value);
      else
        mistakes.push_back({{file, wanted.values[i].line, wanted.values[i].column},
                            fmt::format("'{}' is not {}", wanted.words[i], kind->wanted),
                            {}});
    space.of(kind->axis) = std::move(values);
  }
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return space;
}

}  // namespace sim::search
