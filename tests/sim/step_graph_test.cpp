#include "sim/step_graph.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;

/// Two stages, two data-parallel copies: work, a message, a collective.
StepBuilder lawful() {
  const Machine machine{4, 1};
  StepBuilder step(1, 1, 2, 2, machine);
  const auto price = cost_of_time(1e-6, 1e-3);
  const int work = step.segment({StepBuilder::piece(1e-3)});
  const int reduce = step.collective(Collective::all_reduce, Axis::data_shard, 1000, price);
  const auto made = step.task(0, TaskKind::run, Stream::compute, work);
  step.task(0, TaskKind::send, Stream::send, step.message("activation", 1, 500, price, price),
            {made}, 0);
  step.task(0, TaskKind::collective, Stream::data_comm, reduce, {made});
  const auto received = step.task(1, TaskKind::receive, Stream::receive,
                                  step.message("activation", 0, 500, price, price), {}, 0);
  const auto used = step.task(1, TaskKind::run, Stream::compute, work, {received});
  step.task(1, TaskKind::collective, Stream::data_comm, reduce, {used});
  return step;
}

/// Whether the check aborts; in a child, with its complaint thrown away.
bool refused(const StepGraph& graph) {
  const pid_t pid = fork();
  if (pid == 0) {
    std::signal(SIGABRT, SIG_DFL);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    check_step_graph(graph);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST_CASE("a lawful step graph passes") { CHECK_FALSE(refused(lawful().graph())); }

TEST_CASE("every broken law is refused") {
  const auto break_by = [](const std::function<void(StepGraph&)>& change) {
    StepBuilder step = lawful();
    change(step.graph());
    return refused(step.graph());
  };
  SECTION("a rank without a program") {
    CHECK(break_by([](StepGraph& g) { g.program_of_rank.pop_back(); }));
    CHECK(break_by([](StepGraph& g) { g.program_of_rank[0] = 9; }));
  }
  SECTION("a reference to nothing") {
    CHECK(break_by([](StepGraph& g) { g.programs[0].tasks[0].index = 7; }));
    CHECK(break_by([](StepGraph& g) { g.programs[0].dependencies[0] = 99; }));
    CHECK(break_by([](StepGraph& g) { g.segments[0].pieces[0].collective = 3; }));
    CHECK(break_by([](StepGraph& g) { g.segments[0].pieces[0].label = 3; }));
    CHECK(break_by([](StepGraph& g) { g.messages[0].peer_stage = 2; }));
  }
  SECTION("tasks that wait for each other in a circle") {
    CHECK(break_by([](StepGraph& g) {
      Program& program = g.programs[0];
      program.tasks[0].first_dependency = static_cast<std::uint32_t>(program.dependencies.size());
      program.tasks[0].dependency_count = 1;
      program.dependencies.push_back(1);  // the work waits for the send that waits for it
    }));
  }
  SECTION("members that do not agree on their collectives") {
    CHECK(break_by([](StepGraph& g) {
      g.programs.push_back(g.programs[0]);
      g.programs.back().tasks.pop_back();  // the copy does not reduce
      g.program_of_rank[1] = 2;
    }));
  }
  SECTION("a send without a receive, or of other bytes") {
    CHECK(break_by([](StepGraph& g) { g.programs[1].tasks[0].micro_batch = 5; }));
    CHECK(break_by([](StepGraph& g) { g.messages[1].bytes = base::Bytes::from_count(499); }));
  }
  SECTION("a price missing for a group shape") {
    CHECK(break_by([](StepGraph& g) { g.collectives[0].cost.clear(); }));
    CHECK(break_by([](StepGraph& g) { g.messages[0].cost.pop_back(); }));
  }
}

}  // namespace
}  // namespace sim
