#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/calibrate.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/replay.hpp"
#include "cli/stored_runs.hpp"
#include "sim/collective_sweep.hpp"
#include "viz/calibration.hpp"

namespace cli {

namespace {

using calibrate::fit::CollectiveFit;
using calibrate::fit::CollectiveKey;

struct ReplayOptions {
  std::string database;
  std::string json;
  std::string svg;
  PageOption page;
};

std::vector<calibrate::ReplayedSweep::Row> play(
    const CollectiveKey& key, const CollectiveFit& fit, const calibrate::ReplayMachine& machine,
    const std::shared_ptr<const topology::HardwareRegistry>& registry) {
  std::vector<sim::CollectiveCall> calls;
  for (const calibrate::fit::Point& point : fit.sizes().points())
    calls.push_back({key.op, base::Bytes::from_double(point.bytes)});
  const topology::Cluster cluster = topology::uniform_cluster(
      machine.node, key.placement.nodes, key.placement.ranks_per_node, registry);
  const auto played = sim::play_collectives(
      [&](base::Collective op, base::Bytes bytes, const calibrate::GroupShape& shape) {
        return calibrate::replay_cost(fit, op, bytes, shape);
      },
      cluster, calls);
  std::vector<calibrate::ReplayedSweep::Row> rows;
  for (std::size_t i = 0; i < played.size(); ++i) {
    const calibrate::fit::Point& point = fit.sizes().points()[i];
    rows.push_back({point.bytes, point.seconds, played[i].time.s()});
  }
  return rows;
}

void replay_stored(const ReplayOptions& options) {
  auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) {
    print(registry.error());
    leave_with(mistake);
  }
  const calibrate::Replay played =
      replay(calibrate::fit::fit_collectives(stored_runs(options.database)),
             std::make_shared<const topology::HardwareRegistry>(std::move(*registry)));
  if (!options.svg.empty()) write_output(options.svg, viz::replay_svg(played));
  const std::string json = viz::replay_json(played);
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted()) options.page.write({json});
  if (options.json != "-") write_output("-", viz::replay_text(played));
}

}  // namespace

calibrate::Replay replay(const calibrate::fit::CollectiveFits& fits,
                         const std::shared_ptr<const topology::HardwareRegistry>& registry) {
  calibrate::Replay result;
  for (const auto& [key, fitted] : fits) {
    std::string name = describe(key, fitted.basis.versions());
    const auto machine = calibrate::machine_of(key, fitted.fit, *registry);
    if (!machine) {
      result.left_out.push_back({std::move(name), "not one group, evenly on its nodes, alone"});
      continue;
    }
    result.sweeps.push_back(
        {std::move(name), machine->node.name, play(key, fitted.fit, *machine, registry)});
  }
  return result;
}

void add_calibrate_replay(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "replay", "play the measured collectives in the simulator and lay both side by side");
  const auto options = std::make_shared<ReplayOptions>();
  add_database(*command, options->database);
  command->add_option("--json", options->json, "write both as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->add_option("--svg", options->svg, "write a picture of both")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
  options->page.add_to(*command);
  command->callback([options] { replay_stored(*options); });
}

}  // namespace cli
