#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "base/check.hpp"
#include "calibrate/harness/collective_bench.hpp"
#include "calibrate/harness/kernel_bench.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_option.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/measured_run.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/ranks.hpp"
#include "cli/scenario_argument.hpp"
#include "cli/stored_runs.hpp"
#include "sim/execute.hpp"
#include "sim/step_comparison.hpp"
#include "viz/step_comparison.hpp"
#include "viz/timeline_json.hpp"
#include "viz/viz.hpp"

namespace cli {

namespace {

using calibrate::CollectiveRecord;
using calibrate::KernelRecord;

struct Options {
  ScenarioArgument scenario;
  std::string database;
  std::string json;
  std::string trace;
  PageOption page;
  int steps = 10;
  double budget = 0.5;
  /// Of ranks that this command starts: "measure" what the calibration lacks, or "execute" the step
  /// into `result`.
  std::string phase;
  std::string result;
};

/// The runtimes that a scenario's ranks execute on.
JobOptions job_of(const sim::Scenario& scenario) {
  JobOptions job;
  job.network = scenario.backend == nullptr ? "nccl" : std::string(scenario.backend->name());
  job.compute = compute_of(job.network);
  job.ranks = scenario.plan.ranks();
  return job;
}

/// Elements of messages, of which the size alone matters.
std::string element_of(const JobOptions& job) {
  return job.compute == "blas" ? "float" : "bfloat16";
}

// --- measuring ---------------------------------------------------------------------------------

/// Everything is measured so many times, one thing after the other. A machine that others use is
/// slow for seconds on end: in one go that would fall on a few kernels, and theirs would be wrong.
constexpr int rounds = 5;

/// Measures what a step needs and the calibration lacks, on the ranks that will execute it.
class StepCalibration {
 public:
  StepCalibration(const Options& options, const sim::StepGraph& graph, const std::string& dtype,
                  const RankHere& here)
      : options_(options), graph_(graph), dtype_(dtype), here_(here) {
    if (here.world.rank() == 0 && std::filesystem::exists(options.database))
      for (const calibrate::RunRecords& run : stored_runs(options.database)) {
        kernels_.insert(kernels_.end(), run.kernels.begin(), run.kernels.end());
        collectives_.insert(collectives_.end(), run.collectives.begin(), run.collectives.end());
      }
  }

  void measure() {
    if (here_.world.rank() == 0) {
      auto opened = MeasuredRun::open(
          options_.database, here_,
          fmt::format("calibrate step {} --db {}", options_.scenario.path, options_.database),
          false);
      opened ? static_cast<void>(run_.emplace(std::move(*opened))) : print(opened.error());
    }
    if (here_.world.agree<std::int32_t>(run_ ? 1 : 0) == 0) leave_with(broken);
    const sim::NeededWork needed = sim::needed_work(graph_);
    for (int round = 0; round < rounds; ++round) {
      measure_kernels(needed.kernels);
      measure_collectives(needed.collectives);
    }
    if (run_) run_->finish();
  }

 private:
  /// Rank 0 knows what is there already.
  bool somebody(bool known) const { return here_.world.agree<std::int32_t>(known ? 1 : 0) != 0; }

  void measure_kernels(const std::vector<base::Kernel>& kernels) {
    const calibrate::harness::KernelBench bench(
        here_.device, &here_.world,
        {.warm_up = 2, .batch = 4, .spread = 0.01, .seconds = options_.budget / rounds});
    const std::string device = here_.device.description().name;
    for (const base::Kernel& kernel : kernels) {
      const bool known =
          std::any_of(kernels_.begin(), kernels_.end(), [&](const KernelRecord& one) {
            return one.kernel == kernel && one.device == device &&
                   one.concurrent == here_.world.ranks();
          });
      if (somebody(known)) continue;
      const auto record = bench.measure(calibrate::harness::task_of(kernel), {});
      if (!record) throw base::EnvironmentError(record.error().front().message);
      if (run_) run_->add(*record);
    }
  }

  void measure_collectives(const std::vector<sim::NeededCollective>& collectives) {
    calibrate::SweepOptions sweep;
    sweep.bytes_min = sweep.bytes_max = 0;
    const calibrate::harness::CollectiveBench bench(
        here_.world, here_.device, sweep,
        {.warm_up = 5, .batch = 10, .spread = 0.01, .seconds = options_.budget / rounds});
    for (const sim::NeededCollective& one : collectives) {
      const strategies::RankGrid& grid = graph_.grid;
      const std::vector<int> members =
          grid.members(grid.group_of(here_.world.rank(), one.axes), one.axes);
      sim::CollectiveWork work =
          sim::collective_work(one.op, one.bytes, static_cast<int>(members.size()), dtype_);
      if (somebody(is_known(one, work, members.size()))) continue;
      const auto group = here_.world.group(members);
      if (one.op == base::Collective::send_receive) {
        work.call.destination = (group.rank() + 1) % group.ranks();
        work.call.source = (group.rank() + group.ranks() - 1) % group.ranks();
      }
      const CollectiveRecord record = bench.measure(group, work.call, work.size, false);
      if (run_) run_->add(record);
    }
  }

