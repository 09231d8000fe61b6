#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/place.hpp"
#include "sim/place/rules.hpp"
#include "sim/place/search.hpp"

namespace cli {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Larger jobs are compared by the model alone.
constexpr int simulated_slots_max = 128;

/// Placements that are tried of those the model likes best.
constexpr std::size_t tried = 3;

/// Changes that are told.
constexpr std::size_t changes_max = 3;

struct EvaluateCommand {
  PlaceArgument place;
  std::string nodes;
  std::string job;
  int random = 10;
  std::uint32_t seed = 1;
  std::string json;
  PageOption page;
};

/// A placement in the table.
struct Row {
  std::string name;
  std::vector<int> nodes;  // empty: the rule found none
  double model = 0;
  std::optional<double> simulated;
  double step() const { return simulated.value_or(model); }
};

/// Two slots that change nodes, or one that goes to a free node, and what that saves.
struct Change {
  int a = 0;
  int b = -1;
  int free_node = -1;
  double saved = 0;
};

/// The nodes to judge; empty: none were named, the first free ones in the order of the cluster.
std::vector<int> given_nodes(const EvaluateCommand& command, const sim::Scenario& scenario) {
  if (!command.job.empty()) return nodes_of_job(command.job, scenario);
  if (!command.nodes.empty()) return nodes_named(command.nodes, scenario.cluster);
  return scenario.placement.nodes;
}

class Evaluation {
 public:
  Evaluation(const EvaluateCommand& command, const PlaceJob& job, std::vector<int> given)
      : job_(job),
        sites_(sim::place::sites_of(job.free, job.scenario.cluster, job.tree, {})),
        ground_(job.demand, job.scenario.cluster, job.tree, sites_),
        site_of_node_(job.scenario.cluster.nodes().size(), -1) {
    for (std::size_t site = 0; site < sites_.size(); ++site)
      for (const int node : sites_[site].nodes) site_of_node_[at(node)] = static_cast<int>(site);
    sim::place::Request request;
    request.free = job.free;
    const auto found = sim::place::assign(job.demand, job.scenario.cluster, job.tree, request,
                                          job.scenario.plan.grid(), job.ranks_per_node);
    if (!found) {
      print({{{command.place.scenario.path}, found.error().reason, found.error().nearest}});
      throw CLI::RuntimeError(infeasible);
    }
    if (given.empty()) given = found->in_order.nodes;
    add("this placement", std::move(given));
    add("best found", found->best.nodes);
    add("first free nodes in order", found->in_order.nodes);
    const sim::place::RoomTree tree =
        sim::place::room_tree(job.scenario.cluster, job.levels, job.free);
    for (const sim::place::Rule& rule : sim::place::rules())
      add(std::string(rule.name),
          sim::place::nodes_by(rule, tree, job.slots).value_or(std::vector<int>{}));
    add_random(command.random, command.seed);
    // What was chosen by the model may lose when simulated.
    for (std::size_t i = 0; i < found->others.size() && i + 1 < tried; ++i)
      rows_.push_back(row_of("", found->others[i].nodes));
    Row quickest = *std::min_element(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
      return !a.nodes.empty() && (b.nodes.empty() || a.step() < b.step() * (1 - 1e-9));
    });
    quickest.name = rows_[1].name;
    rows_[1] = std::move(quickest);
    std::erase_if(rows_, [](const Row& row) { return row.name.empty(); });
    find_changes();
  }

  std::string text() const {
    std::string out = fmt::format("{}\n{} nodes of {} ranks on {}\n\n", job_.scenario.name,
                                  job_.slots, job_.ranks_per_node, job_.scenario.cluster_text);
    out += fmt::format("{:<32}{:>12}{:>12}{:>8}\n", "step", "simulated", "model", "");
    for (const Row& row : rows_) {
      if (row.nodes.empty()) {
        out += fmt::format("{:<32}{:>12}\n", row.name, "finds none");
        continue;
      }
      out += fmt::format("{:<32}{:>12}{:>12}{:>+7.1f} %\n", row.name,
                         row.simulated ? seconds(*row.simulated) : "-", seconds(row.model),
                         100 * (row.step() / rows_[0].step() - 1));
    }
    if (!random_.empty())
      out += fmt::format("{} random ones: {} median, {} to {} the middle half\n", random_.size(),
                         seconds(quantile(0.5)), seconds(quantile(0.25)), seconds(quantile(0.75)));
    out += "\nwhat crosses the network in a step of this placement:\n";
    out += demand_table(job_, rows_[0].nodes);
    out += changes_.empty() ? "\nno exchange of two nodes shortens the step of the model\n"
                            : "\nchanges that shorten the step of the model most:\n";
    for (const Change& change : changes_) out += "  " + change_text(change) + "\n";
    return out;
  }

