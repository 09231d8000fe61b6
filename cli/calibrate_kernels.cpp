#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "calibrate/harness/kernel_bench.hpp"
#include "calibrate/store/kernel_shape.hpp"
#include "cli/calibrate.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/measured_run.hpp"
#include "cli/output.hpp"
#include "cli/ranks.hpp"
#include "cli/scenario_argument.hpp"
#include "sim/execute.hpp"

namespace cli {

namespace {

using calibrate::KernelRecord;
using calibrate::harness::KernelTask;

struct Options {
  std::string database;
  JobOptions job{.network = "mpi", .compute = "blas", .ranks = 1};
  std::string scenario;
  std::string dtype = "fp32";
  std::string variant;
  double spread = 0.02;
  double budget = 0.5;
  bool resume = false;
};

/// What a scenario launches, or the grid that a calibration begins with.
base::Result<std::vector<KernelTask>> tasks_of(const Options& options) {
  if (!options.scenario.empty()) {
    const auto graph = step_graph(ScenarioArgument{options.scenario, {}}.load(), nullptr);
    if (!graph) return tl::unexpected(graph.error());
    std::vector<KernelTask> tasks;
    for (const base::Kernel& kernel : sim::needed_work(*graph).kernels)
      tasks.push_back(calibrate::harness::task_of(kernel));
    return tasks;
  }
  for (const auto& [name, type] : base::dtype_names)
    if (name == options.dtype)
      return calibrate::harness::standard_grid(type, options.job.compute == "blas");
  std::vector<std::string_view> names;
  for (const auto& [name, type] : base::dtype_names) names.push_back(name);
  return tl::unexpected(base::Diagnostics{{{"--dtype"},
                                           fmt::format("no format '{}'", options.dtype),
                                           base::suggest(options.dtype, names)}});
}

std::vector<std::string> arguments_of(const Options& options) {
  std::vector<std::string> words{"calibrate", "kernels", "--db", options.database};
  for (const auto& [name, value] :
       {std::pair<std::string, std::string>{"--compute", options.job.compute},
        {"--network", options.job.network},
        {"--ranks", std::to_string(options.job.ranks)},
        {"--scenario", options.scenario},
        {"--dtype", options.dtype},
        {"--variant", options.variant},
        {"--spread", fmt::format("{}", options.spread)},
        {"--budget", fmt::format("{}", options.budget)}})
    if (!value.empty()) words.insert(words.end(), {name, value});
  return words;
}

void tell(const KernelRecord& record) {
  const double rate = base::flop_of(record.kernel).count() / record.times.typical();
  const double bandwidth = base::bytes_of(record.kernel).as_double() / record.times.typical();
  fmt::print("{:<64} {:>12.2f} us  {}  ± {:.1f} %\n",
             record.kind == "gemm" || record.kind == "attention"
                 ? calibrate::store::shape_text(record.kernel)
                 : fmt::format("{} {} x {} {}", record.kind, record.rows, record.columns,
                               base::name_of(record.dtype)),
             1e6 * record.times.typical(),
             rate > 0 ? fmt::format("{:>9.2f} GFLOP/s", rate / 1e9)
                      : fmt::format("{:>9.2f} GB/s   ", bandwidth / 1e9),
             record.times.mean > 0 ? 100 * record.times.deviation / record.times.mean : 0.0);
  std::fflush(stdout);
}

bool measured_before(const calibrate::RunRecords& known, const KernelTask& task) {
  return std::any_of(known.kernels.begin(), known.kernels.end(), [&](const KernelRecord& one) {
    return one.kind == task.kind && one.kernel == task.kernel;
  });
}

void measure_here(const Options& options, const std::vector<KernelTask>& tasks,
                  const RankHere& here, MeasuredRun* run) {
  const calibrate::harness::KernelBench bench(
      here.device, &here.world,
      {.warm_up = 2, .batch = 10, .spread = options.spread, .seconds = options.budget});
  int lacking = 0;
  for (const KernelTask& task : tasks) {
    const bool known = run != nullptr && measured_before(run->known(), task);
    if (here.world.agree<std::int32_t>(known ? 1 : 0) != 0) continue;
    const base::Result<KernelRecord> record = bench.measure(task, options.variant);
    if (!record) {
      ++lacking;
      if (run != nullptr)
        print(base::Diagnostics{{{}, record.error().front().message, "", base::Severity::note}});
      continue;
    }
    if (run == nullptr) continue;
    run->add(*record);
    tell(*record);
  }
  if (run != nullptr && lacking > 0)
    fmt::print(stderr, "foreshard: note: {} of {} kernels are not there on this device\n", lacking,
               tasks.size());
}

void measure(const Options& options) {
  const auto tasks = tasks_of(options);
  if (!tasks) {
    print(tasks.error());
    leave_with(mistake);
  }
  if (!is_rank(options.job.network)) {
    check_database(options.database);
    start_measuring(options.job, arguments_of(options), options.resume, options.database);
    return;
  }
  as_rank(options.job, [&](const RankHere& here) {
    keep_run(options.database, here, fmt::format("{}", fmt::join(arguments_of(options), " ")),
             options.resume, [&](MeasuredRun* run) { measure_here(options, *tasks, here, run); });
  });
}

}  // namespace

void add_calibrate_kernels(CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "kernels", "measure matrix products, attention and memory-bound kernels of a device");
  add_database(*command, options->database);
  command->add_option("--compute", options->job.compute, "blas (a core of this CPU) or cuda")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--network", options->job.network, "how ranks meet: mpi, gloo or nccl")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--ranks", options->job.ranks, "that measure at once, as in a step")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--scenario", options->scenario,
                   "measure what its step launches; default: a standard grid")
      ->type_name("FILE");
  command->add_option("--dtype", options->dtype, "of the standard grid")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--variant", options->variant, "of matrix products: heuristic or best")
      ->check(CLI::IsMember({"heuristic", "best"}))
      ->type_name("NAME");
  command->add_option("--spread", options->spread, "standard error of the mean to reach")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SHARE")
      ->capture_default_str();
  command->add_option("--budget", options->budget, "seconds for each kernel at most")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S")
      ->capture_default_str();
  command->add_flag("--resume", options->resume, "go on with an interrupted run of this command");
  command->callback([options] { measure(*options); });
}

}  // namespace cli