  bool is_known(const sim::NeededCollective& one, const sim::CollectiveWork& work,
                std::size_t ranks) const {
    const calibrate::Software library = here_.world.software().front();
    const int groups = here_.world.ranks() / static_cast<int>(ranks);
    return std::any_of(collectives_.begin(), collectives_.end(),
                       [&](const CollectiveRecord& known) {
                         return known.op == one.op && known.bytes == work.size.bytes &&
                                known.library == library.name && known.placement.groups == groups &&
                                known.placement.ranks == static_cast<int>(ranks) && !known.in_place;
                       });
  }

  const Options& options_;
  const sim::StepGraph& graph_;
  std::string dtype_;
  const RankHere& here_;
  std::vector<KernelRecord> kernels_;          // of rank 0
  std::vector<CollectiveRecord> collectives_;  // of rank 0
  std::optional<MeasuredRun> run_;             // of rank 0
};

// --- executing ---------------------------------------------------------------------------------

/// Steps of all ranks, in a file that only this program reads: step by step and rank by rank a
/// count and so many numbers.
void write_steps(const std::string& path, const RankHere& here,
                 const std::vector<sim::RankStep>& mine) {
  std::ofstream file;
  if (here.world.rank() == 0) file.open(path, std::ios::binary);
  for (const sim::RankStep& step : mine) {
    std::vector<double> numbers = sim::packed(step);
    const auto counts = here.world.share(std::vector{static_cast<std::int64_t>(numbers.size())});
    const auto longest = static_cast<std::size_t>(*std::max_element(counts.begin(), counts.end()));
    numbers.resize(longest);
    const std::vector<double> all = here.world.share(numbers);
    for (std::size_t rank = 0; rank < counts.size() && file.is_open(); ++rank) {
      const std::int64_t count = counts[rank];
      file.write(reinterpret_cast<const char*>(&count), sizeof count);
      file.write(reinterpret_cast<const char*>(all.data() + rank * longest),
                 count * static_cast<std::int64_t>(sizeof(double)));
    }
  }
  if (here.world.rank() == 0 && !file.flush())
    throw base::EnvironmentError(fmt::format("{}: cannot be written", path));
}

sim::ExecutedSteps read_steps(const std::string& path, std::size_t ranks) {
  std::ifstream file(path, std::ios::binary);
  sim::ExecutedSteps steps;
  std::int64_t count = 0;
  while (file.read(reinterpret_cast<char*>(&count), sizeof count)) {
    std::vector<double> numbers(static_cast<std::size_t>(count));
    file.read(reinterpret_cast<char*>(numbers.data()),
              count * static_cast<std::int64_t>(sizeof(double)));
    if (steps.empty() || steps.back().size() == ranks) steps.emplace_back();
    steps.back().push_back(sim::unpacked(numbers));
  }
  if (steps.empty() || steps.back().size() != ranks)
    throw base::EnvironmentError("the ranks left no times of their steps");
  return steps;
}

void run_rank(const Options& options, const sim::Scenario& scenario, const sim::StepGraph& graph) {
  const JobOptions job = job_of(scenario);
  as_rank(job, [&](const RankHere& here) {
    if (here.world.ranks() != graph.grid.size())
      throw base::EnvironmentError(fmt::format("the plan has {} ranks, but {} were started",
                                               graph.grid.size(), here.world.ranks()));
    if (options.phase == "measure") {
      StepCalibration(options, graph, element_of(job), here).measure();
      return;
    }
    const auto steps =
        sim::execute(graph, here.device, here.world,
                     {.warm_up = 2,
                      .steps = options.steps,
                      .dtype = element_of(job),
                      .failed = [&](const std::exception& failure) { end_ranks(here, failure); }});
    if (!steps) throw base::EnvironmentError(steps.error().front().message);
    write_steps(options.result, here, *steps);
  });
}

// --- the command -------------------------------------------------------------------------------

base::Diagnostics cannot_execute(const sim::Scenario& scenario, const std::string& path) {
  const JobOptions job = job_of(scenario);
  base::Diagnostics problems;
  const auto refuse = [&](std::string what, std::string hint) {
    problems.push_back({{path}, std::move(what), std::move(hint)});
  };
  if (job.network != "mpi" && job.network != "gloo" && job.network != "nccl")
    refuse(fmt::format("nothing here executes communication backend '{}'", job.network),
           "communication: {backend: mpi}, gloo or nccl");
  const std::string& gpu = scenario.cluster.gpu_spec(0).name;
  if (job.compute == "blas" && gpu != "cpu-core")
    refuse(fmt::format("ranks that talk by {} compute on CPU cores, but the cluster has {}",
                       job.network, gpu),
           "cluster: {nodes: {type: cpu-host, …}}, or communication: {backend: nccl}");
  if (job.compute == "blas" && scenario.plan.precision.compute != base::DType::fp32)
    refuse("CPU cores compute in fp32", "plan: {precision: {compute: fp32}}");
  return problems;
}

void run_phase(const Options& options, const JobOptions& job, const std::string& phase,
               const std::string& result) {
  std::vector<std::string> words{"calibrate",
                                 "step",
                                 options.scenario.path,
                                 "--db",
                                 options.database,
                                 "--phase",
                                 phase,
                                 "--result",
                                 result,
                                 "--steps",
                                 std::to_string(options.steps),
                                 "--budget",
                                 fmt::format("{}", options.budget)};
  for (const std::string& set : options.scenario.set) words.insert(words.end(), {"--set", set});
  if (const auto fault = start_ranks(job, words))
    throw base::EnvironmentError(
        fmt::format("{} {}", phase == "measure" ? "measuring:" : "executing:", *fault));
}

void step(const Options& options) {
  const sim::Scenario scenario = options.scenario.load();
  if (base::Diagnostics problems = cannot_execute(scenario, options.scenario.path);
      !problems.empty()) {
    print(problems);
    leave_with(mistake);
  }
  const JobOptions job = job_of(scenario);
  const auto graph = step_graph(scenario, nullptr);
  if (!graph) {
    print(graph.error());
    leave_with(mistake);
  }
  if (!options.phase.empty()) return run_rank(options, scenario, *graph);

  check_database(options.database);
  run_phase(options, job, "measure", "");
  CalibrationOption calibration{{options.database}};
  const auto predicted = forecast(scenario, calibration.load(), scenario.fidelity, [](double) {});
  if (!predicted) {
    print(predicted.error());
    leave_with(mistake);
  }
  const std::filesystem::path result =
      std::filesystem::temp_directory_path() / fmt::format("foreshard-step-{}", getpid());
  run_phase(options, job, "execute", result.string());
  const sim::ExecutedSteps steps =
      read_steps(result.string(), predicted->graph.program_of_rank.size());
  std::error_code ignored;
  std::filesystem::remove(result, ignored);

  const sim::StepComparison comparison =
      sim::compare_steps(predicted->graph, predicted->report.step.s(), steps);
  const viz::ComparedStep shown{
      predicted->report.scenario,
      fmt::format("{} ranks of {} by {}; {}", job.ranks, scenario.cluster.gpu_spec(0).name,
                  job.network, predicted->report.plan),
      predicted->report.step_p10.s(), predicted->report.step_p90.s(), predicted->report.sources};
  print(predicted->report.diagnostics);
  if (!options.trace.empty())
    write_output(options.trace, viz::chrome_trace(predicted->graph, predicted->timeline,
                                                  steps[comparison.middle]));
  const std::string json = viz::step_comparison_json(shown, comparison);
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted())
    options.page.write({json, viz::report_json(predicted->report),
                        viz::timeline_json(scenario.name, predicted->graph, predicted->timeline,
                                           steps[comparison.middle])});
  if (options.json != "-") write_output("-", viz::step_comparison_text(shown, comparison));
}

}  // namespace

void add_calibrate_step(CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "step", "measure what a step needs, forecast it, execute it, and compare");
  options->scenario.add_to(*command);
  add_database(*command, options->database);
  command->add_option("--steps", options->steps, "executed ones that count")
      ->check(CLI::Range(1, 1000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--budget", options->budget, "seconds for each measurement at most")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S")
      ->capture_default_str();
  command->add_option("--json", options->json, "write the comparison as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->add_option("--trace", options->trace, "write both steps for ui.perfetto.dev")
      ->type_name("FILE")
      ->check(CLI::Validator(check_file_path, ""));
  options->page.add_to(*command);
  command->add_option("--phase", options->phase)->group("");  // of the ranks that it starts
  command->add_option("--result", options->result)->group("");
  command->callback([options] { step(*options); });
}

}  // namespace cli
