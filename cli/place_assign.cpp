#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/quantity.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/place.hpp"
#include "cli/place_formats.hpp"
#include "sim/place/rules.hpp"

namespace cli {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Jobs up to this size are simulated unless the user says how many.
constexpr int confirmed_slots_max = 128;
constexpr int confirmed = 3;

struct AssignCommand {
  PlaceArgument place;
  int spares = 0;
  std::string required;
  std::string preferred;
  int slice = 1;
  std::string slice_level;
  int confirm = -1;
  std::string json;
  PageOption page;
  std::string to;
  std::string output = "-";
};

/// A placement, and what the simulation says of it where it was asked.
struct Choice {
  sim::place::Assigned assigned;
  std::optional<double> simulated;
  double step() const { return simulated.value_or(assigned.cost.step); }
};

/// What was chosen, beside what.
struct Answer {
  Choice best;
  Choice in_order;
  double bound = 0;
  bool proven = false;
  bool all_seen = false;
  int simulated = 0;  ///< placements

  /// Share of the step of the model that a better placement could save at most.
  double gap() const { return 1 - bound / best.assigned.cost.step; }
};

sim::place::Request request_of(const AssignCommand& command, const PlaceJob& job) {
  sim::place::Request request;
  request.free = job.free;
  request.spares = command.spares;
  if (!command.required.empty()) {
    request.within = {&level_by_name(job, "--required", command.required)};
    request.anywhere = false;
  }
  if (!command.preferred.empty()) {
    const topology::Level* level = &level_by_name(job, "--preferred", command.preferred);
    for (; level >= job.levels.data(); --level) request.within.push_back(level);
  }
  request.slice = command.slice;
  if (command.slice > 1)
    request.slice_level = &level_by_name(job, "--slice-level", command.slice_level);
  return request;
}

void add_choices_of_rules(const PlaceJob& job, std::vector<Choice>& choices) {
  const sim::place::RoomTree tree =
      sim::place::room_tree(job.scenario.cluster, job.levels, job.free);
  for (const sim::place::Rule& rule : sim::place::rules()) {
    const auto nodes = sim::place::nodes_by(rule, tree, job.slots);
    if (!nodes || std::any_of(choices.begin(), choices.end(),
                              [&](const Choice& one) { return one.assigned.nodes == *nodes; }))
      continue;
    choices.push_back(
        {{*nodes, {}, job.cost_of(*nodes), fmt::format("as {} would", rule.name), {}}, {}});
  }
}

Answer choose(const AssignCommand& command, const PlaceJob& job) {
  const sim::place::Request request = request_of(command, job);
  auto found = sim::place::assign(job.demand, job.scenario.cluster, job.tree, request,
                                  job.scenario.plan.grid(), job.ranks_per_node);
  if (!found) {
    print({{{command.place.scenario.path}, found.error().reason, found.error().nearest}});
    throw CLI::RuntimeError(infeasible);
  }
  Answer answer{{found->best, {}}, {found->in_order, {}}, found->bound,
                found->proven,     found->all_seen,       0};
  const int count = command.confirm >= 0               ? command.confirm
                    : job.slots <= confirmed_slots_max ? confirmed
                                                       : 0;
  if (count == 0) return answer;
  std::vector<Choice> choices{{found->best, {}}};
  for (const sim::place::Assigned& other : found->others)
    if (static_cast<int>(choices.size()) < count) choices.push_back({other, {}});
  answer.in_order.simulated = job.simulated(found->in_order.nodes);
  choices.push_back(answer.in_order);
  // What schedulers would choose, so that none of them chooses better; they know no such rules.
  if (request.within.empty() && request.slice_level == nullptr && request.spares == 0)
    add_choices_of_rules(job, choices);
  for (Choice& one : choices)
    if (!one.simulated) one.simulated = job.simulated(one.assigned.nodes);
  answer.best = *std::min_element(choices.begin(), choices.end(), [](const auto& a, const auto& b) {
    return *a.simulated < *b.simulated * (1 - 1e-9);
  });
  answer.simulated = static_cast<int>(choices.size());
  return answer;
}

std::string milliseconds(double seconds) {
  return base::format_seconds(base::Seconds::from_s(seconds));
}

/// "better is unknown"-sentence about the bound.
std::string sureness(const Answer& answer) {
  if (answer.all_seen && answer.gap() < 1e-9)
    return "by the model no placement is quicker: each that differs was looked at";
  if (answer.gap() < 1e-9) return "by the model no placement is quicker";
  return fmt::format("by the model {}, none below {} (gap {:.2g} %)",
                     milliseconds(answer.best.assigned.cost.step), milliseconds(answer.bound),
                     100 * answer.gap());
}

/// Nodes of the lowest domain after one another, with their ranks.
std::string order_text(const PlaceJob& job, const std::vector<int>& nodes) {
  std::string text;
  for (std::size_t i = 0; i < nodes.size();) {
    const int home = job.tree.home[at(nodes[i])];
    std::vector<std::string> names;
    std::size_t end = i;
    for (; end < nodes.size() && job.tree.home[at(nodes[end])] == home; ++end)
      names.push_back(job.name_of(nodes[end]));
    const int first = static_cast<int>(i) * job.ranks_per_node;
    const int last =
        std::min(static_cast<int>(end) * job.ranks_per_node, job.scenario.plan.ranks()) - 1;
    text += fmt::format("  ranks {}-{}: {} ({})\n", first, last, hostlist_of(names),
                        job.tree.domains[at(home)].name);
    i = end;
  }
  return text;
}

std::string answer_text(const PlaceJob& job, const Answer& answer) {
  const sim::place::Assigned& best = answer.best.assigned;
  std::string text =
      fmt::format("{}\n{} nodes of {} ranks, chosen from {} free ones on {}\n", job.scenario.name,
                  job.slots, job.ranks_per_node, job.free.size(), job.scenario.cluster_text);
  text += fmt::format("step {} {}; {}\n", milliseconds(answer.best.step()),
                      answer.simulated > 0 ? "simulated" : "by the model", sureness(answer));
  text += fmt::format("the first free nodes in the order of the cluster: {}\n",
                      milliseconds(answer.in_order.step()));
  text +=
      fmt::format("how: {}{}\n", best.how, best.domain.empty() ? "" : ", all in " + best.domain);
  text += "\nwhat crosses the network in a step:\n" + demand_table(job, best.nodes);
  text += "\nranks:\n" + order_text(job, best.nodes);
  if (!best.spares.empty())
    text += fmt::format("spares: {}\n", hostlist_of(job.names_of(best.spares)));
  return text;
}

std::string answer_json(const PlaceJob& job, const Answer& answer) {
  const sim::place::Assigned& best = answer.best.assigned;
  nlohmann::ordered_json json;
  json["schema"] = sim::placement_schema;
  json["scenario"] = job.scenario.name;
  json["ranks_per_node"] = job.ranks_per_node;
  json["nodes"] = job.names_of(best.nodes);
  json["spares"] = job.names_of(best.spares);
  json["step_time_s"] = answer.best.step();
  json["simulated"] = answer.simulated > 0;
  json["model"] = {{"step_time_s", best.cost.step},
                   {"bound_s", answer.bound},
                   {"gap", answer.gap()},
                   {"proven", answer.proven}};
  json["in_cluster_order"] = {{"nodes", job.names_of(answer.in_order.assigned.nodes)},
                              {"step_time_s", answer.in_order.step()}};
  json["how"] = best.how;
  return json.dump(1) + "\n";
}

void assign(const AssignCommand& command) {
  const PlaceJob job = load_place_job(command.place, command.spares, {});
  const Answer answer = choose(command, job);
  if (!command.json.empty()) write_output(command.json, answer_json(job, answer));
  if (command.page.wanted())
    command.page.write({answer_json(job, answer),
                        topology_document(job.scenario, command.place.scenario.path, {})});
  for (const PlaceFormat& format : place_formats())
    if (format.name == command.to)
      write_output(command.output, format.write(job, answer.best.assigned.nodes));
  const bool stdout_taken = command.json == "-" || (!command.to.empty() && command.output == "-");
  if (!stdout_taken) write_output("-", answer_text(job, answer));
}

}  // namespace

