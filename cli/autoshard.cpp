#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "base/quantity.hpp"
#include "cli/autoshard_micro_batches.hpp"
#include "cli/autoshard_problem.hpp"
#include "cli/autoshard_stages.hpp"
#include "cli/calibration_option.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/autoshard/refine.hpp"
#include "strategies/autoshard/hand_written.hpp"
#include "viz/sharding.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

struct AutoshardCommand {
  ScenarioArgument scenario;
  CalibrationOption calibration;
  AutoshardOptions options;
  int refine = 0;
  std::string json;
  std::string save;
  std::string load;
  std::string placements;
  std::vector<std::string> explain;
  std::string diff;
  bool list = false;
};

/// `tried_all`: numbers of micro-batches.
[[noreturn]] void leave_infeasible(const autoshard::Conflict& conflict, const std::string& path,
                                   bool tried_all) {
  using Reason = autoshard::NoSolution::Reason;
  std::string hint;
  for (const std::string& name : conflict.demands) hint += (hint.empty() ? "" : ", ") + name;
  if (conflict.demands.size() == 1)
    hint = fmt::format("without '{}' there is one", hint);
  else if (!hint.empty())
    hint = fmt::format("without any one of these there is one: {}", hint);
  std::string message;
  switch (conflict.why.reason) {
    case Reason::choices: message = "no plan meets the constraints"; break;
    case Reason::memory:
      message =
          fmt::format("no plan keeps what is asked of memory: the nearest keeps {} a rank",
                      base::format_bytes(base::Bytes::from_double(conflict.why.nearest_bytes)));
      if (!tried_all) hint += "; activations of more --micro-batches take less";
      break;
    case Reason::slower:
    case Reason::unknown: message = "the search ended without a plan, and without a proof"; break;
  }
  print({{{path}, message, hint}});
  throw CLI::RuntimeError(infeasible);
}

class Session {
 public:
  /// `cut`: how the number of micro-batches was chosen; nothing: it was given.
  Session(const AutoshardCommand& command, const AutoshardProblem& problem,
          std::optional<BestCut> cut)
      : command_(command), made_(problem), cut_(std::move(cut)), pricing_(problem.problem) {}

  void run() {
    const bool loaded = !command_.load.empty();
    autoshard::Solution solution = loaded ? saved(command_.load) : solve();
    std::vector<viz::ShardingRival> rivals = hand_written();
    if (!loaded) take_better(rivals, solution);
    if (!loaded && command_.refine > 0) refine(solution);
    viz::ShardingView view{.scenario = made_.scenario.name,
                           .model_text = made_.scenario.model.name,
                           .cluster_text = made_.scenario.cluster_text,
                           .header = made_.header,
                           .batch = made_.shape.batch,
                           .sequence = made_.shape.seq,
                           .trials = cut_ ? cut_->trials : std::vector<viz::MicroBatchTrial>{},
                           .memory = made_.demands.memory,
                           .loaded = loaded,
                           .graph = made_.graph,
                           .pricing = pricing_,
                           .solution = solution,
                           .rivals = std::move(rivals),
                           .simulated = {},
                           .left_out = autoshard::left_out(made_.scenario.model)};
    view.simulated = made_.simulate(solution).step;
    if (!command_.save.empty()) write_output(command_.save, viz::saved_sharding_json(view));
    if (!command_.placements.empty()) write_output(command_.placements, viz::placements_json(view));
    if (!command_.json.empty()) write_output(command_.json, viz::sharding_json(view));
    if (command_.json == "-") return;
    write_output("-", viz::sharding_text(view));
    if (command_.list) write_output("-", "\n" + viz::sharding_listing(view));
    for (const std::string& question : command_.explain)
      write_output("-",
                   "\n" + viz::explanation_text(view, question, explained(question, solution)));
    if (!command_.diff.empty())
      write_output("-", "\n" + viz::sharding_difference_text(view, saved(command_.diff)));
  }

 private:
  autoshard::Solution solve() const {
    const auto answer =
        cut_ ? cut_->answer : value_or_leave(autoshard::solve_with(pricing_, made_.demands));
    if (!answer) leave_infeasible(answer.error(), command_.scenario.path, cut_.has_value());
    return *answer;
  }

  /// A search that ended before its proof may have missed a plan that people write. Those do not
  /// know a user's constraints.
  void take_better(const std::vector<viz::ShardingRival>& rivals,
                   autoshard::Solution& solution) const {
    if (solution.bound == solution.time || !made_.demands.constraints.empty()) return;
    const base::Seconds bound = solution.bound;
    for (const viz::ShardingRival& rival : rivals)
      if (rival.solution && rival.solution->time < solution.time) solution = *rival.solution;
    solution.bound = bound;
  }

  void refine(autoshard::Solution& solution) const {
    const auto again = [&](const autoshard::Problem& problem) {
      const auto found =
          value_or_leave(autoshard::solve_with(autoshard::Pricing(problem), made_.demands));
      return found ? std::optional(*found) : std::nullopt;
    };
    const base::Seconds bound = solution.bound;  // of the sum without overlap
    solution = made_.refine(solution, again, command_.refine).solution;
    solution.bound = bound;
  }

