#include "cli/place.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "sim/place/node_list.hpp"
#include "sim/place/search.hpp"
#include "topology/hostlist.hpp"

namespace cli {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// A node stays out of the list of reasons beyond so many.
constexpr std::size_t reasons_max = 8;

[[noreturn]] void refuse(const base::Diagnostics& problems, ExitCode code = mistake) {
  print(problems);
  throw CLI::RuntimeError(code);
}

/// GPUs of most nodes, or those that the scenario or the user says.
int ranks_per_node_of(const PlaceArgument& argument, const sim::Scenario& scenario) {
  if (argument.ranks_per_node > 0) return argument.ranks_per_node;
  if (scenario.placement.ranks_per_node > 0) return scenario.placement.ranks_per_node;
  std::map<int, int> nodes;  // by GPUs
  for (const topology::NodeInfo& node : scenario.cluster.nodes())
    if (node.gpus > 0) ++nodes[node.gpus];
  const auto most = std::max_element(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) {
    return a.second <= b.second;
  });
  return std::min(most->first, scenario.plan.ranks());
}

/// Sorts nodes into those that a job may have and reasons for the others.
class Availability {
 public:
  Availability(const PlaceArgument& argument, PlaceJob& job, const std::vector<int>& own)
      : argument_(argument), job_(job), own_(own.begin(), own.end()) {
    const topology::Cluster& cluster = job.scenario.cluster;
    if (argument.free != "auto") {
      const std::vector<int> named = nodes_named(argument.free, cluster);
      named_.insert(named.begin(), named.end());
    }
    if (!argument.exclude.empty()) {
      const std::vector<int> named = nodes_named(argument.exclude, cluster);
      excluded_.insert(named.begin(), named.end());
    }
  }

  void sort() {
    const std::vector<topology::NodeInfo>& nodes = job_.scenario.cluster.nodes();
    std::map<const topology::NodeType*, std::vector<int>> by_type;
    for (int node = 0; node < static_cast<int>(nodes.size()); ++node) {
      const std::string why = reason(node, nodes[at(node)]);
      if (why.empty())
        by_type[nodes[at(node)].type].push_back(node);
      else
        job_.not_free.push_back(fmt::format("{} {}", nodes[at(node)].name, why));
    }
    if (by_type.empty()) return;
    // A job gets nodes of one type: that of which most are free, the first of equals.
    const auto most =
        std::max_element(by_type.begin(), by_type.end(), [](const auto& a, const auto& b) {
          return std::pair(a.second.size(), -a.second.front()) <
                 std::pair(b.second.size(), -b.second.front());
        });
    job_.free = most->second;
    for (const auto& [type, others] : by_type)
      if (type != most->first)
        job_.not_free.push_back(fmt::format("{} free nodes are no {} but {}", others.size(),
                                            most->first->name, type->name));
  }

 private:
  std::string reason(int node, const topology::NodeInfo& info) const {
    if (excluded_.contains(node)) return "excluded";
    if (own_.contains(node)) return "";
    if (!info.unavailable.empty()) return info.unavailable;
    if (info.gpus < job_.ranks_per_node)
      return fmt::format("has {} of {} GPUs", info.gpus, job_.ranks_per_node);
    if (argument_.free != "auto") return named_.contains(node) ? "" : "not in --free";
    if (info.free_gpus >= 0 && info.free_gpus < job_.ranks_per_node)
      return fmt::format("has {} of {} GPUs free", info.free_gpus, info.gpus);
    return "";
  }

  const PlaceArgument& argument_;
  PlaceJob& job_;
  std::set<int> own_;
  std::set<int> named_;
  std::set<int> excluded_;
};

std::string reasons(const PlaceJob& job) {
  std::vector<std::string> told = job.not_free;
  if (told.size() > reasons_max) {
    told.resize(reasons_max);
    told.push_back(fmt::format("and {} more", job.not_free.size() - reasons_max));
  }
  return fmt::format("{}", fmt::join(told, ", "));
}

