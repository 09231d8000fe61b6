#include <map>
#include <tuple>

#include "sim/analytic.hpp"
#include "tests/sim/random_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using strategies::Axis;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Slow and obvious: goes round all ranks and streams and moves each as far as it can get, until
/// nothing moves. No event queue and no links, so only right where nothing shares a link.
class Reference {
 public:
  explicit Reference(const StepGraph& graph) : graph_(graph) {
    for (int rank = 0; rank < graph.grid.size(); ++rank) {
      const std::size_t tasks = program(rank).tasks.size();
      ready_.emplace_back(tasks, 0.0);
      end_.emplace_back(tasks, -1.0);
      for (int s = 0; s < stream_count; ++s)
        lanes_.push_back({rank, static_cast<Stream>(s), 0, 0, 0, -1});
    }
  }

  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Lane& lane : lanes_) moved = move(lane) || moved;
    }
  }

  double ready(int rank, std::uint32_t task) const { return ready_[at(rank)][task]; }
  double end(int rank, std::uint32_t task) const { return end_[at(rank)][task]; }

 private:
  struct Lane {
    int rank;
    Stream stream;
    std::uint32_t task;  // the next of the program, of any stream
    std::size_t piece;
    double time;
    double arrived;  // at the collective it is in; -1 when in none
  };

  const Program& program(int rank) const {
    return graph_.programs[graph_.program_of_rank[at(rank)]];
  }

  bool move(Lane& lane) {
    const std::vector<Task>& tasks = program(lane.rank).tasks;
    while (lane.task < tasks.size() && tasks[lane.task].stream != lane.stream) ++lane.task;
    if (lane.task == tasks.size()) return false;
    const Task& task = tasks[lane.task];
    if (lane.piece == 0 && lane.arrived < 0) {
      double ready = lane.time;
      for (std::uint32_t d = 0; d < task.dependency_count; ++d) {
        const double end =
            end_[at(lane.rank)][program(lane.rank).dependencies[task.first_dependency + d]];
        if (end < 0) return false;
        ready = std::max(ready, end);
      }
      ready_[at(lane.rank)][lane.task] = ready;
      lane.time = ready;
    }
    switch (task.kind) {
      case TaskKind::run: return move_segment(lane, graph_.segments[task.index]);
      case TaskKind::collective: {
        const double end = meet(lane, task.index);
        return end >= 0 && finish(lane, end);
      }
      case TaskKind::send:
        return finish(lane, lane.time + graph_.messages[task.index].cost[0].total.time.s());
      case TaskKind::receive: return move_receive(lane, task);
      case TaskKind::copy: return finish(lane, lane.time + graph_.copies[task.index].cost.time.s());
    }
    return false;
  }

  bool move_segment(Lane& lane, const Segment& segment) {
    bool moved = false;
    for (; lane.piece < segment.pieces.size(); ++lane.piece) {
      const Piece& piece = segment.pieces[lane.piece];
      double end = lane.time;
      if (piece.collective >= 0) {
        end = meet(lane, static_cast<std::uint32_t>(piece.collective));
        if (end < 0) return moved;
      }
      lane.time = std::max(lane.time + piece.compute.s(), end);
      moved = true;
    }
    lane.piece = 0;
    return finish(lane, lane.time);
  }

  /// Arrives at the lane's next collective; its end once all members have arrived, else -1.
  double meet(Lane& lane, std::uint32_t use) {
    const CollectiveUse& what = graph_.collectives[use];
    const int group = graph_.grid.group_of(lane.rank, what.axes);
    int& number = count_[{lane.rank, lane.stream, what.axes.bits()}];
    auto& arrivals = arrivals_[{what.axes.bits(), group, lane.stream, number}];
    if (lane.arrived < 0) {
      lane.arrived = lane.time;
      arrivals.push_back(lane.time);
    }
    const int members = graph_.grid.extent(what.axes);
    if (static_cast<int>(arrivals.size()) < members) return -1;
    ++number;
    lane.arrived = -1;
    const double last = *std::max_element(arrivals.begin(), arrivals.end());
    return members == 1 ? last : last + graph_.cost_of(what, lane.rank).total.time.s();
  }

  bool move_receive(Lane& lane, const Task& task) {
    const Message& message = graph_.messages[task.index];
    const int sender = graph_.grid.moved(lane.rank, Axis::pipeline, message.peer_stage);
    const std::vector<Task>& tasks = program(sender).tasks;
    for (std::uint32_t i = 0; i < tasks.size(); ++i)
      if (tasks[i].kind == TaskKind::send && tasks[i].micro_batch == task.micro_batch) {
        const double arrival = end_[at(sender)][i];
        return arrival >= 0 && finish(lane, std::max(lane.time, arrival));
      }
    return false;
  }

  bool finish(Lane& lane, double time) {
    end_[at(lane.rank)][lane.task] = lane.time = time;
    ++lane.task;
    return true;
  }

  const StepGraph& graph_;
  std::vector<std::vector<double>> ready_;
  std::vector<std::vector<double>> end_;
  std::vector<Lane> lanes_;
  std::map<std::tuple<int, Stream, unsigned>, int> count_;
  std::map<std::tuple<unsigned, int, Stream, int>, std::vector<double>> arrivals_;
};

