#include <memory>
#include <string>

#include "cli/cluster_argument.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/topology.hpp"
#include "topology/survey.hpp"
#include "viz/cluster_survey.hpp"
#include "viz/topology_json.hpp"

namespace cli {

namespace {

struct ShowCommand {
  ClusterArgument cluster;
  std::string json;
  PageOption page;
};

void show(const ShowCommand& command) {
  const ClusterArgument::Loaded loaded = command.cluster.load();
  base::Diagnostics why_not = loaded.why_not;
  for (base::Diagnostic& one : why_not)  // what stands in the dumps is shown all the same
    if (one.severity == base::Severity::error) one.severity = base::Severity::warning;
  print(why_not);
  const topology::Survey survey =
      topology::survey(loaded.found, loaded.cluster ? &*loaded.cluster : nullptr);
  const std::string json = viz::cluster_survey_json(loaded.found, survey);
  if (!command.json.empty()) write_output(command.json, json);
  if (command.page.wanted())
    command.page.write(
        {json, viz::topology_json(loaded.found, loaded.cluster ? &*loaded.cluster : nullptr, {})});
  if (command.json != "-") write_output("-", viz::cluster_survey_text(loaded.found, survey));
}

}  // namespace

void add_topology_show(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "show", "inventory, free nodes by level, oversubscription, bisection, anomalies");
  const auto options = std::make_shared<ShowCommand>();
  options->cluster.add_to(*command);
  command->add_option("--json", options->json, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  options->page.add_to(*command);
  command->callback([options] { show(*options); });
}

}  // namespace cli
