#include <memory>
#include <string>
#include <utility>

#include "base/csv.hpp"
#include "base/document.hpp"
#include "calibrate/backend.hpp"
#include "calibrate/calibrated_profile.hpp"
#include "calibrate/validate_collectives.hpp"
#include "calibrate/validate_kernels.hpp"
#include "cli/calibration_option.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/fidelity_option.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/progress.hpp"
#include "cli/validate_training.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/collective_sweep.hpp"
#include "topology/cluster.hpp"
#include "topology/hardware.hpp"
#include "viz/score.hpp"
#include "viz/training_score.hpp"

namespace cli {

namespace {

struct ValidateOptions {
  std::string table;
  std::string json;
  PageOption page;
  std::string fidelity;  ///< hybrid when empty; of training steps only
  CalibrationOption calibration;
};

using Scorer = base::Result<base::Score> (*)(const base::Csv&, const topology::HardwareRegistry&,
                                             const calibrate::Calibrations&);

base::Result<base::Score> score_kernels(const base::Csv& table,
                                        const topology::HardwareRegistry& registry,
                                        const calibrate::Calibrations& calibrations) {
  const auto rows = calibrate::read_kernel_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  return calibrate::validate_kernels(*rows, registry, hardware_folder(), calibrations);
}

base::Result<base::Score> score_collectives(const base::Csv& table,
                                            const topology::HardwareRegistry& registry,
                                            const calibrate::Calibrations& calibrations) {
  const auto rows = calibrate::read_collective_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  const auto backend = calibrate::make_backend({.hardware_folder = hardware_folder()});
  if (!backend) return tl::unexpected(backend.error());
  const auto shared = std::make_shared<const topology::HardwareRegistry>(registry);
  return calibrate::validate_collectives(
      *rows, registry,
      [&](const calibrate::CollectiveSetting& setting,
          std::span<const calibrate::CollectiveRow* const> of) {
        std::vector<sim::CollectiveCall> calls;
        for (const calibrate::CollectiveRow* row : of)
          calls.push_back({*calibrate::operation_of(row->collective),
                           base::Bytes::from_double(row->size_bytes)});
        const topology::Cluster cluster =
            topology::uniform_cluster(setting.node, setting.nodes, setting.ranks_per_node, shared);
        const calibrate::MadeProfile made = value_or_leave(calibrate::make_calibrated_profile(
            calibrations, cluster.gpu_spec(0), setting.ranks_per_node, hardware_folder(),
            {.backend = *backend}));
        return sim::play_collectives(
            [&](base::Collective op, base::Bytes bytes, const calibrate::GroupShape& shape) {
              return made.profile->collective(op, bytes, shape);
            },
            cluster, calls);
      });
}

base::Result<base::Csv> read_table(const std::string& path) {
  const base::Result<std::string> text = base::read_file(path);
  if (!text) return tl::unexpected(text.error());
  return base::parse_csv(*text, path);
}

base::Result<base::Score> score_table(const ValidateOptions& options, Scorer scorer) {
  const std::string& path = options.table;
  const base::Result<base::Csv> table = read_table(path);
  if (!table) return tl::unexpected(table.error());
  const auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) return tl::unexpected(registry.error());
  base::Result<base::Score> score = scorer(*table, *registry, options.calibration.load());
  if (score) score->table = path;
  return score;
}

void write_score(const ValidateOptions& options, const std::string& json, const std::string& text) {
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted()) options.page.write({json});
  if (options.json != "-") write_output("-", text);
}

void validate(const ValidateOptions& options, Scorer scorer) {
  const base::Score score = value_or_leave(score_table(options, scorer));
  write_score(options, viz::score_json(score), viz::score_text(score));
}

sim::training::Score score_steps(const ValidateOptions& options) {
  const base::Csv table = value_or_leave(read_table(options.table));
  const auto registry = std::make_shared<const topology::HardwareRegistry>(
      value_or_leave(topology::HardwareRegistry::read(hardware_folder())));
  Progress progress("forecasting");
  sim::training::Score score =
      value_or_leave(score_training(table, registry, options.calibration.load(),
                                    fidelity_of(options.fidelity).value_or(sim::Fidelity::hybrid),
                                    [&progress](double share) { progress.update(share); }));
  score.steps.table = options.table;
  return score;
}

CLI::App* add_table(CLI::App& group, const std::string& name, const std::string& help,
                    const std::shared_ptr<ValidateOptions>& options) {
  CLI::App* command = group.add_subcommand(name, help);
  command->add_option("--table", options->table, "the measurements")->type_name("CSV")->required();
  options->calibration.add_to(*command);
  command->add_option("--json", options->json, "write the score as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  options->page.add_to(*command);
  return command;
}

void add_scorer(CLI::App& group, const std::string& name, const std::string& help, Scorer scorer) {
  const auto options = std::make_shared<ValidateOptions>();
  add_table(group, name, help, options)->callback([options, scorer] {
    validate(*options, scorer);
  });
}

void add_training(CLI::App& group) {
  const auto options = std::make_shared<ValidateOptions>();
  CLI::App* command =
      add_table(group, "training", "training steps of models, plans and clusters", options);
  add_fidelity(*command, options->fidelity);
  command->callback([options] {
    const sim::training::Score score = score_steps(*options);
    write_score(*options, viz::training_score_json(score), viz::training_score_text(score));
  });
}

}  // namespace

void setup_validate(CLI::App& app) {
  CLI::App* group =
      app.add_subcommand("validate", "compare predictions with a table of measurements");
  group->require_subcommand(1);
  add_training(*group);
  add_scorer(*group, "kernels", "GEMMs and attention on one GPU", score_kernels);
  add_scorer(*group, "collectives", "collectives of one size on one group", score_collectives);
}

}  // namespace cli