TEST_CASE("without contention every mode agrees with a slow and obvious simulator") {
  std::size_t compared = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const RandomStep random = random_step(seed, false);
    const StepGraph& graph = random.step.graph();
    Reference reference(graph);
    reference.run();
    for (const engine::PlayOptions& options :
         {engine::PlayOptions{}, engine::PlayOptions{.coalesce = false},
          engine::PlayOptions{.private_as_durations = false},
          engine::PlayOptions{.private_as_durations = false, .everything_shared = true}}) {
      const Timeline timeline = play(random.step, random.machine, options);
      for (int rank = 0; rank < graph.grid.size(); ++rank) {
        const auto tasks = static_cast<std::uint32_t>(
            graph.programs[graph.program_of_rank[at(rank)]].tasks.size());
        for (std::uint32_t task = 0; task < tasks; ++task) {
          INFO("seed " << seed << " rank " << rank << " task " << task);
          const Span& span = timeline.span(rank, task);
          CHECK(span.ready == Approx(reference.ready(rank, task)).epsilon(1e-6).margin(1e-9));
          CHECK(span.end == Approx(reference.end(rank, task)).epsilon(1e-6).margin(1e-9));
          CHECK(span.ready <= span.begin);
          CHECK(span.begin <= span.end);
          ++compared;
        }
      }
      CHECK((options.everything_shared || timeline.shared_transfers == 0));
    }
  }
  CHECK(compared > 10'000);
}

TEST_CASE("leaving out links that hold nobody back changes no time") {
  std::uint64_t shared = 0;
  std::uint64_t alone = 0;
  for (unsigned seed = 100; seed < 160; ++seed) {
    const RandomStep random = random_step(seed, true);
    for (const bool hybrid : {true, false}) {
      const Timeline lean = play(random.step, random.machine, {.private_as_durations = hybrid});
      const Timeline full = play(random.step, random.machine,
                                 {.private_as_durations = hybrid, .everything_shared = true});
      const StepGraph& graph = random.step.graph();
      for (int rank = 0; rank < graph.grid.size(); ++rank)
        for (std::uint32_t task = 0;
             task < graph.programs[graph.program_of_rank[at(rank)]].tasks.size(); ++task) {
          INFO("seed " << seed << " rank " << rank << " task " << task);
          CHECK(lean.span(rank, task).end == Approx(full.span(rank, task).end).epsilon(1e-8));
        }
      CHECK(lean.link_bytes == full.link_bytes);
      shared += lean.shared_transfers;
      alone += lean.transfers - lean.shared_transfers;
    }
  }
  CHECK(shared > 1000);  // both ways were taken
  CHECK(alone > 100);
}