  autoshard::Solution saved(const std::string& path) const {
    const std::string text = value_or_leave(base::read_file(path));
    const base::Document document = value_or_leave(base::parse_json(text, path));
    return pricing_.price(
        value_or_leave(autoshard::read_solution(document, made_.problem, made_.header)));
  }

  std::vector<viz::ShardingRival> hand_written() const {
    std::vector<viz::ShardingRival> rivals;
    for (const auto& [name, plan] : autoshard::hand_written_names) {
      if (plan == autoshard::HandWritten::megatron && made_.header.mesh.size() < 2) continue;
      autoshard::SolveOptions options;
      options.memory = made_.demands.memory;
      options.allowed = autoshard::choices_of(plan, made_.graph, made_.problem);
      auto answer = autoshard::solve(pricing_, options);
      viz::ShardingRival rival{std::string(name), {}, {}};
      if (answer)
        rival.solution = std::move(*answer);
      else
        rival.reason = reason_of(answer.error());
      rivals.push_back(std::move(rival));
    }
    return rivals;
  }

  autoshard::Explanation explained(const std::string& question,
                                   const autoshard::Solution& solution) const {
    const std::size_t equals = question.find('=');
    autoshard::Constraint target{
        "the question", question.substr(0, equals), false, {}, {"--explain " + question}};
    if (equals == std::string::npos) {
      print(
          {{target.where, "NODE=LAYOUT is expected", "for example --explain 'head.weight=R, R'"}});
      throw CLI::RuntimeError(mistake);
    }
    target.layouts.push_back(value_or_leave(
        strategies::placement::parse_layout(question.substr(equals + 1), target.where)));
    return value_or_leave(autoshard::explain(pricing_, made_.demands, solution, target));
  }

  const AutoshardCommand& command_;
  const AutoshardProblem& made_;
  std::optional<BestCut> cut_;
  autoshard::Pricing pricing_;
};

/// A saved plan says of how many micro-batches it is, where the command does not.
std::optional<BestCut> cut_batch(const AutoshardCommand& command, AutoshardProblem& problem) {
  if (command.options.micro_batches > 0) return std::nullopt;
  if (command.load.empty()) return cut_batch_best(problem);
  const std::string text = value_or_leave(base::read_file(command.load));
  const base::Document document = value_or_leave(base::parse_json(text, command.load));
  if (const auto saved = autoshard::saved_micro_batches(document);
      saved && problem.scenario.plan.global_batch % *saved == 0)
    problem.cut_batch(*saved);
  return std::nullopt;
}

void autoshard_model(const AutoshardCommand& command) {
  const sim::Scenario scenario = command.scenario.load();
  print(scenario.notes);
  AutoshardProblem problem(scenario, command.calibration.load(), command.options);
  if (command.options.stages > 1) {
    const StagesAnswer answer = autoshard_stages(problem, command.options);
    if (!command.json.empty()) write_output(command.json, answer.json);
    if (command.json != "-") write_output("-", answer.text);
    return;
  }
  std::optional<BestCut> cut = cut_batch(command, problem);
  Session(command, problem, std::move(cut)).run();
}

}  // namespace

void setup_autoshard(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "autoshard", "shard a model: the quickest layout of every tensor on a device mesh");
  const auto options = std::make_shared<AutoshardCommand>();
  options->scenario.add_to(*command);
  options->calibration.add_to(*command);
  command
      ->add_option("--mesh", options->options.mesh,
                   "extents of the device mesh, the last one fastest; default: nodes x GPUs of a "
                   "node")
      ->type_name("8x8");
  command
      ->add_option("--memory", options->options.memory,
                   "what a rank may keep; default: the memory of its GPU")
      ->type_name("SIZE");
  command
      ->add_option("--micro-batches", options->options.micro_batches,
                   "into which the global batch is cut; auto: the power of two with the quickest "
                   "step")
      ->default_str("auto")
      ->transform(CLI::Validator(
          [](std::string& text) {
            if (text != "auto") return CLI::Range(1, 1 << 20)(text);
            text = "0";
            return std::string();
          },
          ""))
      ->type_name("N|auto");
  CLI::Option* stages =
      command
          ->add_option("--stages", options->options.stages,
                       "of a pipeline: the best cuts between layers, each stage on a mesh of its "
                       "own")
          ->capture_default_str()
          ->check(CLI::Range(1, 1 << 10));
  command
      ->add_option("--refine", options->refine,
                   "simulate the plan, price communication by what was exposed, and solve again, "
                   "for so many plans at most")
      ->capture_default_str()
      ->check(CLI::Range(0, 100));
  command->add_flag("--list", options->list, "every operator with its layouts and costs");
  command
      ->add_option("--explain", options->explain,
                   "why a tensor has not that layout, and what it would cost; repeatable")
      ->type_name("NODE=LAYOUT")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--diff", options->diff, "what changed since a saved plan")
      ->type_name("FILE");
  command->add_option("--load", options->load, "price a saved plan instead of solving")
      ->type_name("FILE");
  command->add_option("--save", options->save, "save the plan for --load and --diff")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
  command
      ->add_option("--placements", options->placements,
                   "write the placements as AutoParallel saves them")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->add_option("--json", options->json, "write the report as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  for (const char* name :
       {"--refine", "--list", "--explain", "--diff", "--load", "--save", "--placements"})
    stages->excludes(command->get_option(name));
  command->callback([options] { autoshard_model(*options); });
}

}  // namespace cli