/// The nodes that the step is first laid out on: those whose NVLink domains have most free nodes
/// first, so that groups that can stay inside one do.
std::vector<int> reference_nodes(const PlaceJob& job) {
  const std::vector<topology::NodeInfo>& nodes = job.scenario.cluster.nodes();
  std::map<int, int> size;
  for (const int node : job.free) ++size[nodes[at(node)].accelerator_domain];
  std::vector<int> order = job.free;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    const int left = nodes[at(a)].accelerator_domain;
    const int right = nodes[at(b)].accelerator_domain;
    return size[left] != size[right] ? size[left] > size[right] : left < right;
  });
  order.resize(at(job.slots));
  return order;
}

}  // namespace

void PlaceArgument::add_to(CLI::App& command) {
  scenario.add_to(command);
  calibration.add_to(command);
  command
      .add_option("--free", free,
                  "nodes that may be taken: a file or a hostlist; auto: what the dump says, "
                  "else all")
      ->type_name("FILE|HOSTLIST|auto");
  command.add_option("--exclude", exclude, "nodes that may not be taken")
      ->type_name("FILE|HOSTLIST");
  command
      .add_option("--ranks-per-node", ranks_per_node,
                  "ranks on each node; default: the GPUs that most nodes have")
      ->check(CLI::PositiveNumber);
}

namespace {

/// Just these nodes.
sim::place::Ground ground_of(const PlaceJob& job, const std::vector<int>& nodes) {
  return {job.demand, job.scenario.cluster, job.tree,
          sim::place::sites_of(nodes, job.scenario.cluster, job.tree, {})};
}

/// The i-th slot on the i-th node.
sim::place::Loads loads_of(const sim::place::Ground& ground, const std::vector<int>& nodes) {
  std::map<int, int> site_of_node;
  for (std::size_t site = 0; site < ground.sites().size(); ++site)
    for (const int node : ground.sites()[site].nodes) site_of_node[node] = static_cast<int>(site);
  sim::place::Loads loads(ground);
  for (std::size_t slot = 0; slot < nodes.size(); ++slot)
    loads.put(static_cast<int>(slot), site_of_node.at(nodes[slot]));
  return loads;
}

}  // namespace

sim::place::Cost PlaceJob::cost_of(const std::vector<int>& nodes) const {
  const sim::place::Ground ground = ground_of(*this, nodes);
  return loads_of(ground, nodes).cost();
}

double PlaceJob::simulated(const std::vector<int>& nodes) const {
  sim::Scenario placed = scenario;
  placed.placement = {nodes, ranks_per_node};
  const auto answer = forecast(placed, calibrations, sim::Fidelity::hybrid, {});
  if (!answer) refuse(answer.error());
  return answer->timeline.step.s();
}

std::vector<std::string> PlaceJob::names_of(const std::vector<int>& nodes) const {
  std::vector<std::string> names;
  for (const int node : nodes) names.push_back(name_of(node));
  return names;
}

PlaceJob load_place_job(const PlaceArgument& argument, int spares, const std::vector<int>& own) {
  PlaceJob job{argument.scenario.load(), argument.calibration.load(), 0, 0, {}, {}, {}, {}, {}, {}};
  job.ranks_per_node = ranks_per_node_of(argument, job.scenario);
  const int ranks = job.scenario.plan.ranks();
  job.slots = (ranks + job.ranks_per_node - 1) / job.ranks_per_node;
  Availability(argument, job, own).sort();
  const int needed = job.slots + spares;
  if (static_cast<int>(job.free.size()) < needed)
    refuse({{{argument.scenario.path},
             fmt::format("{} nodes are needed for {} ranks{}, {} are free{}{}", needed, ranks,
                         spares > 0 ? fmt::format(" and {} spares", spares) : "", job.free.size(),
                         job.not_free.empty() ? "" : ": ", reasons(job)),
             ""}},
           infeasible);
  job.levels = topology::named_levels(job.scenario.cluster);
  job.tree = topology::network_tree(job.scenario.cluster);
  job.scenario.placement = {reference_nodes(job), job.ranks_per_node};
  auto graph = step_graph(job.scenario, job.calibrations);
  if (!graph) refuse(graph.error());
  job.graph = std::move(*graph);
  job.demand = sim::place::demand_of(job.graph, job.scenario.cluster,
                                     sim::place_ranks(job.scenario), job.ranks_per_node);
  return job;
}

