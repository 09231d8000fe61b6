#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "sim/engine.hpp"
#include "tests/benchmark/bare_simgrid.hpp"
#include "tests/benchmark/synthetic.hpp"

/// How the engine grows with the number of ranks. Prints a table; nothing is asserted.
///   scaling [most ranks]
namespace sim::benchmark {
namespace {

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

struct Usage {
  double cpu = 0;
  double peak_mib = 0;
};

Usage usage_of(int who) {
  rusage used{};
  getrusage(who, &used);
  return {seconds_of(used.ru_utime) + seconds_of(used.ru_stime),
          static_cast<double>(used.ru_maxrss) / 1024};
}

void print_row(const std::string& name, const StepGraph& graph, const topology::Cluster& cluster) {
  const int ranks = graph.grid.size();
  const auto start = std::chrono::steady_clock::now();
  const Usage before = usage_of(RUSAGE_SELF);
  const Timeline timeline = simulate(graph, cluster, in_order(ranks), {});
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  const Usage child = usage_of(RUSAGE_CHILDREN);
  const double cpu = child.cpu + usage_of(RUSAGE_SELF).cpu - before.cpu;
  const auto activities = static_cast<double>(timeline.activities);
  const double bare = bare_seconds_per_transfer(graph, cluster);
  fmt::print("{:<26} {:>6} {:>10.3f} {:>7.2f} {:>7.2f} {:>7.0f} {:>10} {:>10} {:>9} {:>9.0f} ",
             name, ranks, timeline.step.ms(), wall.count(), cpu, child.peak_mib,
             timeline.activities, timeline.transfers, timeline.shared_transfers, activities / cpu);
  if (timeline.transfers > 0)
    fmt::print("{:>7.2f}\n", cpu / (bare * static_cast<double>(timeline.transfers)));
  else
    fmt::print("{:>7}\n", "-");
  std::fflush(stdout);
}

/// A process for each row: SimGrid runs once in a process, and peaks of memory do not mix.
template <class Row>
void in_own_process(const Row& row) {
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    row();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) fmt::print("failed with status {}\n", status);
}

int run(int most_ranks) {
  fmt::print("{:<26} {:>6} {:>10} {:>7} {:>7} {:>7} {:>10} {:>10} {:>9} {:>9} {:>7}\n", "", "ranks",
             "step ms", "wall s", "cpu s", "MiB", "activities", "transfers", "shared", "act/cpu s",
             "x bare");
  for (const int ranks : {8, 64, 512, 2048}) {
    if (ranks > most_ranks) break;
    in_own_process([&] {
      const auto cluster = cluster_for(ranks);
      print_row("all-reduce 256 MiB", lone_all_reduce(ranks, base::Bytes::from_mib(256), *cluster),
                *cluster);
    });
  }
  for (const Size& size : {Size{8, 4, 2, 8}, Size{8, 8, 4, 8}, Size{8, 16, 8, 16},
                           Size{8, 64, 8, 16}, Size{8, 128, 16, 32}}) {
    if (size.ranks() > most_ranks) break;
    in_own_process([&] {
      const auto cluster = cluster_for(size.ranks());
      print_row(
          fmt::format("step tp 8 dp {} pp {} mb {}", size.data, size.pipeline, size.micro_batches),
          synthetic_step(size, *cluster), *cluster);
    });
  }
  return 0;
}

}  // namespace
}  // namespace sim::benchmark

int main(int argc, char** argv) {
  return sim::benchmark::run(argc > 1 ? std::atoi(argv[1]) : 16384);
}
