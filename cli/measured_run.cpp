#include "cli/measured_run.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "calibrate/harness/machine.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace cli {

namespace {

using calibrate::store::Access;
using calibrate::store::Store;

calibrate::Run run_here(const RankHere& here, const std::string& command) {
  calibrate::Run run;
  run.id = calibrate::harness::new_run_id();
  run.tool = "foreshard";
  run.version = FORESHARD_VERSION;
  run.command = command;
  run.started = calibrate::harness::now_text();
  run.state = calibrate::RunState::running;
  run.machine = calibrate::harness::this_machine();
  run.devices.assign(static_cast<std::size_t>(here.world.ranks()), here.device.description());
  run.software = here.device.software();
  for (calibrate::Software& one : here.world.software()) run.software.push_back(std::move(one));
  if (here.world.ranks() == 1) run.note = "one rank: launches and copies, no network";
  return run;
}

}  // namespace

base::Result<MeasuredRun> MeasuredRun::open(const std::string& database, const RankHere& here,
                                            const std::string& command, bool resume) {
  auto store = Store::open(database, Access::write);
  if (!store) return tl::unexpected(store.error());
  const calibrate::Run run = run_here(here, command);
  calibrate::RunRecords known;
  if (resume) {
    if (const auto before = store->unfinished(run)) {
      known = store->records(*before);
      fmt::print(stderr, "foreshard: going on behind {} rows\n", known.rows());
      return MeasuredRun(std::move(*store), *before, std::move(known));
    }
    fmt::print(stderr, "foreshard: note: no interrupted run of this command, so a new one\n");
  }
  const Store::RunKey key = store->begin(run);
  return MeasuredRun(std::move(*store), key, {});
}

void MeasuredRun::count(bool kept, const calibrate::Times& times) {
  kept ? ++rows_ : ++refused_;
  dropped_ += times.dropped;
}

void MeasuredRun::add(const calibrate::CollectiveRecord& record) {
  count(store_.add(run_, record), record.times);
  if (record.wrong.value_or(0) > 0) ++wrong_;
}

void MeasuredRun::add(const calibrate::KernelRecord& record) {
  count(store_.add(run_, record), record.times);
}

void MeasuredRun::add(const calibrate::harness::Overlapped& both) {
  count(store_.add(run_, both.collective, both.kernel, both.overlap), both.collective.times);
  dropped_ += both.kernel.times.dropped + both.overlap.collective_times.dropped +
              both.overlap.kernel_times.dropped;
  if (both.collective.wrong.value_or(0) > 0) ++wrong_;
}

void MeasuredRun::finish() {
  store_.finish(run_, calibrate::RunState::complete, calibrate::harness::now_text());
  fmt::print(stderr, "foreshard: {} rows in {}\n", rows_, store_.path());
  if (wrong_ > 0)
    fmt::print(stderr, "foreshard: warning: wrong data in {} rows, which no fit will use\n",
               wrong_);
  if (dropped_ > 0)
    fmt::print(stderr, "foreshard: note: {} samples of throttled devices were dropped\n", dropped_);
  if (refused_ > 0)
    fmt::print(stderr, "foreshard: warning: {} rows without sound times were not kept\n", refused_);
}

void keep_run(const std::string& database, const RankHere& here, const std::string& command,
              bool resume, const std::function<void(MeasuredRun*)>& body) {
  // Ranks that measure different things would wait for each other for ever.
  const std::vector<std::size_t> commands =
      here.world.share(std::vector{std::hash<std::string>()(command)});
  for (std::size_t rank = 1; rank < commands.size(); ++rank)
    if (commands[rank] != commands.front())
      throw base::EnvironmentError(
          fmt::format("rank {} was started with another command than rank 0", rank));
  std::optional<MeasuredRun> run;
  if (here.world.rank() == 0) {
    auto opened = MeasuredRun::open(database, here, command, resume);
    opened ? static_cast<void>(run.emplace(std::move(*opened))) : print(opened.error());
  }
  if (here.world.agree<std::int32_t>(run ? 1 : 0) == 0) return;
  body(run ? &*run : nullptr);
  if (run) run->finish();
}

void start_measuring(const JobOptions& job, std::vector<std::string> arguments, bool resume,
                     const std::string& database) {
  if (resume) arguments.emplace_back("--resume");
  const auto fault = start_ranks(job, arguments);
  if (!fault) return;
  fmt::print(stderr,
             "foreshard: error: {}; what was measured until then is in {}, --resume goes on\n",
             *fault, database);
  leave_with(broken);
}

void check_database(const std::string& path) {
  const auto store = Store::open(path, Access::write);
  if (store) return;
  print(store.error());
  leave_with(mistake);
}

}  // namespace cli