  std::string json() const {
    nlohmann::ordered_json json;
    json["schema"] = "foreshard.placement_evaluation.v1";
    json["scenario"] = job_.scenario.name;
    json["ranks_per_node"] = job_.ranks_per_node;
    for (const Row& row : rows_) {
      nlohmann::ordered_json one{{"name", row.name}};
      if (!row.nodes.empty()) {
        one["nodes"] = job_.names_of(row.nodes);
        one["model_step_time_s"] = row.model;
        if (row.simulated) one["step_time_s"] = *row.simulated;
      }
      json["placements"].push_back(std::move(one));
    }
    if (!random_.empty())
      json["random"] = {{"count", random_.size()},
                        {"p25_s", quantile(0.25)},
                        {"p50_s", quantile(0.5)},
                        {"p75_s", quantile(0.75)}};
    json["changes"] = nlohmann::ordered_json::array();
    for (const Change& change : changes_) {
      const std::string other = change.b >= 0 ? job_.name_of(rows_[0].nodes[at(change.b)])
                                              : job_.name_of(change.free_node);
      json["changes"].push_back({{"kind", change.b >= 0 ? "swap" : "move"},
                                 {"nodes", {job_.name_of(rows_[0].nodes[at(change.a)]), other}},
                                 {"saved_s", change.saved}});
    }
    return json.dump(1) + "\n";
  }

 private:
  static std::string seconds(double value) {
    return base::format_seconds(base::Seconds::from_s(value));
  }

  std::vector<int> seating_of(const std::vector<int>& nodes) const {
    std::vector<int> seating;
    for (const int node : nodes) seating.push_back(site_of_node_[at(node)]);
    return seating;
  }

  Row row_of(std::string name, std::vector<int> nodes) const {
    Row row{std::move(name), std::move(nodes), 0, {}};
    if (row.nodes.empty()) return row;
    row.model = job_.cost_of(row.nodes).step;
    if (job_.slots <= simulated_slots_max) row.simulated = job_.simulated(row.nodes);
    return row;
  }

  void add(std::string name, std::vector<int> nodes) {
    rows_.push_back(row_of(std::move(name), std::move(nodes)));
  }

