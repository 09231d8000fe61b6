#include "sim/training/framework.hpp"

#include <array>
#include <filesystem>
#include <tuple>
#include <utility>

#include "base/document.hpp"
#include "base/folder.hpp"
#include "base/map_reader.hpp"

namespace sim::training {

namespace {

constexpr std::array<std::pair<std::string_view, VocabularyPadding>, 3> padding_names{{
    {"none", VocabularyPadding::none},
    {"tensor", VocabularyPadding::tensor},
    {"tensor_128", VocabularyPadding::tensor_128},
}};
constexpr std::array<std::pair<std::string_view, PrintedPeak>, 2> peak_names{{
    {"fullest_rank", PrintedPeak::fullest_rank},
    {"rank_0_after_backward", PrintedPeak::rank_0_after_backward},
}};
constexpr std::array<std::pair<std::string_view, bool>, 2> stage_names{{
    {"equal", false},
    {"by_cost", true},
}};

constexpr std::array<std::pair<std::string_view, strategies::TensorOverlap>, 2> overlap_names{{
    {"parts", strategies::TensorOverlap::parts},
    {"own_part", strategies::TensorOverlap::own_part},
}};

Framework::Recipe read_recipe(base::MapReader& reader) {
  Framework::Recipe recipe;
  reader.require("framework", recipe.framework);
  reader.read("model", recipe.model);
  reader.read("gpu", recipe.gpu);
  reader.read("overlaps_tensor", recipe.overlaps_tensor);
  base::DType gradients{};
  if (reader.read_choice("gradients", gradients, base::dtype_names)) recipe.gradients = gradients;
  recipe.recompute_operators = strategies::read_operators(reader);
  strategies::Dispatcher dispatcher{};
  if (reader.read_choice("dispatcher", dispatcher, strategies::dispatcher_names))
    recipe.dispatcher = dispatcher;
  reader.read("overlaps_experts", recipe.overlaps_experts);
  reader.finish();
  return recipe;
}

void read_rows(base::MapReader reader, Framework& framework) {
  for (base::MapReader& from : reader.maps("from")) {
    Framework::Rows& rows = framework.rows.emplace_back();
    from.require("framework", rows.framework);
    from.read("source", rows.source);
    from.finish();
  }
  for (base::MapReader& recipe : reader.maps("recipes"))
    framework.recipes.push_back(read_recipe(recipe));
  reader.read_choice("vocabulary", framework.padding, padding_names);
  reader.read("fp16_gradients", framework.fp16_gradients);
  reader.read("fp16_dropout", framework.fp16_dropout, base::Range<double>{0, 1});
  reader.read("sequence_parallel", framework.sequence_parallel);
  reader.read_choice("stages", framework.stages_by_cost, stage_names);
  reader.read("reduces_early_without_zero", framework.reduces_early_without_zero);
  reader.read_choice("tensor_overlap", framework.tensor_overlap, overlap_names);
  reader.read_choice("peak_memory", framework.peak, peak_names);
  reader.finish();
}

/// Adds the profile of a file, if it is one of rows.
base::Diagnostics add(const std::string& path, std::vector<Framework>& all) {
  const base::Result<std::string> text = base::read_file(path);
  if (!text) return text.error();
  const base::Result<base::Document> document = base::parse_yaml(*text, path);
  if (!document) return document.error();
  base::Diagnostics problems;
  base::MapReader reader(*document, document->root, "", problems);
  Framework framework;
  framework.name = std::filesystem::path(path).stem().string();
  if (auto plan = reader.required_map("plan")) {
    framework.plan = strategies::read_plan_defaults(*plan);
    if (framework.plan.schedule == strategies::ScheduleKind::table && reader.has("published_rows"))
      plan->error("schedule_file", "published rows do not bring the file of their schedule",
                  "name a schedule, or leave out published_rows");
    plan->finish();
  }
  if (auto rows = reader.map("published_rows")) {
    read_rows(*rows, framework);
    all.push_back(std::move(framework));
  }
  reader.finish();
  return problems;
}

}  // namespace

base::Result<Frameworks> Frameworks::read(const std::string& folder) {
  Frameworks frameworks;
  base::Diagnostics problems;
  const auto files = base::yaml_files(folder);
  if (!files) return tl::unexpected(base::Diagnostics{{{folder}, "cannot be read"}});
  for (const std::string& file : *files) {
    base::Diagnostics of_file = add(file, frameworks.all_);
    problems.insert(problems.end(), of_file.begin(), of_file.end());
  }
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return frameworks;
}

std::vector<const Framework::Recipe*> Framework::recipes_of(const Row& row) const {
  std::vector<const Recipe*> of_row;
  for (const Recipe& recipe : recipes)
    if (row.framework.starts_with(recipe.framework) && row.model.starts_with(recipe.model) &&
        row.gpu.starts_with(recipe.gpu))
      of_row.push_back(&recipe);
  return of_row;
}

const Framework& Frameworks::of(const Row& row) const {
  const Framework* best = &other_;
  std::tuple<std::size_t, std::size_t> most{0, 0};
  for (const Framework& one : all_)
    for (const Framework::Rows& rows : one.rows) {
      const std::tuple said{rows.framework.size(), rows.source.size()};
      if (!row.framework.starts_with(rows.framework) || said <= most) continue;
      if (row.source.find(rows.source) == std::string::npos) continue;
      most = said;
      best = &one;
    }
  return *best;
}

}  // namespace sim::training
