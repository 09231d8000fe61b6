#include "sim/piece_times.hpp"

#include <algorithm>
#include <numeric>

namespace sim {

PieceCosts costs_of(const StepGraph& graph, const Segment& segment, int rank) {
  PieceCosts costs;
  for (const Piece& piece : segment.pieces) {
    costs.kernels.push_back(piece.compute.s());
    double alone = 0;
    if (piece.collective >= 0) {
      const auto& use = graph.collectives[static_cast<std::size_t>(piece.collective)];
      alone = graph.cost_of(use, rank).total.time.s();
    }
    costs.waits.push_back(std::max(0.0, alone - costs.kernels.back()));
  }
  return costs;
}

std::vector<double> piece_lengths(const StepGraph& graph, const Segment& segment, int rank,
                                  double total) {
  const PieceCosts costs = costs_of(graph, segment, rank);
  const double kernel_sum = std::accumulate(costs.kernels.begin(), costs.kernels.end(), 0.0);
  const double wait_sum = std::accumulate(costs.waits.begin(), costs.waits.end(), 0.0);
  std::vector<double> lengths = costs.kernels;
  const double rest = total - kernel_sum;
  const bool share_rest = wait_sum > 0 && rest > 0;
  const double scale = share_rest || kernel_sum <= 0 ? 1 : total / kernel_sum;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    lengths[i] = lengths[i] * scale + (share_rest ? rest * costs.waits[i] / wait_sum : 0);
  return lengths;
}

}  // namespace sim
