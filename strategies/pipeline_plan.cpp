#include "strategies/pipeline_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.hpp"
#include "strategies/plan_names.hpp"

namespace strategies {

namespace {

void read_stage_layers(base::MapReader& reader, std::vector<int>& layers) {
  std::vector<double> counts;
  if (!reader.read("stage_layers", counts)) return;
  for (const double count : counts) {
    if (count < 0 || count > degree_max || count != std::floor(count)) {
      reader.error("stage_layers", fmt::format("{} is no number of layers", count));
      layers.clear();
      return;
    }
    layers.push_back(static_cast<int>(count));
  }
  if (counts.empty())
    reader.error("stage_layers", "'stage_layers' must have a number for each virtual stage");
}

/// Divides `units` into `parts`, the first ones longer by one where it does not come out even.
std::vector<int> divided(int units, int parts) {
  std::vector<int> lengths(static_cast<std::size_t>(parts), units / parts);
  for (int i = 0; i < units % parts; ++i) ++lengths[static_cast<std::size_t>(i)];
  return lengths;
}

/// How many layers lie between the stages whose layers the plan gives, and how many stages.
struct Between {
  int layers = 0;
  int stages = 0;
};
Between between(const Plan& plan, int layers) {
  Between rest{layers, plan.pipeline};
  for (const std::optional<int>& given : {plan.first_stage_layers, plan.last_stage_layers})
    if (given) {
      rest.layers -= *given;
      --rest.stages;
    }
  return rest;
}

/// Of a rank's layers to each of its chunks. Megatron's num_layers_in_first_pipeline_stage and
/// num_layers_in_last_pipeline_stage: the other stages have equal shares of the rest.
std::vector<int> lengths_with_given_ends(const Plan& plan, int layers) {
  const Between rest = between(plan, layers);
  const std::vector<int> inner =
      rest.stages > 0 ? divided(rest.layers, rest.stages) : std::vector<int>{};
  std::vector<int> ranks;
  if (plan.first_stage_layers) ranks.push_back(*plan.first_stage_layers);
  ranks.insert(ranks.end(), inner.begin(), inner.end());
  if (plan.last_stage_layers) ranks.push_back(*plan.last_stage_layers);
  const PipelineShape shape = plan.shape();
  std::vector<int> lengths;
  const int chunks = shape.depth() / shape.stages;
  for (int chunk = 0; chunk < chunks; ++chunk)
    for (const int of_rank : ranks) lengths.push_back(of_rank / chunks);
  return lengths;
}

/// Layers of each virtual stage, in the order of the model.
std::vector<int> stage_lengths(const Plan& plan, int layers) {
  if (!plan.stage_layers.empty()) return plan.stage_layers;
  if (plan.first_stage_layers || plan.last_stage_layers)
    return lengths_with_given_ends(plan, layers);
  const int before = plan.account_for_embedding ? 1 : 0;
  const int after = plan.account_for_loss ? 1 : 0;
  std::vector<int> lengths = divided(layers + before + after, plan.shape().depth());
  lengths.front() -= before;
  lengths.back() -= after;
  return lengths;
}

class StageCheck {
 public:
  StageCheck(const Plan& plan, const ModelSpec& model, const ReportMistake& report)
      : plan_(plan), layers_(model.layer_count()), report_(report) {}

  void schedule() {
    const bool interleaved = plan_.schedule == ScheduleKind::interleaved;
    if (plan_.schedule == ScheduleKind::table) {
      written();
    } else if (!interleaved && plan_.virtual_stages > 1 &&
               plan_.virtual_stages != plan_.shape().chunks) {
      const int chunks = plan_.shape().chunks;
      error("virtual_stages",
            fmt::format("virtual_stages is {}, but the schedule is '{}'{}", plan_.virtual_stages,
                        name_of(plan_.schedule),
                        chunks > 1 ? fmt::format(", which has {}", chunks) : ""),
            chunks > 1 ? "leave out virtual_stages" : "use schedule: interleaved");
    }
    if (interleaved && plan_.virtual_stages < 2)
      error("schedule", "schedule 'interleaved' needs virtual_stages of at least 2");
    if (interleaved && plan_.pipeline < 2)
      error("schedule", "schedule 'interleaved' needs pipeline_parallel of at least 2");
    if (plan_.overlap.expert && !can_pair())
      error("overlap.expert",
            fmt::format("schedule '{}' has no forward and backward that could run at once",
                        name_of(plan_.schedule)),
            "use interleaved or eager-1f1b, or pipeline_parallel: 1; dualpipe and dualpipe-v do so "
            "by themselves, and a table says it of its cells");
    if (plan_.schedule == ScheduleKind::dualpipe && plan_.pipeline % 2 != 0)
      error("schedule", fmt::format("schedule 'dualpipe' needs an even number of stages, but "
                                    "pipeline_parallel is {}",
                                    plan_.pipeline));
  }

