#pragma once

#include <vector>

#include "sim/step_graph.hpp"

namespace sim {

/// Seconds of each piece of a segment: what its kernel was priced at, and what its collective,
/// alone, takes beyond that.
struct PieceCosts {
  std::vector<double> kernels;
  std::vector<double> waits;
};

PieceCosts costs_of(const StepGraph& graph, const Segment& segment, int rank);

/// Seconds of each piece within a segment that took `total`. Kernels keep the time they were priced
/// at and collectives share the rest by what they cost alone; without collectives, or when the
/// segment ran faster than its kernels, all pieces are scaled alike.
std::vector<double> piece_lengths(const StepGraph& graph, const Segment& segment, int rank,
                                  double total);

}  // namespace sim
