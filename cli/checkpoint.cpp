#include "viz/checkpoint.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "base/quantity.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/node_ranks.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/scenario.hpp"
#include "strategies/checkpoint_file/checkpoint_file.hpp"
#include "strategies/checkpoint_file/comparison.hpp"

namespace cli {

namespace {

namespace files = strategies::checkpoint_file;

struct SummarizeCommand {
  viz::CheckpointView view;
  std::string scenario;
  std::string json;
};

/// Model states and what libraries hold, of the fullest program, before the first step.
base::Bytes resident_bytes(const sim::StepGraph& graph) {
  base::Bytes most;
  for (const sim::Program& program : graph.programs) {
    base::Bytes sum;
    for (int part = 0; part < sim::memory_part_count; ++part)
      sum += sim::held_bytes(program, static_cast<sim::MemoryPart>(part));
    most = std::max(most, sum);
  }
  return most;
}

viz::CheckpointFit fit_of(const files::Checkpoint& checkpoint, const std::string& path) {
  const sim::Scenario scenario = value_or_leave(sim::load_scenario({path, {}, hardware_folder()}));
  const Forecast made =
      value_or_leave(forecast(scenario, nullptr, sim::Fidelity::analytic, [](double) {}));
  viz::CheckpointFit fit;
  fit.scenario = scenario.name;
  fit.plan = strategies::describe(scenario.plan);
  fit.comparison = files::compare(checkpoint, scenario.model);
  fit.share = files::share_of_rank(checkpoint, scenario.model, scenario.plan);
  fit.ranks_per_node = ranks_of_fullest_node(scenario);
  fit.whole_files = checkpoint.format.starts_with("PyTorch");
  fit.resident = resident_bytes(made.graph);
  fit.capacity = made.report.memory.capacity;
  fit.step_peak = made.report.memory.peak;
  fit.step_fits = made.report.memory.fits;
  return fit;
}

/// What a script must hear of: first what is wrong with the checkpoint, then what does not fit.
ExitCode verdict(const files::Checkpoint& checkpoint, const std::optional<viz::CheckpointFit>& fit,
                 const SummarizeCommand& command) {
  if (base::has_errors(checkpoint.problems)) return mistake;
  if (!fit) return done;
  if (!fit->comparison.naming.empty() && !fit->comparison.fits()) {
    print({{{command.view.path},
            fmt::format("has not the tensors of the model of {}: {} are missing, {} have another "
                        "shape",
                        command.scenario, fit->comparison.missing.size(),
                        fit->comparison.different.size())}});
    return mistake;
  }
  if (fit->loads()) return done;
  print({{{command.view.path},
          fmt::format("cannot be loaded: a rank needs {} of {}",
                      base::format_bytes(fit->while_loading()), base::format_bytes(fit->capacity)),
          "shard more: zero: 3, tensor or pipeline parallelism"}});
  return infeasible;
}

void summarize(const SummarizeCommand& command) {
  const files::Checkpoint checkpoint = value_or_leave(files::read_checkpoint(command.view.path));
  print(checkpoint.problems);
  std::optional<viz::CheckpointFit> fit;
  if (!command.scenario.empty()) fit = fit_of(checkpoint, command.scenario);
  if (!command.json.empty())
    write_output(command.json, viz::checkpoint_json(checkpoint, command.view, fit));
  if (command.json != "-") write_output("-", viz::checkpoint_text(checkpoint, command.view, fit));
  leave_with(verdict(checkpoint, fit, command));
}

void add_summarize(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "summarize", "tensors, types and modules of a checkpoint, from its headers alone");
  const auto options = std::make_shared<SummarizeCommand>();
  command
      ->add_option("PATH", options->view.path,
                   "a .safetensors, .pt, .pth or .bin file, or a folder: shards with an index, or "
                   "a distributed checkpoint")
      ->required();
  command->add_option("--depth", options->view.depth, "of the tree of modules")
      ->capture_default_str()
      ->check(CLI::Range(0, 32));
  command->add_flag("--tensors", options->view.tensors, "list every tensor, too");
  command
      ->add_option("--scenario", options->scenario,
                   "compare with its model, and tell what a rank of its plan loads")
      ->type_name("FILE");
  command->add_option("--json", options->json, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->callback([options] { summarize(*options); });
}

}  // namespace

void setup_checkpoint(CLI::App& app) {
  CLI::App* group = app.add_subcommand("checkpoint", "what is in a checkpoint");
  group->require_subcommand(1);
  add_summarize(*group);
}

}  // namespace cli