  void lengths() {
    const PipelineShape shape = plan_.shape();
    if (std::int64_t{shape.stages} * shape.chunks > std::int64_t{2} * (layers_ + 2))
      return not_divided();  // nor can so many stages be counted
    const bool ends = plan_.first_stage_layers || plan_.last_stage_layers;
    const bool counts_blocks = plan_.account_for_embedding || plan_.account_for_loss;
    const std::string_view given = !plan_.stage_layers.empty() ? "stage_layers"
                                   : plan_.first_stage_layers  ? "first_stage_layers"
                                                               : "last_stage_layers";
    if ((ends || !plan_.stage_layers.empty()) && counts_blocks)
      return error(given,
                   fmt::format("'{}' says what stages hold, so that account_for_embedding and "
                               "account_for_loss have no effect",
                               given),
                   "leave out one or the other");
    if (ends && !plan_.stage_layers.empty())
      return error("stage_layers", "the layers of a stage are said twice",
                   "leave out stage_layers, or first_stage_layers and last_stage_layers");
    if (!plan_.stage_layers.empty())
      explicit_lengths();
    else if (ends)
      given_ends();
    else
      equal_lengths();
  }

 private:
  void error(std::string_view key, std::string message, std::string hint = {}) const {
    report_(key, std::move(message), std::move(hint));
  }

  /// Not 1F1B between stages: there the next pair's forward needs what the stage before computes
  /// in its own pair meanwhile.
  bool can_pair() const {
    return plan_.schedule == ScheduleKind::interleaved ||
           plan_.schedule == ScheduleKind::eager_1f1b ||
           (plan_.schedule == ScheduleKind::one_f_one_b && plan_.pipeline == 1);
  }

  void written() {
    if (plan_.written == nullptr) return;  // the file could not be read, which was said
    if (plan_.written->table.shape.stages != plan_.pipeline)
      error("schedule_file",
            fmt::format("'{}' has {} stages, but pipeline_parallel is {}", plan_.schedule_file,
                        plan_.written->table.shape.stages, plan_.pipeline));
    if (plan_.virtual_stages > 1)
      error("virtual_stages", "the table says how many virtual stages a rank has",
            "leave out virtual_stages");
  }

  std::string stages_in_words() const {
    const PipelineShape shape = plan_.shape();
    const int chunks = shape.depth() / shape.stages;
    return fmt::format("{} pipeline stages{}", shape.depth(),
                       chunks > 1 ? fmt::format(" ({} x {} virtual)", plan_.pipeline, chunks) : "");
  }

  void explicit_lengths() {
    const std::vector<int>& counts = plan_.stage_layers;
    const int depth = plan_.shape().depth();
    const std::int64_t sum = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    if (static_cast<int>(counts.size()) != depth)
      error("stage_layers",
            fmt::format("{} numbers of layers for {}", counts.size(), stages_in_words()));
    else if (sum != layers_)
      error("stage_layers", fmt::format("stages of {} layers, but the model has {}", sum, layers_));
    else
      no_empty_stage("stage_layers", counts);
  }

  void given_ends() {
    const std::string_view key =
        plan_.first_stage_layers ? "first_stage_layers" : "last_stage_layers";
    const PipelineShape shape = plan_.shape();
    const int chunks = shape.depth() / shape.stages;
    if (shape.layout == PipelineLayout::v_shape)
      return error(key, "the first rank of a V-shape holds both ends of the model",
                   "use stage_layers");
    if (plan_.pipeline < 2) return error(key, "one stage holds all layers");
    for (const auto& [name, given] : {std::pair("first_stage_layers", plan_.first_stage_layers),
                                      std::pair("last_stage_layers", plan_.last_stage_layers)})
      if (given && *given % chunks != 0)
        return error(name, fmt::format("{} layers cannot be divided by {} virtual stages of a rank",
                                       *given, chunks));
    const Between rest = between(plan_, layers_);
    const int parts = rest.stages * chunks;
    if (rest.layers < 0 || (parts == 0 && rest.layers > 0))
      return error(key,
                   fmt::format("{} layers are left for {} other stages", rest.layers, rest.stages));
    if (parts > 0 && (chunks > 1 || plan_.uneven == Uneven::refused) && rest.layers % parts != 0)
      return error(key, fmt::format("{} layers that are left cannot be divided by {} other stages",
                                    rest.layers, parts));
    no_empty_stage(key, stage_lengths(plan_, layers_));
  }

  void equal_lengths() {
    const int depth = plan_.shape().depth();
    const int units =
        layers_ + (plan_.account_for_embedding ? 1 : 0) + (plan_.account_for_loss ? 1 : 0);
    if (units % depth == 0)
      return no_empty_stage("pipeline_parallel", stage_lengths(plan_, layers_));
    if (plan_.uneven == Uneven::refused) return not_divided();
    no_empty_stage("pipeline_parallel", stage_lengths(plan_, layers_));
  }

