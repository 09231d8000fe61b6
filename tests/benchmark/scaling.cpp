#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string_view>

#include "sim/engine.hpp"
#include "tests/benchmark/bare_simgrid.hpp"
#include "tests/benchmark/synthetic.hpp"

/// How the engine grows with the number of ranks. Prints tables; nothing is asserted.
///   scaling [most ranks]
namespace sim::benchmark {
namespace {

double seconds_of(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
}

double cpu_of(int who) {
  rusage used{};
  getrusage(who, &used);
  return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

/// The larger of this process and its children.
double peak_mib() {
  rusage own{};
  rusage children{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  return static_cast<double>(std::max(own.ru_maxrss, children.ru_maxrss)) / 1024;
}

struct Played {
  Timeline timeline;
  double cpu = 0;
  double wall = 0;
};

Played play(const StepGraph& graph, const topology::Cluster& cluster,
            const EngineOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const double before = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
  Played played{simulate(graph, cluster, in_order(graph.grid.size()), options)};
  played.cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN) - before;
  played.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return played;
}

/// A process for each row: SimGrid runs once in a process, and peaks of memory do not mix.
template <class Row>
void in_own_process(const Row& row) {
  std::fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    row();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) fmt::print("failed with status {}\n", status);
}

/// One all-reduce of all ranks; played twice, to see that the answer is the same to the last digit.
void all_reduce_row(int ranks, int gpus_per_node, double mib, bool fold, double pressure) {
  in_own_process([&] {
    const auto cluster = switch_cluster(ranks / gpus_per_node, gpus_per_node);
    const StepGraph graph = lone_all_reduce(ranks, base::Bytes::from_mib(mib), *cluster, pressure);
    const EngineOptions options{.fold = fold};
    const Played played = play(graph, *cluster, options);
    const double peak = peak_mib();
    const bool same = play(graph, *cluster, options).timeline.step == played.timeline.step;
    fmt::print("{:>6} {:>5} {:>6.0f} {:>7} {:>10.3f} {:>7.2f} {:>7.2f} {:>6.0f} {:>7} {:>6}\n",
               ranks, gpus_per_node, mib, fold ? "folded" : "all", played.timeline.step.ms(),
               played.wall, played.cpu, peak, played.timeline.actors, same ? "yes" : "NO");
  });
}

void all_reduces(int most_ranks) {
  fmt::print(
      "One all-reduce, under one switch\n{:>6} {:>5} {:>6} {:>7} {:>10} {:>7} {:>7} {:>6} {:>7} "
      "{:>6}\n",
      "ranks", "/node", "MiB", "played", "step ms", "wall s", "cpu s", "MiB", "actors", "repeat");
  for (const double mib : {256.0, 1024.0})
    for (const int gpus_per_node : {1, 8})
      for (const int ranks : {8, 64, 512, 1024, 4096, 16384}) {
        if (ranks > most_ranks) break;
        for (const bool fold : {true, false}) all_reduce_row(ranks, gpus_per_node, mib, fold, 1);
      }
}

/// Every flow of every rank in SimGrid, which must find that each NIC is the limit.
void pressed_all_reduces(int most_ranks) {
  fmt::print("\nThe same where every NIC is asked for 1.5 times its rate\n");
  for (const int ranks : {8, 64, 512, 1024, 4096, 16384})
    if (ranks <= most_ranks)
      for (const bool fold : {true, false}) all_reduce_row(ranks, 1, 1024, fold, 1.5 / 0.9);
}

void step_row(const Size& size, Fidelity fidelity, bool fold) {
  in_own_process([&] {
    const auto cluster = cluster_for(size.ranks());
    const StepGraph graph = synthetic_step(size, *cluster);
    const Played played = play(
        graph, *cluster,
        {.fidelity = fidelity, .routing = {.kind = topology::Routing::adaptive}, .fold = fold});
    const double peak = peak_mib();
    const auto activities = static_cast<double>(played.timeline.activities);
    fmt::print(
        "{:>6} {:>7} {:>7} {:>10.3f} {:>7.2f} {:>7.2f} {:>6.0f} {:>7} {:>10} {:>9} {:>9.0f}\n",
        size.ranks(), std::string(fidelity == Fidelity::hybrid ? "hybrid" : "flow"),
        fold ? "folded" : "all", played.timeline.step.ms(), played.wall, played.cpu, peak,
        played.timeline.actors, played.timeline.activities, played.timeline.transfers,
        activities / played.cpu);
  });
}

void steps(int most_ranks) {
  fmt::print(
      "\nOne step: tensor 8, data and pipeline parallel, adaptive routing\n{:>6} {:>7} {:>7} "
      "{:>10} {:>7} {:>7} {:>6} {:>7} {:>10} {:>9} {:>9}\n",
      "ranks", "", "played", "step ms", "wall s", "cpu s", "MiB", "actors", "activities",
      "transfers", "act/cpu s");
  for (const Size& size : {Size{8, 4, 2, 8}, Size{8, 8, 4, 8}, Size{8, 16, 8, 16},
                           Size{8, 64, 8, 16}, Size{8, 128, 16, 32}}) {
    if (size.ranks() > most_ranks) break;
    for (const Fidelity fidelity : {Fidelity::hybrid, Fidelity::flow})
      for (const bool fold : {true, false}) {
        // Every transfer of every rank over NVLink too: minutes, and nothing new.
        if (fidelity == Fidelity::flow && !fold && size.ranks() > 4096) continue;
        step_row(size, fidelity, fold);
      }
  }
}

/// The same number of transfers over the same routes in a bare SimGrid loop.
void against_bare_simgrid(int most_ranks) {
  fmt::print(
      "\nThe same with ECMP, every rank, beside a bare SimGrid loop of as many transfers\n{:>6} "
      "{:>7} {:>9} {:>9} {:>7}\n",
      "ranks", "cpu s", "transfers", "shared", "x bare");
  for (const Size& size : {Size{8, 4, 2, 8}, Size{8, 8, 4, 8}, Size{8, 16, 8, 16},
                           Size{8, 64, 8, 16}, Size{8, 128, 16, 32}}) {
    if (size.ranks() > most_ranks) break;
    in_own_process([&] {
      const auto cluster = cluster_for(size.ranks());
      const StepGraph graph = synthetic_step(size, *cluster);
      const Played played = play(graph, *cluster, {.fold = false});
      const double bare = bare_seconds_per_transfer(graph, *cluster);
      const auto transfers = static_cast<double>(played.timeline.transfers);
      fmt::print("{:>6} {:>7.2f} {:>9} {:>9} {:>7.2f}\n", size.ranks(), played.cpu,
                 played.timeline.transfers, played.timeline.shared_transfers,
                 transfers > 0 ? played.cpu / (bare * transfers) : 0.0);
    });
  }
}

}  // namespace
}  // namespace sim::benchmark

int main(int argc, char** argv) {
  const int most_ranks = argc > 1 ? std::atoi(argv[1]) : 16384;
  sim::benchmark::all_reduces(most_ranks);
  sim::benchmark::pressed_all_reduces(most_ranks);
  sim::benchmark::steps(most_ranks);
  sim::benchmark::against_bare_simgrid(most_ranks);
}
