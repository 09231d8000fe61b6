#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "calibrate/seen_cluster.hpp"
#include "cli/calibration_file.hpp"
#include "cli/cluster_argument.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/topology.hpp"
#include "topology/difference.hpp"
#include "viz/cluster_survey.hpp"
#include "viz/topology_json.hpp"

namespace cli {

namespace {

struct DiffCommand {
  ClusterArgument options;
  std::string before;
  std::string after;
  std::string db;
  std::string json;
  PageOption page;
};

void diff(const DiffCommand& command) {
  topology::FoundCluster before = command.options.import({command.before});
  topology::FoundCluster after;
  if (!command.db.empty()) {
    const auto store = open_calibration(command.db, calibrate::store::Access::read);
    calibrate::SeenCluster seen = calibrate::seen_cluster(store.all(), before);
    print({{{command.db},
            fmt::format("nothing was measured on {} of {} nodes", seen.unmeasured,
                        before.nodes.size()),
            "",
            base::Severity::note}});
    before = std::move(seen.told);
    after = std::move(seen.seen);
  } else {
    after = command.options.import({command.after});
  }
  const std::vector<topology::Change> changes = topology::difference(before, after);
  const std::string json = viz::cluster_difference_json(changes);
  if (!command.json.empty()) write_output(command.json, json);
  if (command.page.wanted())
    command.page.write(
        {json, viz::topology_json(before, nullptr, {}), viz::topology_json(after, nullptr, {})});
  if (command.json != "-") write_output("-", viz::cluster_difference_text(changes));
}

}  // namespace

void add_topology_diff(CLI::App& group) {
  CLI::App* command = group.add_subcommand("diff", "what changed between two dumps of a cluster");
  const auto options = std::make_shared<DiffCommand>();
  command->add_option("BEFORE", options->before, "a dump, in any known format")
      ->type_name("FILE")
      ->required();
  CLI::Option_group* later = command->add_option_group("later");
  later->add_option("AFTER", options->after, "a later one")->type_name("FILE");
  later->add_option("--db", options->db, "instead of a later dump: what a calibration saw")
      ->type_name("FILE");
  later->require_option(1);
  options->options.add_options_to(*command);
  command->add_option("--json", options->json, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  options->page.add_to(*command);
  command->callback([options] { diff(*options); });
}

}  // namespace cli
