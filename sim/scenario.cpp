#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/check.hpp"
#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "sim/collectives/collectives.hpp"
#include "sim/plan_reader.hpp"
#include "sim/preset.hpp"
#include "sim/scenario_reader.hpp"
#include "strategies/dlcalc.hpp"
#include "topology/cluster_of.hpp"
#include "topology/cluster_reader.hpp"
#include "topology/import/import.hpp"
#include "topology/import_reader.hpp"
#include "topology/k8s_import.hpp"
#include "topology/network_reader.hpp"
#include "topology/summary.hpp"

namespace sim {

namespace {

using base::Diagnostics;
using base::MapReader;
using base::Result;

constexpr std::array<std::pair<std::string_view, Fidelity>, 3> fidelity_names{{
    {"analytic", Fidelity::analytic},
    {"hybrid", Fidelity::hybrid},
    {"flow", Fidelity::flow},
}};

void append(Diagnostics& to, Diagnostics more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Takes the value, or adds what is wrong to `problems`.
template <class T>
std::optional<T> take(Result<T> result, Diagnostics& problems) {
  if (result) return std::move(*result);
  append(problems, std::move(result.error()));
  return std::nullopt;
}

class Loader {
 public:
  /// `problems`: mistakes that are known already.
  Loader(const ScenarioOptions& options, const base::Document& document, Registry registry,
         const Seats& seats, Diagnostics problems)
      : options_(options),
        document_(document),
        registry_(std::move(registry)),
        seats_(seats),
        problems_(std::move(problems)) {}

  Result<Scenario> load() {
    name_ = std::filesystem::path(options_.path).stem().string();
    strategies::looks_like_dlcalc(document_) ? read_dlcalc() : read_scenario();
    if (!backend_ && !base::has_errors(problems_))
      backend_ =
          take(calibrate::make_backend({.hardware_folder = options_.hardware_folder}), problems_);
    if (model_ && cluster_ && !base::has_errors(problems_)) check();
    if (base::has_errors(problems_) || !model_ || !cluster_)
      return tl::unexpected(std::move(problems_));
    append(problems_, cluster_->notes());
    return Scenario{.name = name_,
                    .model = std::move(*model_),
                    .cluster = *cluster_,
                    .cluster_text = cluster_text(),
                    .found = std::move(found_),
                    .plan = plan_,
                    .placement = std::move(placement_),
                    .backend = std::move(*backend_),
                    .backend_where = backend_where_,
                    .forced = forced_,
                    .fidelity = fidelity_,
                    .fold = fold_,
                    .routing = network_.routing,
                    .autoshard = std::move(autoshard_),
                    .measured = std::move(measured_),
                    .price = std::move(price_),
                    .origins = std::move(origins_),
                    .notes = std::move(problems_)};
  }

 private:
  std::string cluster_text() const {
    const bool adaptive = network_.routing.kind == topology::Routing::adaptive;
    return topology::summary(*cluster_) + (adaptive ? ", adaptive routing" : "");
  }

  std::string beside_scenario(const std::string& path) const { return beside(options_.path, path); }

  void read_scenario() {
    MapReader root(document_, document_.root, "", problems_, &origins_);
    root.read("name", name_);
    if (auto model = root.required_map("model")) read_model(*model);
    if (auto network = root.map("network")) network_ = topology::read_network(*network);
    if (auto cluster = root.required_map("cluster")) read_cluster(*cluster);
    if (auto placement = root.map("placement"); placement && cluster_) read_where(*placement);
    if (auto plan = root.required_map("plan")) plan_ = read_plan(*plan, options_.path, problems_);
    if (auto communication = root.map("communication")) read_communication(*communication);
    if (auto simulation = root.map("simulation")) {
      simulation->read_choice("fidelity", fidelity_, fidelity_names);
      simulation->read("fold", fold_);
      simulation->finish();
    }
    if (auto measured = root.map("measured")) {
      measured_.emplace();
      measured->require("step_time", measured_->step);
      measured->read("source", measured_->source);
      measured->finish();
    }
    if (auto autoshard = root.map("autoshard"))
      autoshard_ = strategies::autoshard::read_request(*autoshard, problems_);
    if (auto price = root.map("price")) price_ = read_price(*price);
    root.finish();
  }

  /// `model: {config: FILE}` is a Hugging Face config, `{file: FILE}` a model in our YAML; else
  /// the model is written out in the scenario.
  void read_model(MapReader& reader) {
    std::string path;
    if (reader.read("config", path)) {
      std::string name;
      reader.read("name", name);
      reader.finish();
      const std::string file = beside_scenario(path);
      if (auto text = read_named(reader, "config", file))
        model_ = take(strategies::read_hf_config(*text, file, &origins_), problems_);
      if (model_ && !name.empty()) model_->name = name;
    } else if (reader.read("file", path)) {
      reader.finish();
      const std::string file = beside_scenario(path);
      auto text = read_named(reader, "file", file);
      if (!text) return;
      if (auto document = take(base::parse_yaml(*text, file), problems_))
        model_ = take(strategies::read_model(*document, document->root, "", &origins_), problems_);
    } else {
      const base::Node* node = document_.root.find("model");
      model_ = take(strategies::read_model(document_, *node, "model", &origins_), problems_);
    }
  }

  /// `cluster: {kubernetes: FILE, fabric: …}` is a dump of `kubectl get nodes -o json`; else nodes
  /// and fabric are written out.
  void read_cluster(MapReader& reader) {
    if (seats_.cluster != nullptr) {
      cluster_ = *seats_.cluster;
      return;
    }
    if (reader.has("import")) return import_cluster(reader);
    std::string path;
    if (!reader.read("kubernetes", path)) {
      const std::size_t before = problems_.size();
      topology::ClusterSpec spec = topology::read_cluster(reader, *registry_);
      const Diagnostics found(problems_.begin() + static_cast<std::ptrdiff_t>(before),
                              problems_.end());
      if (!base::has_errors(found)) build(std::move(spec));
      return;
    }
    const topology::ImportOptions options = topology::read_import_options(reader);
    topology::FabricSpec cables;
    std::optional<MapReader> fabric = reader.map("fabric");
    if (fabric) topology::read_domain_fabric(*fabric, cables);
    reader.finish();
    const std::string file = beside_scenario(path);
    auto text = read_named(reader, "kubernetes", file);
    if (!text) return;
    auto import = take(topology::import_kubernetes(*text, file, *registry_, options), problems_);
    if (!import) return;
    if (fabric && !import->spec.fabric_from_domains)
      reader.error("fabric", "'fabric' has no effect: labels of the nodes tell no switches");
    if (fabric) {
      import->spec.fabric = cables;
      import->spec.where = reader.where("fabric");
    }
    build(std::move(import->spec));
  }

  /// `cluster: {import: FILES, …}`: dumps in any format that is known.
  void import_cluster(MapReader& reader) {
    const topology::ImportWords words = topology::read_import(reader);
    std::vector<topology::DumpFile> files;
    for (const base::PlacedText& one : words.files) {
      const std::string file = beside_scenario(one.text);
      if (auto text = read_named(reader, "import", file)) files.push_back({file, std::move(*text)});
    }
    if (files.empty() || files.size() < words.files.size()) return;
    auto found = take(topology::import_cluster(files, words.format,
                                               {.registry = *registry_, .options = words.options}),
                      problems_);
    if (!found) return;
    auto spec = take(topology::cluster_of(*found, *registry_, words.options), problems_);
    if (!spec) return;
    if (words.fabric && (!spec->fabric_from_domains || !spec->cabling.switches.empty()))
      reader.error("fabric", "'fabric' has no effect: it completes a switch tree of node domains");
    if (words.fabric) {
      spec->fabric = *words.fabric;
      spec->where = reader.where("fabric");
    }
    found_ = std::make_shared<const topology::FoundCluster>(std::move(*found));
    build(std::move(*spec));
  }

  /// `placement: {nodes: […]}` names the nodes in rank order; `{file: FILE}` is what `place assign`
  /// wrote.
  void read_where(MapReader& reader) {
    std::string path;
    if (!reader.read("file", path)) {
      placement_ = read_placement(reader, *cluster_, problems_);
      return;
    }
    reader.finish();
    const std::string file = beside_scenario(path);
    const auto text = read_named(reader, "file", file);
    if (!text) return;
    if (auto placement = take(read_placement_file(*text, file, *cluster_), problems_))
      placement_ = std::move(*placement);
  }

  /// `communication: {backend: NAME, …}`: which library prices collectives, and with what settings.
  void read_communication(MapReader& reader) {
    calibrate::BackendOptions options{.hardware_folder = options_.hardware_folder};
    const auto read = [&](std::string_view key, calibrate::BackendOptions::Word& word) {
      if (!reader.read(key, word.text)) return false;
      word.where = reader.where(key);
      return true;
    };
    read("backend", options.name);
    read("version", options.version);
    read("algorithms", options.algorithms);
    read("protocols", options.protocols);
    const auto read_beside = [&](std::string_view key, calibrate::BackendOptions::Word& word,
                                 std::string& contents) {
      if (!read(key, word)) return true;
      word.text = beside_scenario(word.text);
      auto text = read_named(reader, key, word.text);
      if (text) contents = std::move(*text);
      return text.has_value();
    };
    const bool table = read_beside("table", options.table, options.table_text);
    const bool graph = read_beside("graph", options.graph, options.graph_text);
    if (auto force = reader.map("force")) read_forced(*force);
    backend_where_ = !options.algorithms.text.empty()  ? options.algorithms.where
                     : !options.protocols.text.empty() ? options.protocols.where
                                                       : options.name.where;
    reader.finish();
    if (!table || !graph) return;
    backend_ = take(calibrate::make_backend(options), problems_);
    if (backend_ && !(*backend_)->calibrated())
      reader.warning(
          "backend",
          fmt::format("communication backend {}: uncalibrated parameters", (*backend_)->name()),
          "the backend measured takes a table of your own");
  }

  /// `force: {all_reduce: hierarchical}`: algorithms by operation.
  void read_forced(MapReader& reader) {
    for (const auto& [name, op] : base::collective_names) {
      base::CollectiveAlgorithm algorithm{};
      if (!reader.read_choice(name, algorithm, base::collective_algorithm_names)) continue;
      if (!collectives::algorithm(algorithm).supports(op))
        reader.error(name, fmt::format("{} is no algorithm for {}", base::name_of(algorithm), name),
                     fmt::format("one of: {}", algorithms_for(op)));
      else if (op == base::Collective::send_receive)
        reader.error(name, "messages between stages have no algorithm to choose",
                     "the backend prices them");
      forced_[op] = algorithm;
    }
    reader.finish();
  }

  static std::string algorithms_for(base::Collective op) {
    std::string names;
    for (const collectives::Algorithm& one : collectives::algorithms())
      if (one.supports(op))
        names += fmt::format("{}{}", names.empty() ? "" : ", ", base::name_of(one.id));
    return names;
  }

  void read_dlcalc() {
    auto input = take(strategies::read_dlcalc(document_), problems_);
    if (!input) return;
    append(problems_, std::move(input->notes));
    const topology::NodeType* type = registry_->find_node(input->node_type);
    if (type == nullptr) {
      const std::vector<std::string_view> names = registry_->node_names();
      problems_.push_back({input->node_type_where,
                           fmt::format("unknown node type '{}'", input->node_type),
                           base::suggest(input->node_type, names)});
      return;
    }
    origins_ = std::move(input->origins);
    model_ = std::move(input->model);
    model_->name = name_;  // dlcalc gives it none
    plan_ = input->plan;
    topology::ClusterSpec spec;
    const int ranks = plan_.ranks();
    for (int first = 0; first < ranks; first += type->gpus)
      spec.nodes.push_back({.name = fmt::format("node-{}", first / type->gpus),
                            .type = type,
                            .usable_gpus = std::min(type->gpus, ranks - first)});
    spec.fabric.kind = topology::FabricKind::single_switch;
    build(std::move(spec));
  }

  void build(topology::ClusterSpec spec) {
    spec.faults = network_.faults;
    cluster_ = take(topology::build_cluster(spec, registry_), problems_);
  }

  /// Collectives inside a node are priced from its type, which knows of no faults.
  void warn_of_inner_faults() {
    const auto inside = [&](topology::DeviceId id) {
      const topology::DeviceKind kind = cluster_->device(id).kind;
      return kind == topology::DeviceKind::gpu || kind == topology::DeviceKind::nvswitch ||
             kind == topology::DeviceKind::pcie_switch;
    };
    for (topology::LinkId id = 0; id < cluster_->link_count(); ++id) {
      const topology::Link& link = cluster_->link(id);
      if (!(link.down || link.degraded) || !inside(link.from) || !inside(link.to)) continue;
      problems_.push_back({origins_.at("network"),
                           "cables between GPUs of a node are down or degraded, but what stays in "
                           "a node is priced as if all worked",
                           "only --fidelity flow plays transfers over such cables",
                           base::Severity::warning});
      return;
    }
  }

  void check() {
    warn_of_inner_faults();
    const PlanSeats seats =
        seats_.gpus > 0 ? PlanSeats{seats_.gpus, "the job"} : seats_of(placement_, *cluster_);
    append(problems_, check_plan(plan_, *model_, *cluster_, seats, origins_));
    if (base::has_errors(problems_)) return;  // the product below may not even be countable
    if (auto unused = unused_gpus(plan_, seats.gpus, origins_))
      problems_.push_back(std::move(*unused));
  }

  const ScenarioOptions& options_;
  const base::Document& document_;
  Registry registry_;
  const Seats& seats_;
  Diagnostics problems_;
  base::Origins origins_;
  std::string name_;
  std::optional<strategies::ModelSpec> model_;
  std::optional<topology::Cluster> cluster_;
  std::shared_ptr<const topology::FoundCluster> found_;
  strategies::Plan plan_;
  Placement placement_;
  std::optional<std::shared_ptr<const calibrate::CollectiveBackend>> backend_;
  Fidelity fidelity_ = Fidelity::hybrid;
  bool fold_ = true;
  topology::NetworkSpec network_;
  base::SourceRef backend_where_;
  ForcedAlgorithms forced_;
  std::optional<Measured> measured_;
  strategies::autoshard::Request autoshard_;
  std::optional<Price> price_;
};

}  // namespace

Result<base::Document> read_scenario_document(const ScenarioOptions& options) {
  Diagnostics problems;
  auto text = take(base::read_file(options.path), problems);
  std::optional<base::Document> document;
  if (text) document = take(base::parse_yaml(*text, options.path), problems);
  if (document)
    for (const auto& [path, value] : options.set)
      append(problems, base::set_path(*document, path, value));
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return std::move(*document);
}

Result<ScenarioText> read_scenario_text(const ScenarioOptions& options) {
  Diagnostics problems;
  auto document = take(read_scenario_document(options), problems);
  auto registry = take(topology::HardwareRegistry::read(options.hardware_folder), problems);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return ScenarioText{std::move(*document),
                      std::make_shared<const topology::HardwareRegistry>(std::move(*registry))};
}

Result<Scenario> read_scenario(const ScenarioOptions& options, ScenarioText text,
                               const Seats& seats) {
  // An unknown one hides no other mistake.
  Diagnostics preset = apply_preset(text.document, frameworks_folder(options.hardware_folder));
  return Loader(options, text.document, std::move(text.registry), seats, std::move(preset)).load();
}

Result<Scenario> load_scenario(const ScenarioOptions& options) {
  auto text = read_scenario_text(options);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (const base::Node* jobs = text->document.root.find("jobs"))
    return tl::unexpected(Diagnostics{{text->document.where(*jobs), "a scenario with several jobs",
                                       "'run' and 'check' take such; all else asks for one"}});
  return read_scenario(options, std::move(*text), {});
}

std::vector<topology::GpuId> place_ranks(const Scenario& scenario) {
  std::vector<topology::GpuId> gpus = gpus_of(scenario.placement, scenario.cluster);
  CHECK_INVARIANT(gpus.size() >= static_cast<std::size_t>(scenario.plan.ranks()));
  gpus.resize(static_cast<std::size_t>(scenario.plan.ranks()));
  return gpus;
}

}  // namespace sim