TEST_CASE("a folded step is the step of every rank") {
  int folded = 0;
  for (unsigned seed = 300; seed < 380; ++seed) {
    RandomStep random = random_step(seed, true);
    StepGraph& graph = random.step.graph();
    if (seed % 2 == 0)  // back to one program a stage, so that there is something to fold
      for (int rank = 0; rank < graph.grid.size(); ++rank)
        graph.program_of_rank[at(rank)] =
            static_cast<std::uint16_t>(graph.grid.coordinate(rank, Axis::pipeline));
    for (const bool hybrid : {true, false}) {
      const Timeline one = play(random.step, random.machine, {.private_as_durations = hybrid});
      const Timeline all =
          play(random.step, random.machine, {.private_as_durations = hybrid, .fold = false});
      INFO("seed " << seed << " hybrid " << hybrid << ": " << one.actors << " of " << all.actors);
      CHECK(all.actors == graph.grid.size());
      CHECK(one.actors <= all.actors);
      folded += one.actors < all.actors ? 1 : 0;
      for (int rank = 0; rank < graph.grid.size(); ++rank)
        for (std::uint32_t task = 0;
             task < graph.programs[graph.program_of_rank[at(rank)]].tasks.size(); ++task) {
          CHECK(one.span(rank, task).ready ==
                Approx(all.span(rank, task).ready).epsilon(1e-7).margin(1e-12));
          CHECK(one.span(rank, task).end == Approx(all.span(rank, task).end).epsilon(1e-7));
        }
      CHECK(one.link_bytes == all.link_bytes);
    }
  }
  CHECK(folded > 40);
}

TEST_CASE("a ring that folds slowly is played by all of its ranks, in the same time") {
  // Two slow NICs half a ring apart: each rank has one like it, found after 100 rounds.
  const Machine machine{400, 1};
  engine::Fabric fabric = machine.fabric();
  for (const topology::GpuId gpu : {0U, 200U})
    fabric.link_rate[machine.port(gpu, Machine::Port::nic_out)] /= 4;
  StepBuilder step(1, 1, 400, 1, machine);
  const int use = step.collective(base::Collective::all_reduce, Axis::data_shard, 1'000'000'000,
                                  cost_of_time(0.01, 0.05));
  step.task(0, TaskKind::collective, Stream::data_comm, use);
  for (const bool fold : {true, false}) {
    const Timeline timeline =
        engine::play_in_child(step.graph(), fabric, in_order(400), {.fold = fold});
    CHECK(timeline.actors == 400);
    // 1.995 GB through 12.5 GB/s.
    CHECK(timeline.step.s() == Approx(0.01 + 0.1596).epsilon(1e-9));
  }
}

TEST_CASE("the analytic step is a lower bound, and exact where copies are equal and alone") {
  for (unsigned seed = 200; seed < 260; ++seed) {
    for (const bool crowded : {false, true}) {
      RandomStep random = random_step(seed, crowded);
      StepGraph& graph = random.step.graph();
      const bool equal = seed % 2 == 0;
      if (equal)  // back to one program a stage
        for (int rank = 0; rank < graph.grid.size(); ++rank)
          graph.program_of_rank[at(rank)] =
              static_cast<std::uint16_t>(graph.grid.coordinate(rank, Axis::pipeline));
      const Timeline bound =
          analyse(graph, random.machine.fabric().domain_of_gpu, in_order(graph.grid.size()));
      for (const bool hybrid : {true, false}) {
        const Timeline played = play(random.step, random.machine, {.private_as_durations = hybrid});
        INFO("seed " << seed << " crowded " << crowded << " hybrid " << hybrid);
        CHECK(bound.step.s() <= played.step.s() * (1 + 1e-9));
        if (equal && !crowded) CHECK(bound.step.s() == Approx(played.step.s()).epsilon(1e-9));
        for (int rank = 0; rank < graph.grid.size(); ++rank)
          for (std::uint32_t task = 0;
               task < graph.programs[graph.program_of_rank[at(rank)]].tasks.size(); ++task)
            CHECK(bound.span(rank, task).end <= played.span(rank, task).end * (1 + 1e-9));
      }
    }
  }
}

}  // namespace
}  // namespace sim