void add_place_assign(CLI::App& group) {
  CLI::App* command = group.add_subcommand("assign", "choose nodes and their order for a job");
  const auto options = std::make_shared<AssignCommand>();
  options->place.add_to(*command);
  command->add_option("--spare", options->spares, "further nodes to keep for it, near to it")
      ->check(CLI::NonNegativeNumber);
  CLI::Option* required = command->add_option("--required,--contiguous", options->required,
                                              "all nodes in one domain of this level");
  command
      ->add_option("--preferred", options->preferred,
                   "the same, or of the next coarser level where one has room, or anywhere")
      ->excludes(required);
  CLI::Option* slice =
      command->add_option("--slice", options->slice, "each so many nodes in one domain of a level")
          ->check(CLI::PositiveNumber);
  CLI::Option* slice_level =
      command->add_option("--slice-level", options->slice_level, "that level");
  slice->needs(slice_level);
  slice_level->needs(slice);
  command
      ->add_option("--confirm", options->confirm,
                   "simulate so many of the best, and what schedulers would choose, and take the "
                   "quickest; default: 3 up to 128 nodes, else 0")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--json", options->json, "write the placement as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  std::vector<std::string> names;
  for (const PlaceFormat& format : place_formats()) names.emplace_back(format.name);
  CLI::Option* to = command->add_option("--to", options->to, "write it for another program")
                        ->check(CLI::IsMember(names));
  command->add_option("--output", options->output, "where to; default: stdout")
      ->type_name("FILE|-")
      ->needs(to)
      ->check(CLI::Validator(check_output_path, ""));
  options->page.add_to(*command);
  command->callback([options] { assign(*options); });
}

}  // namespace cli
