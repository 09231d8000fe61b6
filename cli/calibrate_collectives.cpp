#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>

#include "calibrate/harness/collective_bench.hpp"
#include "calibrate/harness/machine.hpp"
#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/nccl_tests_output.hpp"
#include "calibrate/runtime/loader.hpp"
#include "cli/calibrate.hpp"
#include "cli/exit_code.hpp"
#include "cli/measured_run.hpp"
#include "cli/output.hpp"
#include "cli/overlap_rows.hpp"
#include "cli/ranks.hpp"

namespace cli {

namespace {

using calibrate::CallSize;
using calibrate::CollectiveRecord;

struct Options {
  std::string database;
  JobOptions job{.network = "mpi"};
  std::vector<std::string> operations;
  int group = 0;   ///< ranks of a group; 0: all
  int stride = 1;  ///< between its ranks
  bool alone = false;
  std::vector<std::string> beside;  ///< kinds of kernels
  bool resume = false;
  double spread = 0;
  double budget = 1;
  std::string algorithm;
  std::string protocol;
  std::vector<std::string> words;  ///< of nccl-tests
};

struct Plan {
  std::vector<base::Collective> operations;
  calibrate::SweepOptions sweep;
  std::vector<calibrate::harness::BesideKind> beside;
};

base::Result<Plan> plan_of(const Options& options) {
  Plan plan;
  base::Diagnostics problems;
  auto sweep = calibrate::parse_sweep_options(options.words);
  if (sweep)
    plan.sweep = std::move(*sweep);
  else
    problems = sweep.error();
  if (plan.sweep.issue_time)
    problems.push_back({{"-C"}, "the time of calls alone is not measured", "leave out -C"});
  if (plan.sweep.skipped > 0)
    problems.push_back({{"-K"}, "all iterations count here", "more warm-ups: -w"});
  if (plan.sweep.root && *plan.sweep.root >= std::max(1, options.job.ranks) &&
      options.job.ranks > 0)
    problems.push_back(
        {{"-r"}, fmt::format("no rank {} among {}", *plan.sweep.root, options.job.ranks), ""});
  std::vector<std::string_view> known;
  for (const auto& [name, op] : base::collective_names) known.push_back(name);
  for (const std::string& wanted : options.operations) {
    const auto found = std::find(known.begin(), known.end(), wanted);
    if (found == known.end())
      problems.push_back({{"--operations"},
                          fmt::format("no operation '{}'", wanted),
                          base::suggest(wanted, known)});
    else
      plan.operations.push_back(
          base::collective_names[static_cast<std::size_t>(found - known.begin())].second);
  }
  if (options.operations.empty())
    for (const auto& [name, op] : base::collective_names)
      if (op != base::Collective::barrier) plan.operations.push_back(op);
  for (const auto& [name, kind] : calibrate::harness::beside_kind_names)
    if (std::find(options.beside.begin(), options.beside.end(), name) != options.beside.end())
      plan.beside.push_back(kind);
  if (!plan.beside.empty() && !plan.sweep.json.empty())
    problems.push_back({{"-J"},
                        "nccl-tests has no form for collectives beside kernels",
                        "calibrate export --format json"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return plan;
}

/// The groups that ranks form: `size` of them, `stride` apart, as many as there are.
std::vector<int> members_of(int rank, int ranks, int size, int stride, bool alone) {
  const int block = size * stride;
  if (rank / block * block + block > ranks) return {};
  const int first = rank / block * block + rank % stride;
  if (alone && first != 0) return {};
  std::vector<int> members;
  for (int i = 0; i < size; ++i) members.push_back(first + i * stride);
  return members;
}

/// Reductions and roots that one operation is measured with.
std::vector<std::string> reductions_of(base::Collective op, const calibrate::SweepOptions& sweep) {
  return calibrate::has_reduction(op) ? sweep.reductions : std::vector<std::string>{"none"};
}

class Sweep {
 public:
  Sweep(const Options& options, const Plan& plan, const RankHere& here, MeasuredRun* run)
      : plan_(plan),
        here_(here),
        run_(run),
        rule_{.warm_up = plan.sweep.warm_up,
              .batch = plan.sweep.iterations,
              .spread = options.spread,
              .seconds = options.budget},
        bench_(here.world, here.device, plan.sweep, rule_) {
    if (!plan.beside.empty()) overlaps_.emplace(here, plan.sweep, rule_, plan.beside, run);
    const int size = options.group > 0 ? options.group : here.world.ranks();
    group_ = here.world.group(
        members_of(here.world.rank(), here.world.ranks(), size, options.stride, options.alone));
  }

  void measure() {
    const int cycles = plan_.sweep.cycles;
    for (int cycle = 0; cycles == 0 || cycle < cycles; ++cycle)  // 0: until it is stopped
      for (const base::Collective op : plan_.operations)
        for (const std::string& dtype : plan_.sweep.dtypes)
          for (const std::string& reduction : reductions_of(op, plan_.sweep))
            for (const int root : roots_of(op))
              overlaps_ ? overlaps(op, dtype, reduction, root) : sizes(op, dtype, reduction, root);
  }

 private:
  /// Rank 0 is in the first group, whose extent all groups have.
  int ranks() const { return here_.world.agree(group_.ranks()); }

  std::vector<int> roots_of(base::Collective op) const {
    if (!calibrate::has_root(op)) return {0};
    if (plan_.sweep.root) return {*plan_.sweep.root};
    std::vector<int> all(static_cast<std::size_t>(ranks()));
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  void sizes(base::Collective op, const std::string& dtype, const std::string& reduction,
             int root) {
    const std::string started = stamp();
    const int element = calibrate::find_element_type(dtype)->bytes;
    calibrate::SweepHeader header;
    if (run_ != nullptr) {
      const calibrate::Software library = here_.world.software().front();
      header = {.tool = "foreshard",
                .tool_version = FORESHARD_VERSION,
                .library = library.name,
                .library_version = library.version,
                .op = op,
                .options = plan_.sweep};
      fmt::print("{}", calibrate::nccl_tests_header(header));
      std::fflush(stdout);
    }
    std::vector<calibrate::SweepRow> rows;
    for (const CallSize& size : calibrate::sweep_calls(op, ranks(), element, plan_.sweep)) {
      calibrate::SweepRow row;
      row.time_stamp = stamp();
      row.out_of_place = one(op, dtype, reduction, root, size, false);
      if (op != base::Collective::all_to_all && op != base::Collective::send_receive)
        row.in_place = one(op, dtype, reduction, root, size, true);
      if (run_ == nullptr) continue;
      fmt::print("{}", calibrate::nccl_tests_row(header, row));
      std::fflush(stdout);
      rows.push_back(std::move(row));
    }
    if (run_ == nullptr) return;
    fmt::print("{}", calibrate::nccl_tests_footer(header, rows));
    if (plan_.sweep.json.empty()) return;
    // One sweep a line, all of them each time: what is there when somebody stops is whole.
    json_ += calibrate::nccl_tests_json(header, rows, started, stamp()) + "\n";
    write_output(plan_.sweep.json, json_);
  }

  void overlaps(base::Collective op, const std::string& dtype, const std::string& reduction,
                int root) {
    const int element = calibrate::find_element_type(dtype)->bytes;
    for (const CallSize& size : calibrate::sweep_calls(op, ranks(), element, plan_.sweep))
      overlaps_->measure(group_, call_of(op, dtype, reduction, root, size), size);
  }

  /// "2026-11-28 11:30:00", UTC.
  static std::string stamp() {
    std::string text = calibrate::harness::now_text();
    std::replace(text.begin(), text.end(), 'T', ' ');
    return text.substr(0, text.size() - 1);
  }

  calibrate::harness::CollectiveCall call_of(base::Collective op, const std::string& dtype,
                                             const std::string& reduction, int root,
                                             const CallSize& size) const {
    calibrate::harness::CollectiveCall call;
    call.op = op;
    call.dtype = dtype;
    call.reduction = reduction;
    call.count = size.count;
    call.root = root;
    if (op == base::Collective::send_receive && group_.rank() >= 0) {
      call.destination = (group_.rank() + 1) % group_.ranks();
      call.source = (group_.rank() + group_.ranks() - 1) % group_.ranks();
    }
    return call;
  }

  CollectiveRecord one(base::Collective op, const std::string& dtype, const std::string& reduction,
                       int root, const CallSize& size, bool in_place) {
    const auto call = call_of(op, dtype, reduction, root, size);
    CollectiveRecord like;
    like.op = op;
    like.dtype = dtype;
    like.reduction = reduction;
    like.root = calibrate::has_root(op) ? call.root : -1;
    like.placement.ranks = ranks();
    like.bytes = size.bytes;
    like.in_place = in_place;
    const CollectiveRecord* const known = run_ == nullptr ? nullptr : find(like);
    if (here_.world.agree<std::int32_t>(known != nullptr ? 1 : 0) != 0)
      return known != nullptr ? *known : like;
    CollectiveRecord record = bench_.measure(group_, call, size, in_place);
    if (run_ != nullptr) run_->add(record);
    return record;
  }

  /// What was measured before the run was interrupted.
  const CollectiveRecord* find(const CollectiveRecord& like) const {
    for (const CollectiveRecord& one : run_->known().collectives)
      if (one.op == like.op && one.dtype == like.dtype && one.reduction == like.reduction &&
          one.root == like.root && one.placement.ranks == like.placement.ranks &&
          one.bytes == like.bytes && one.in_place == like.in_place)
        return &one;
    return nullptr;
  }

  const Plan& plan_;
  const RankHere& here_;
  MeasuredRun* run_;
  std::string json_;  // of the sweeps so far
  calibrate::harness::StopRule rule_;
  calibrate::harness::CollectiveBench bench_;
  std::optional<OverlapRows> overlaps_;
  calibrate::harness::World::Group group_;
};

std::vector<std::string> arguments_of(const Options& options) {
  std::vector<std::string> words{
      "calibrate", "collectives",       "--db",    options.database,
      "--backend", options.job.network, "--ranks", std::to_string(options.job.ranks)};
  if (!options.operations.empty()) {
    words.emplace_back("--operations");
    words.push_back(fmt::format("{}", fmt::join(options.operations, ",")));
  }
  for (const auto& [name, value] :
       {std::pair{"--group", options.group}, std::pair{"--stride", options.stride}}) {
    words.emplace_back(name);
    words.push_back(std::to_string(value));
  }
  if (options.alone) words.emplace_back("--alone");
  if (!options.beside.empty()) {
    words.emplace_back("--beside");
    words.push_back(fmt::format("{}", fmt::join(options.beside, ",")));
  }
  for (const auto& [name, value] :
       {std::pair{"--spread", options.spread}, std::pair{"--budget", options.budget}}) {
    words.emplace_back(name);
    words.push_back(fmt::format("{}", value));
  }
  if (!options.algorithm.empty()) words.insert(words.end(), {"--algorithm", options.algorithm});
  if (!options.protocol.empty()) words.insert(words.end(), {"--protocol", options.protocol});
  words.insert(words.end(), options.words.begin(), options.words.end());
  return words;
}

void measure(Options options) {
  const base::Result<Plan> plan = plan_of(options);
  if (!plan) {
    print(plan.error());
    leave_with(wrong_command);
  }
  options.job.compute = compute_of(options.job.network);
  if (plan->sweep.timeout_s > 0) options.job.timeout_s = plan->sweep.timeout_s;
  if (!options.algorithm.empty()) setenv("NCCL_ALGO", options.algorithm.c_str(), 1);
  if (!options.protocol.empty()) setenv("NCCL_PROTO", options.protocol.c_str(), 1);
  if (!is_rank(options.job.network)) {
    if (const auto network = calibrate::runtime::load_network(options.job.network); !network) {
      print(network.error());
      leave_with(mistake);
    }
    check_database(options.database);
    if (options.job.ranks == 0) {
      const auto usual = usual_ranks(options.job.compute);
      if (!usual) {
        print(usual.error());
        leave_with(broken);
      }
      options.job.ranks = *usual;
    }
    start_measuring(options.job, arguments_of(options), options.resume, options.database);
    return;
  }
  as_rank(options.job, [&](const RankHere& here) {
    keep_run(options.database, here, fmt::format("{}", fmt::join(arguments_of(options), " ")),
             options.resume, [&](MeasuredRun* run) { Sweep(options, *plan, here, run).measure(); });
  });
}

}  // namespace

void add_calibrate_collectives(CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "collectives",
      "measure collectives between ranks; takes the options of nccl-tests too, for example\n"
      "-b 8 -e 64M -f 2 -n 20 -d float -o sum");
  add_database(*command, options->database);
  command->add_option("--backend", options->job.network, "mpi, gloo, nccl or a plug-in")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--ranks", options->job.ranks, "how many; default: one for each device")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
  command->add_option("--operations", options->operations, "all_reduce,all_gather,…; default: all")
      ->delimiter(',')
      ->type_name("LIST");
  command->add_option("--group", options->group, "ranks of a group; default: all")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
  command->add_option("--stride", options->stride, "of ranks between neighbours of a group")
      ->check(CLI::Range(1, 4096))
      ->type_name("N");
  command->add_flag("--alone", options->alone,
                    "only the first group works; else all at once, which shows contention");
  std::vector<std::string> kinds;
  for (const auto& [name, kind] : calibrate::harness::beside_kind_names) kinds.emplace_back(name);
  command
      ->add_option("--beside", options->beside,
                   "while kernels run on the same devices: gemm, memory or both; tells how much\n"
                   "slower each of them is")
      ->delimiter(',')
      ->check(CLI::IsMember(kinds))
      ->type_name("LIST");
  command
      ->add_option("--spread", options->spread,
                   "go on until the standard error of the mean is below this share of it")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SHARE");
  command->add_option("--budget", options->budget, "seconds for each size at most")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S");
  command->add_option("--algorithm", options->algorithm, "force it (NCCL_ALGO)")->type_name("NAME");
  command->add_option("--protocol", options->protocol, "force it (NCCL_PROTO)")->type_name("NAME");
  command->add_flag("--resume", options->resume, "go on with an interrupted run of this command");
  command->allow_extras();
  command->callback([options, command] {
    options->words = command->remaining();
    measure(*options);
  });
}

}  // namespace cli
