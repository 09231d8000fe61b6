#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/schedule/schedule.hpp"

/// A schedule alone, without model and network: whether it can run, and how long it takes when all
/// chunks are equal and messages take no time.
namespace sim::schedule {

/// What cells take; as in pictures, a backward is twice a forward.
struct CellTimes {
  double forward = 1;
  double backward = 2;
  double backward_input = 1;
  double backward_weight = 1;
  double overlapped = 3;  ///< a forward and a backward at once

  double of(const Cell& cell) const;
};

struct Slot {
  double begin = 0;
  double end = 0;
};

/// What keeps a schedule from running.
struct Problem {
  int stage = 0;
  int cell = -1;  ///< index into the stage's cells; -1: the stage as a whole
  std::string message;
};

struct Played {
  /// By stage and cell; of two overlapped cells both have the time of the pair. Empty when there is
  /// a problem.
  std::vector<std::vector<Slot>> slots;
  std::optional<Problem> deadlock;  ///< the first cell of a circle of stages that wait

  double end() const;
  /// From the first cell to the end of the last one, of the stage for which this is longest: the
  /// cost of an iteration in arXiv 2401.10241.
  double longest_stage() const;
};

/// Starts every cell as soon as its stage is free and what it needs is done: forwards the forward
/// of the virtual stage before, backwards that of the one behind and their own forward, weight
/// gradients their input gradient.
Played play(const ScheduleTable& table, const CellTimes& times = {});

/// All that keeps a table from running: cells that lie outside of it, that lack or come twice,
/// pairs that cannot be overlapped, and, if all are there, a deadlock.
std::vector<Problem> check(const ScheduleTable& table);

/// What a stage holds at most, counted in chunks of micro-batches.
struct InFlight {
  int activations = 0;   ///< from forward to input gradient
  int until_weight = 0;  ///< from forward to weight gradient: `activations` where these are fused
};
InFlight in_flight(const std::vector<Cell>& cells);

}  // namespace sim::schedule
