#include <memory>
#include <string>
#include <utility>

#include "base/document.hpp"
#include "calibrate/backend.hpp"
#include "calibrate/csv.hpp"
#include "calibrate/validate_collectives.hpp"
#include "calibrate/validate_kernels.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "sim/collective_sweep.hpp"
#include "topology/cluster.hpp"
#include "topology/hardware.hpp"
#include "viz/score.hpp"

namespace cli {

namespace {

struct ValidateOptions {
  std::string table;
  std::string json;
};

using Scorer = base::Result<calibrate::Score> (*)(const calibrate::Csv&,
                                                  const topology::HardwareRegistry&);

base::Result<calibrate::Score> score_kernels(const calibrate::Csv& table,
                                             const topology::HardwareRegistry& registry) {
  const auto rows = calibrate::read_kernel_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  return calibrate::validate_kernels(*rows, registry, hardware_folder());
}

base::Result<calibrate::Score> score_collectives(const calibrate::Csv& table,
                                                 const topology::HardwareRegistry& registry) {
  const auto rows = calibrate::read_collective_rows(table);
  if (!rows) return tl::unexpected(rows.error());
  const auto backend = calibrate::make_backend({});
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
        return sim::play_collectives(**backend, cluster, calls);
      });
}

base::Result<calibrate::Score> score_table(const std::string& path, Scorer scorer) {
  const base::Result<std::string> text = base::read_file(path);
  if (!text) return tl::unexpected(text.error());
  const base::Result<calibrate::Csv> table = calibrate::parse_csv(*text, path);
  if (!table) return tl::unexpected(table.error());
  const auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) return tl::unexpected(registry.error());
  base::Result<calibrate::Score> score = scorer(*table, *registry);
  if (score) score->table = path;
  return score;
}

void validate(const ValidateOptions& options, Scorer scorer) {
  const base::Result<calibrate::Score> score = score_table(options.table, scorer);
  if (!score) {
    print(score.error());
    leave_with(mistake);
  }
  if (!options.json.empty()) write_output(options.json, viz::score_json(*score));
  if (options.json != "-") write_output("-", viz::score_text(*score));
}

void add_table(CLI::App& group, const std::string& name, const std::string& help, Scorer scorer) {
  CLI::App* command = group.add_subcommand(name, help);
  const auto options = std::make_shared<ValidateOptions>();
  command->add_option("--table", options->table, "the measurements")->type_name("CSV")->required();
  command->add_option("--json", options->json, "write the score as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->callback([options, scorer] { validate(*options, scorer); });
}

}  // namespace

void setup_validate(CLI::App& app) {
  CLI::App* group =
      app.add_subcommand("validate", "compare predictions with a table of measurements");
  group->require_subcommand(1);
  add_table(*group, "kernels", "GEMMs and attention on one GPU", score_kernels);
  add_table(*group, "collectives", "collectives of one size on one group", score_collectives);
}

}  // namespace cli