  void not_divided() const {
    const PipelineShape shape = plan_.shape();
    const std::int64_t depth = shape.layout == PipelineLayout::bidirectional
                                   ? shape.stages
                                   : std::int64_t{shape.stages} * shape.chunks;
    const int units =
        layers_ + (plan_.account_for_embedding ? 1 : 0) + (plan_.account_for_loss ? 1 : 0);
    error("pipeline_parallel",
          fmt::format("{} layers cannot be divided by {} pipeline stages{}", units, depth,
                      depth > shape.stages
                          ? fmt::format(" ({} x {} virtual)", plan_.pipeline, shape.chunks)
                          : ""),
          (layers_ + 2) % depth == 0
              ? "set account_for_embedding and account_for_loss to count both as layers"
              : "");
  }

  /// Only the ends have something to do without layers: the embedding and the head. Others pass on
  /// what they get, if asked for; FSDP has no unit to compute there.
  void no_empty_stage(std::string_view key, const std::vector<int>& lengths) const {
    for (std::size_t v = 0; v < lengths.size(); ++v) {
      const bool end = v == 0 || v + 1 == lengths.size();
      const bool may_pass_on = plan_.uneven == Uneven::first && plan_.zero < 3;
      if (lengths[v] < 0 || (lengths[v] == 0 && !end && !may_pass_on))
        return error(key, fmt::format("virtual stage {} of {} holds no layer", v, lengths.size()));
    }
  }

  const Plan& plan_;
  int layers_;
  const ReportMistake& report_;
};

}  // namespace

PipelineShape Plan::shape() const {
  if (schedule == ScheduleKind::table && written != nullptr) return written->table.shape;
  if (schedule == ScheduleKind::interleaved)
    return {PipelineLayout::interleaved, pipeline, virtual_stages};
  const PipelineLayout layout =
      schedule == ScheduleKind::table ? PipelineLayout::interleaved : layout_of(schedule);
  return {layout, pipeline, layout == PipelineLayout::interleaved ? 1 : 2};
}

bool Plan::ends_apart() const {
  return pipeline > 1 && shape().layout == PipelineLayout::interleaved;
}

void read_pipeline(base::MapReader& reader, Plan& plan) {
  const base::Range<int> degree{1, degree_max};
  reader.read("pipeline_parallel", plan.pipeline, degree);
  reader.read_choice("schedule", plan.schedule, schedule_names);
  reader.read("schedule_file", plan.schedule_file);
  if (plan.schedule_file.empty() == (plan.schedule == ScheduleKind::table))
    reader.error(reader.has("schedule_file") ? "schedule_file" : "schedule",
                 "'schedule: table' and 'schedule_file' go together");
  reader.read("virtual_stages", plan.virtual_stages, degree);
  read_stage_layers(reader, plan.stage_layers);
  const base::Range<int> count{0, degree_max};
  const auto read_count = [&](std::string_view key, std::optional<int>& out) {
    int layers = 0;
    if (reader.read(key, layers, count)) out = layers;
  };
  read_count("first_stage_layers", plan.first_stage_layers);
  read_count("last_stage_layers", plan.last_stage_layers);
  reader.read_choice("uneven", plan.uneven, uneven_names);
  reader.read("account_for_embedding", plan.account_for_embedding);
  reader.read("account_for_loss", plan.account_for_loss);
}

void check_stages(const Plan& plan, const ModelSpec& model, const ReportMistake& report) {
  StageCheck check(plan, model, report);
  if (plan.schedule != ScheduleKind::table || plan.written != nullptr) check.lengths();
  check.schedule();
}

void check_micro_batches(const Plan& plan, const ReportMistake& report) {
  if (plan.schedule == ScheduleKind::table) {
    if (plan.written != nullptr && plan.written->table.micro_batches != plan.micro_batches())
      report("schedule_file",
             fmt::format("'{}' has {} micro-batches, but a rank has {}", plan.schedule_file,
                         plan.written->table.micro_batches, plan.micro_batches()),
             "set global_batch to micro-batches x micro_batch x data_parallel");
    return;
  }
  const PipelineShape shape = plan.shape();
  std::string problem =
      shape_problem(plan.schedule, shape.stages, shape.chunks, plan.micro_batches());
  if (!problem.empty()) report("global_batch", std::move(problem), "");
}

std::vector<std::vector<Chunk>> cut_layers(const Plan& plan, const ModelSpec& model) {
  const int layers = model.layer_count();
  const std::vector<int> lengths = stage_lengths(plan, layers);
  const PipelineShape shape = plan.shape();
  CHECK_INVARIANT(static_cast<int>(lengths.size()) == shape.depth());
  std::vector<int> first{0};
  for (const int length : lengths) first.push_back(first.back() + length);
  CHECK_INVARIANT(first.back() == layers);
  std::vector<std::vector<Chunk>> cut(static_cast<std::size_t>(shape.stages));
  for (int stage = 0; stage < shape.stages; ++stage)
    for (int chunk = 0; chunk < shape.chunks; ++chunk) {
      const int v = shape.virtual_stage({stage, chunk});
      const auto i = static_cast<std::size_t>(v);
      cut[static_cast<std::size_t>(stage)].push_back(
          {first[i], first[i + 1], v == 0, v + 1 == shape.depth()});
    }
  return cut;
}

}  // namespace strategies