  void add_random(int count, std::uint32_t seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < count; ++i) {
      std::vector<int> nodes = job_.free;
      for (int slot = 0; slot < job_.slots; ++slot) {  // the same on every machine
        const auto left = static_cast<std::uint32_t>(nodes.size() - at(slot));
        std::swap(nodes[at(slot)], nodes[at(slot) + random() % left]);
      }
      nodes.resize(at(job_.slots));
      random_.push_back(row_of("", std::move(nodes)).step());
    }
    std::sort(random_.begin(), random_.end());
  }

  double quantile(double share) const {
    return random_[static_cast<std::size_t>(share * static_cast<double>(random_.size() - 1) + 0.5)];
  }

  /// Every pair of slots and every slot with a free node of every site; slots take part in one.
  void find_changes() {
    sim::place::Loads loads(ground_);
    const std::vector<int> seating = seating_of(rows_[0].nodes);
    for (int slot = 0; slot < job_.slots; ++slot) loads.put(slot, seating[at(slot)]);
    std::vector<Change> all;
    const double before = loads.cost().step;
    const auto look = [&](Change change) {
      change.saved = before - loads.cost().step;
      if (change.saved > 1e-6 * before) all.push_back(change);
    };
    for (int a = 0; a < job_.slots; ++a) {
      const int here = seating[at(a)];
      for (int b = a + 1; b < job_.slots; ++b) {
        const int there = seating[at(b)];
        if (here == there) continue;
        loads.move(a, there);
        loads.move(b, here);
        look({a, b, -1, 0});
        loads.move(a, here);
        loads.move(b, there);
      }
      for (int site = 0; site < static_cast<int>(sites_.size()); ++site) {
        if (site == here || loads.left(site) == 0) continue;
        loads.move(a, site);
        look({a, -1, free_node_of(site), 0});
        loads.move(a, here);
      }
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Change& a, const Change& b) { return a.saved > b.saved; });
    std::vector<bool> taken(at(job_.slots), false);
    for (const Change& change : all) {
      if (changes_.size() == changes_max) break;
      if (taken[at(change.a)] || (change.b >= 0 && taken[at(change.b)])) continue;
      taken[at(change.a)] = true;
      if (change.b >= 0) taken[at(change.b)] = true;
      changes_.push_back(change);
    }
  }

  int free_node_of(int site) const {
    const std::vector<int>& used = rows_[0].nodes;
    for (const int node : sites_[at(site)].nodes)
      if (std::find(used.begin(), used.end(), node) == used.end()) return node;
    return -1;
  }

  std::string change_text(const Change& change) const {
    const auto ranks = [&](int slot) {
      const int first = slot * job_.ranks_per_node;
      return fmt::format("{} (ranks {}-{})", job_.name_of(rows_[0].nodes[at(slot)]), first,
                         std::min(first + job_.ranks_per_node, job_.scenario.plan.ranks()) - 1);
    };
    if (change.b >= 0)
      return fmt::format("swap {} with {}: {} less", ranks(change.a), ranks(change.b),
                         seconds(change.saved));
    return fmt::format("move {} to {}, which is free: {} less", ranks(change.a),
                       job_.name_of(change.free_node), seconds(change.saved));
  }

  const PlaceJob& job_;
  std::vector<sim::place::Site> sites_;
  sim::place::Ground ground_;
  std::vector<int> site_of_node_;
  std::vector<Row> rows_;
  std::vector<double> random_;
  std::vector<Change> changes_;
};

void evaluate(const EvaluateCommand& command) {
  const std::vector<int> given = given_nodes(command, command.place.scenario.load());
  const PlaceJob job = load_place_job(command.place, 0, given);
  if (!given.empty()) {
    std::string problem;
    if (static_cast<int>(given.size()) != job.slots)
      problem = fmt::format("the placement has {} nodes, but {} ranks by {} need {}", given.size(),
                            job.scenario.plan.ranks(), job.ranks_per_node, job.slots);
    for (const int node : given)
      if (problem.empty() && std::find(job.free.begin(), job.free.end(), node) == job.free.end())
        problem = fmt::format("node '{}' is of another type than most, or was excluded",
                              job.name_of(node));
    if (!problem.empty()) {
      print({{{command.place.scenario.path}, problem, ""}});
      throw CLI::RuntimeError(mistake);
    }
  }
  const Evaluation evaluation(command, job, given);
  if (!command.json.empty()) write_output(command.json, evaluation.json());
  if (command.page.wanted())
    command.page.write(
        {evaluation.json(), topology_document(job.scenario, command.place.scenario.path, {})});
  if (command.json != "-") write_output("-", evaluation.text());
}

}  // namespace

void add_place_evaluate(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "evaluate", "judge a placement: against the best found, schedulers' rules and chance");
  const auto options = std::make_shared<EvaluateCommand>();
  options->place.add_to(*command);
  CLI::Option* nodes =
      command
          ->add_option("--nodes", options->nodes,
                       "the nodes in rank order: a list, a rankfile, JSON of place assign, or a "
                       "hostlist; default: those of the scenario, else the first free ones")
          ->type_name("FILE|HOSTLIST");
  command
      ->add_option("--job", options->job,
                   "the nodes of a job that runs, by the index of its pods: namespace/name")
      ->excludes(nodes);
  command->add_option("--random", options->random, "random placements beside it")
      ->capture_default_str()
      ->check(CLI::Range(0, 10000));
  command->add_option("--seed", options->seed, "of these")->capture_default_str();
  command->add_option("--json", options->json, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  options->page.add_to(*command);
  command->callback([options] { evaluate(*options); });
}

}  // namespace cli
