#include "cli/cluster_argument.hpp"

#include <iterator>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>

#include "base/document.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/workload.hpp"
#include "topology/cluster_of.hpp"
#include "topology/found_of.hpp"
#include "topology/hardware.hpp"
#include "topology/import/import.hpp"

namespace cli {

namespace {

/// A scenario has a cluster and a model; no dump has a line like that.
bool is_scenario(std::string_view text) {
  return text.starts_with("cluster:") || text.find("\ncluster:") != std::string_view::npos;
}

/// What the registry knows of the nodes, where the dumps do not tell it.
void complete(topology::FoundCluster& found, const topology::Cluster& cluster) {
  std::map<std::string_view, topology::FoundNode*> by_name;
  for (topology::FoundNode& node : found.nodes) by_name[node.name] = &node;
  for (const topology::NodeInfo& built : cluster.nodes()) {
    topology::FoundNode& node = *by_name.at(built.name);
    node.type = built.type->name;
    node.gpu = built.type->gpu;
    if (node.gpus < 0) node.gpus = built.type->gpus;
    if (node.usable_gpus < 0) node.usable_gpus = built.gpus;
  }
}

std::shared_ptr<const topology::HardwareRegistry> registry() {
  return std::make_shared<const topology::HardwareRegistry>(
      value_or_leave(topology::HardwareRegistry::read(hardware_folder())));
}

}  // namespace

void ClusterArgument::add_to(CLI::App& command) {
  CLI::Option_group* source = command.add_option_group("cluster", "what tells of it");
  source
      ->add_option("FILE", files,
                   "dumps of one cluster, in order of precedence; or a scenario (YAML)")
      ->type_name("FILE...");
  source->add_flag("--live", live_, "read Kubernetes by kubectl, before any file");
  source->require_option(1, 0);  // or both
  add_options_to(command);
  command.add_option("--context", live_options_.context, "of the kubeconfig")->type_name("NAME");
  command.add_option("--kubeconfig", live_options_.kubeconfig, "instead of kubectl's own")
      ->type_name("FILE");
  command.add_option("--request-timeout", live_options_.request_timeout, "of each request")
      ->type_name("TIME")
      ->capture_default_str();
  command.add_option("--as", live_options_.as, "user to impersonate")->type_name("NAME");
}

void ClusterArgument::add_options_to(CLI::App& command) {
  std::string names;
  for (const topology::ImportFormat& format : topology::import_formats())
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  command.add_option("--format", format_, "of all files, instead of telling it by text: " + names)
      ->type_name("NAME");
  command
      .add_option("--node-type", options_.node_type,
                  "what nodes are of which no dump tells the GPU")
      ->type_name("NAME");
  command.add_option("--gpu", options_.gpu, "only nodes with this GPU")->type_name("NAME");
  command.add_option("--selector", options_.selector, "only such Kubernetes nodes, as kubectl -l")
      ->type_name("LABELS");
  command.add_option("--scheme", options_.scheme, "label scheme of the switch tree")
      ->type_name("NAME");
  command.add_option("--levels", options_.levels, "label keys of the switch tree, coarse to fine")
      ->type_name("KEY,...")
      ->delimiter(',')
      ->allow_extra_args(false);
}

topology::ImportOptions ClusterArgument::options() const {
  topology::ImportOptions options = options_;
  options.where = {"command line"};
  return options;
}

std::vector<topology::DumpFile> ClusterArgument::dumps(
    const std::vector<std::string>& paths) const {
  std::vector<topology::DumpFile> dumps;
  if (live_) {
    LiveDump live = value_or_leave(read_live(live_options_));
    print(live.notes);
    dumps = std::move(live.files);
  }
  std::vector<topology::DumpFile> read = value_or_leave(topology::read_dumps(paths));
  dumps.insert(dumps.end(), std::make_move_iterator(read.begin()),
               std::make_move_iterator(read.end()));
  return dumps;
}

topology::FoundCluster ClusterArgument::import(const std::vector<std::string>& paths) const {
  const auto known = registry();
  const topology::ImportOptions chosen = options();
  topology::FoundCluster found = value_or_leave(
      topology::import_cluster(dumps(paths), format_, {.registry = *known, .options = chosen}));
  print(found.notes);
  return found;
}

topology::FoundCluster ClusterArgument::import() const { return import(files); }

ClusterArgument::Loaded ClusterArgument::load_scenario() const {
  Loaded loaded;
  auto file = value_or_leave(sim::load({files.front(), {}, hardware_folder()}));
  const auto* workload = std::get_if<sim::Workload>(&file);
  const sim::Scenario& scenario =
      workload != nullptr ? workload->jobs.front().scenario : std::get<sim::Scenario>(file);
  print(scenario.cluster.notes());
  loaded.cluster = scenario.cluster;
  loaded.found = scenario.found != nullptr ? *scenario.found
                                           : topology::found_of(*loaded.cluster, files.front());
  if (workload == nullptr) loaded.scenario = scenario;
  return loaded;
}

ClusterArgument::Loaded ClusterArgument::load() const {
  if (files.size() == 1 && format_.empty() && !live_)
    if (is_scenario(value_or_leave(base::read_file(files.front())))) return load_scenario();
  const auto known = registry();
  topology::ImportOptions chosen = options();
  chosen.unavailable = true;  // they are part of the cluster, whoever may use them
  Loaded loaded;
  loaded.found = value_or_leave(
      topology::import_cluster(dumps(files), format_, {.registry = *known, .options = chosen}));
  auto spec = topology::cluster_of(loaded.found, *known, chosen);
  if (spec) {
    auto cluster = topology::build_cluster(*spec, known);
    if (cluster) {
      print(cluster->notes());
      complete(loaded.found, *cluster);
      loaded.cluster = std::move(*cluster);
      return loaded;
    }
    loaded.why_not = cluster.error();
  } else {
    loaded.why_not = spec.error();
  }
  print(loaded.found.notes);
  return loaded;
}

}  // namespace cli
