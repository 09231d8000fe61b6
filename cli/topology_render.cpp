#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cluster_argument.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/graphviz.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/progress.hpp"
#include "cli/topology.hpp"
#include "cli/value_or_leave.hpp"
#include "viz/cluster_map.hpp"
#include "viz/topology_json.hpp"
#include "viz/viz.hpp"

namespace cli {

namespace {

enum class Colour { state, job, rank, load };

constexpr std::array<std::pair<std::string_view, Colour>, 4> colour_names{{
    {"state", Colour::state},
    {"job", Colour::job},
    {"rank", Colour::rank},
    {"load", Colour::load},
}};

struct RenderCommand {
  ClusterArgument cluster;
  std::string colour;
  std::string dot;
  std::string svg;
  std::string png;
  std::string json;
  PageOption page;
};

[[noreturn]] void refuse(std::string message, std::string hint = {}) {
  print({{{}, std::move(message), std::move(hint)}});
  leave_with(mistake);
  std::abort();  // not reached: leave_with throws
}

std::optional<Colour> colour_of(const std::string& name) {
  for (const auto& [known, colour] : colour_names)
    if (known == name) return colour;
  return std::nullopt;
}

const sim::Scenario& scenario_of(const ClusterArgument::Loaded& loaded, const std::string& what) {
  if (!loaded.scenario)
    refuse("--colour " + what + " needs a scenario of one job",
           "dumps become one by 'cluster: {import: FILE}'");
  return *loaded.scenario;
}

/// Use of each link in the step of the scenario.
std::vector<double> loads_of(const sim::Scenario& scenario) {
  Progress progress("simulating");
  return value_or_leave(forecast(scenario, {}, scenario.fidelity,
                                 [&progress](double share) { progress.update(share); }))
      .report.link_utilisation;
}

/// Groups by pipeline stage: where the least traffic crosses, and what people look for first.
viz::ClusterMap rank_map(const ClusterArgument::Loaded& loaded, const sim::Scenario& scenario) {
  const std::vector<topology::GpuId> gpus = sim::place_ranks(scenario);
  std::map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < loaded.found.nodes.size(); ++i) at[loaded.found.nodes[i].name] = i;
  std::vector<int> group(loaded.found.nodes.size(), -1);
  std::vector<int> first(loaded.found.nodes.size(), -1);
  const strategies::RankGrid grid = scenario.plan.grid();
  for (std::size_t rank = 0; rank < gpus.size(); ++rank) {
    const std::string& node =
        scenario.cluster.nodes()[static_cast<std::size_t>(scenario.cluster.node_of(gpus[rank]))]
            .name;
    const std::size_t index = at.at(node);
    if (first[index] >= 0) continue;
    first[index] = static_cast<int>(rank);
    group[index] = grid.coordinate(static_cast<int>(rank), strategies::Axis::pipeline);
  }
  std::vector<std::string> names;
  for (int stage = 0; stage < scenario.plan.pipeline; ++stage)
    names.push_back("stage " + std::to_string(stage));
  return viz::map_of_ranks(loaded.found, group, first, names);
}

void write_pictures(const RenderCommand& command, const std::string& dot) {
  if (!command.dot.empty()) write_output(command.dot, dot);
  if (!command.svg.empty()) write_picture(command.svg, "svg", dot);
  if (!command.png.empty()) write_picture(command.png, "png", dot);
  if (command.dot.empty() && command.svg.empty() && command.png.empty() && command.json.empty() &&
      !command.page.wanted())
    write_output("-", dot);
}

void render(const RenderCommand& command) {
  const std::optional<Colour> colour = colour_of(command.colour);
  if (!command.colour.empty() && !colour)
    refuse("unknown colouring '" + command.colour + "'", "state, job, rank or load");
  const ClusterArgument::Loaded loaded = command.cluster.load();
  std::vector<double> loads;
  if (colour == Colour::load) loads = loads_of(scenario_of(loaded, "load"));
  const std::string json =
      viz::topology_json(loaded.found, loaded.cluster ? &*loaded.cluster : nullptr, loads);
  if (!command.json.empty()) write_output(command.json, json);
  if (command.page.wanted()) command.page.write({json});
  switch (colour.value_or(Colour::load)) {
    case Colour::state:
      return write_pictures(command, viz::cluster_map_dot(viz::map_of_states(loaded.found)));
    case Colour::job:
      return write_pictures(command, viz::cluster_map_dot(viz::map_of_jobs(loaded.found)));
    case Colour::rank:
      return write_pictures(command,
                            viz::cluster_map_dot(rank_map(loaded, scenario_of(loaded, "rank"))));
    case Colour::load: break;
  }
  if (!loaded.cluster) {
    print(loaded.why_not);
    refuse("the network cannot be drawn: nothing can be built of these dumps",
           "--colour state draws the nodes in their domains");
  }
  write_pictures(command, viz::topology_dot(*loaded.cluster, loads));
}

}  // namespace

void add_topology_render(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "render", "draw a cluster: its network, or its nodes by state, job or rank; DOT on stdout");
  const auto options = std::make_shared<RenderCommand>();
  options->cluster.add_to(*command);
  command
      ->add_option("--colour", options->colour,
                   "state, job or rank: nodes in their domains; load: the network with the use "
                   "of its links in the scenario's step; without: the network")
      ->type_name("NAME");
  const CLI::Validator output(check_output_path, "");
  const CLI::Validator file(check_file_path, "");
  command->add_option("--dot", options->dot, "write DOT to a file; - is stdout")
      ->type_name("FILE|-")
      ->check(output);
  command->add_option("--svg", options->svg, "write a picture, drawn by Graphviz")
      ->type_name("FILE")
      ->check(file);
  command->add_option("--png", options->png, "the same as PNG")->type_name("FILE")->check(file);
  command
      ->add_option("--json", options->json, "write nodes, switches, cables and loads; - is stdout")
      ->type_name("FILE|-")
      ->check(output);
  options->page.add_to(*command);
  command->callback([options] { render(*options); });
}

}  // namespace cli
