#pragma once

#include <random>

#include "tests/sim/engine_support.hpp"

namespace sim {

/// A random small step: up to 2 x 2 x 3 x 2 ranks, some with kernels of their own length, segments
/// with and without collectives, collectives on other streams, messages down the pipeline.
struct RandomStep {
  Machine machine;
  StepBuilder step;
};

/// Not std::uniform_int_distribution: its results differ between libraries.
class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}

  int operator()(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

 private:
  std::mt19937 random_;
};

/// Segments in two variants: the same collectives between kernels of other lengths.
using SegmentPairs = std::vector<std::pair<int, int>>;

inline SegmentPairs random_segments(StepBuilder& step, const std::vector<int>& uses, Dice& pick) {
  SegmentPairs segments;
  for (int i = 0; i < 5; ++i) {
    std::vector<Piece> one;
    const int pieces = 1 + pick(5);
    for (int p = 0; p < pieces; ++p)
      one.push_back(
          StepBuilder::piece(pick(3) == 0 ? 0 : 1e-3 * pick(2000),
                             pick(2) == 0 ? -1 : uses[static_cast<std::size_t>(pick(5))]));
    std::vector<Piece> other = one;
    for (Piece& piece : other) piece.compute = base::Seconds::from_ms(pick(2000));
    segments.emplace_back(step.segment(one), step.segment(other));
  }
  return segments;
}

/// Gives half of the ranks a program of their own, with the other variant of half of its segments.
inline void vary_programs(StepBuilder& step, int ranks, const SegmentPairs& segments, Dice& pick) {
  for (int rank = 0; rank < ranks; ++rank) {
    if (pick(2) == 0) continue;
    for (Task& task : step.own_program(rank).tasks)
      if (task.kind == TaskKind::run && pick(2) == 0)
        for (const auto& [one, other] : segments)
          if (task.index == static_cast<std::uint32_t>(one)) {
            task.index = static_cast<std::uint32_t>(other);
            break;
          }
  }
}

/// With `crowded`, prices are far below what the links allow and links are shared; without, prices
/// are so high that nothing is ever in the way of anything.
inline RandomStep random_step(unsigned seed, bool crowded) {
  using calibrate::Collective;
  using strategies::Axis;
  Dice pick(seed);
  const int tensor = 1 + pick(2);
  const int context = 1 + pick(2);
  const int data = 1 + pick(3);
  const int stages = 1 + pick(2);
  const int ranks = tensor * context * data * stages;
  const int gpus = std::array{1, 2, 4}[static_cast<std::size_t>(pick(3))];
  const Machine machine{(ranks + gpus - 1) / gpus, gpus, crowded ? 60e9 : 0};
  StepBuilder step(tensor, context, data, stages, machine);

  const auto price = [&] {
    const double latency = 1e-6 * pick(20);
    return cost_of_time(latency, latency + (crowded ? 1e-5 * (1 + pick(100)) : 1 + pick(5)));
  };
  const std::array all_axes{strategies::AxisSet(Axis::tensor), strategies::AxisSet(Axis::context),
                            Axis::tensor | Axis::context, strategies::AxisSet(Axis::data_shard)};
  std::vector<int> uses;
  for (int i = 0; i < 6; ++i)
    uses.push_back(step.collective(pick(4) == 0 ? Collective::all_to_all : Collective::all_reduce,
                                   all_axes[static_cast<std::size_t>(i < 4 ? i : pick(3))],
                                   1'000'000LL * (1 + pick(20)), price()));
  const auto data_use = uses[3];
  uses.erase(uses.begin() + 3);  // a communicator of its own, on a stream of its own
  const SegmentPairs segments = random_segments(step, uses, pick);
  const int messages = stages > 1 ? 3 : 0;
  for (int stage = 0; stage < stages; ++stage) {
    std::vector<std::uint32_t> done;
    const int tasks = 4 + pick(8);
    for (int i = 0; i < tasks; ++i) {
      std::vector<std::uint32_t> after;
      if (!done.empty() && pick(2) == 0)
        after.push_back(done[static_cast<std::size_t>(pick(static_cast<int>(done.size())))]);
      if (pick(4) == 0)
        done.push_back(step.task(stage, TaskKind::collective, Stream::data_comm, data_use, after));
      else
        done.push_back(step.task(stage, TaskKind::run, Stream::compute,
                                 segments[static_cast<std::size_t>(pick(5))].first, after));
      if (i >= messages) continue;
      const auto cost = price();
      const int to = 1 - stage;
      const int message = step.message("activation", to, 1'000'000LL * (1 + i), cost, cost);
      if (stage == 0)
        step.task(stage, TaskKind::send, Stream::send, message, {done.back()}, i);
      else
        done.push_back(step.task(stage, TaskKind::receive, Stream::receive, message, {}, i));
    }
  }
  vary_programs(step, ranks, segments, pick);
  return {machine, std::move(step)};
}

}  // namespace sim