const topology::Level& level_by_name(const PlaceJob& job, const std::string& option,
                                     const std::string& name) {
  std::vector<std::string_view> known;
  for (const topology::Level& level : job.levels) {
    if (level.name == name) return level;
    known.emplace_back(level.name);
  }
  refuse({{{option},
           fmt::format("the cluster has no level '{}'", name),
           known.empty() ? "its nodes are all alike" : base::suggest(name, known)}});
}

std::vector<int> nodes_named(const std::string& words, const topology::Cluster& cluster) {
  if (std::filesystem::is_regular_file(words)) {
    const auto text = base::read_file(words);
    if (!text) refuse(text.error());
    auto placement = sim::place::read_node_list(*text, words, cluster);
    if (!placement) refuse(placement.error());
    return std::move(placement->nodes);
  }
  const auto names = topology::expand_hostlist(words);
  if (!names) refuse(names.error());
  std::vector<base::PlacedText> placed;
  for (const std::string& name : *names) placed.push_back({name, {"hostlist"}});
  auto nodes = sim::find_nodes(placed, cluster);
  if (!nodes) refuse(nodes.error());
  return std::move(*nodes);
}

std::string hostlist_of(const std::vector<std::string>& names) {
  if (std::all_of(names.begin(), names.end(), topology::fits_hostlist))
    return topology::compress_hostlist(names);
  return fmt::format("{}", fmt::join(names, ","));
}

namespace {

std::string bytes_text(double bytes) { return fmt::format("{:.3g} GB", bytes * 1e-9); }

std::string_view tier_name(int tier) { return tier == 1 ? "leaf" : tier == 2 ? "spine" : "core"; }

}  // namespace

std::string demand_table(const PlaceJob& job, const std::vector<int>& nodes) {
  const sim::place::Ground ground = ground_of(job, nodes);
  const sim::place::Loads loads = loads_of(ground, nodes);
  const std::vector<double> busy = loads.busy_of_rows();
  std::string text;
  for (int d = 0, row = 0; d < ground.demands(); ++d) {
    const sim::place::Demand& demand = job.demand.demands[at(d)];
    double longest = 0;
    double growth = 0;
    double sum = 0;
    for (int part = 0; part < demand.parts; ++part, ++row) {
      longest = std::max(longest, busy[at(row)]);
      const double one = demand.growth_at(busy[at(row)] / demand.alone);
      growth = std::max(growth, one);
      sum += one;
    }
    if (demand.chained) growth = sum / demand.parts;
    // Bytes that leave domains of each tier, and the busiest way out.
    std::map<int, double> by_tier;
    int worst = -1;
    for (int domain = 1; domain < static_cast<int>(job.tree.domains.size()); ++domain) {
      const double bytes = loads.bytes(d, domain);
      by_tier[job.tree.domains[at(domain)].tier] += bytes;
      if (bytes > 0 && (worst < 0 || bytes * ground.seconds_per_byte(d, domain) >
                                         loads.bytes(d, worst) * ground.seconds_per_byte(d, worst)))
        worst = domain;
    }
    std::string crossing;
    for (const auto& [tier, bytes] : by_tier)
      if (bytes > 0)
        crossing += fmt::format("{}{} {}", crossing.empty() ? "" : ", ", tier_name(tier),
                                bytes_text(bytes));
    text += fmt::format("  {:<34} {:>9} between nodes; leaves {}", demand.name,
                        bytes_text(demand.bytes()), crossing.empty() ? "no domain" : crossing);
    if (worst >= 0)
      text += fmt::format("; busiest {}, {:.2f} times as long as alone, {:+.2f} ms",
                          job.tree.domains[at(worst)].name, std::max(1.0, longest / demand.alone),
                          1e3 * growth);
    text += "\n";
  }
  return text.empty() ? "  nothing: all communication stays inside nodes\n" : text;
}

void setup_place(CLI::App& app) {
  CLI::App* group = app.add_subcommand(
      "place", "choose the nodes of a job and the order of its ranks, or judge those it has");
  group->require_subcommand(1);
  add_place_assign(*group);
  add_place_evaluate(*group);
}

}  // namespace cli
