#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/graphviz.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"
#include "viz/viz.hpp"

namespace cli {

namespace {

struct RenderOptions {
  ScenarioArgument scenario;
  std::string dot;
  std::string svg;
};

void render(const RenderOptions& options) {
  const sim::Scenario scenario = options.scenario.load();
  print(scenario.cluster.notes());
  const std::string dot = viz::topology_dot(scenario.cluster, {});
  const bool nowhere = options.dot.empty() && options.svg.empty();
  if (nowhere || !options.dot.empty()) write_output(nowhere ? "-" : options.dot, dot);
  if (!options.svg.empty()) write_svg(options.svg, dot);
}

}  // namespace

void setup_topology(CLI::App& app) {
  CLI::App* group = app.add_subcommand("topology", "look at the cluster of a scenario");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand("render", "draw the cluster graph; DOT on stdout");
  const auto options = std::make_shared<RenderOptions>();
  options->scenario.add_to(*command);
  command->add_option("--dot", options->dot, "write DOT to a file; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->add_option("--svg", options->svg, "write a picture, drawn by Graphviz")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
  command->callback([options] { render(*options); });
}

}  // namespace cli
