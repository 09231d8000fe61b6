#pragma once

#include <optional>
#include <string>
#include <vector>

#include "strategies/autoshard/difference.hpp"
#include "strategies/autoshard/solution_reader.hpp"
#include "strategies/autoshard/summary.hpp"

namespace viz {

/// A plan to compare with: its best solution, or why it has none.
struct ShardingRival {
  std::string name;
  std::optional<strategies::autoshard::Solution> solution;
  std::string reason;  ///< without a solution
};

/// A number of micro-batches that was tried: its best solution, or why it has none, or need not be
/// looked for.
struct MicroBatchTrial {
  int micro_batches = 1;
  std::optional<strategies::autoshard::Solution> solution;
  std::string reason;  ///< without a solution
};

/// A sharded model, found or read from a file. What it refers to outlives it.
struct ShardingView {
  std::string scenario;
  std::string model_text;
  std::string cluster_text;
  strategies::autoshard::SolutionHeader header;
  std::int64_t batch = 1;               ///< sequences of a micro-batch, on all ranks together
  std::int64_t sequence = 1;            ///< tokens of a sequence
  std::vector<MicroBatchTrial> trials;  ///< empty: the number was given
  strategies::autoshard::MemoryRange memory;
  bool loaded = false;  ///< from a file: its bound is not known
  const strategies::autoshard::TensorGraph& graph;
  const strategies::autoshard::Pricing& pricing;
  const strategies::autoshard::Solution& solution;
  std::vector<ShardingRival> rivals;
  std::optional<base::Seconds> simulated;  ///< the whole step, with overlap
  std::vector<std::string> left_out;       ///< of the model, in words
};

/// What was found, in words and tables.
std::string sharding_text(const ShardingView& view);

/// One line a node: operands -> results, what it computes and communicates.
std::string sharding_listing(const ShardingView& view);

/// The answer to "what if NAME had LAYOUT?".
std::string explanation_text(const ShardingView& view, const std::string& question,
                             const strategies::autoshard::Explanation& explanation);

/// What changed from `before`, dearest first.
std::string sharding_difference_text(const ShardingView& view,
                                     const strategies::autoshard::Solution& before);

/// "foreshard.autoshard.v1": the report.
std::string sharding_json(const ShardingView& view);

/// "foreshard.sharding.v1": the layouts of every node, see read_solution().
std::string saved_sharding_json(const ShardingView& view);

/// As AutoParallel saves placements: the mesh, and of each node the placement of its first result
/// by mesh dim.
std::string placements_json(const ShardingView& view);

}  // namespace viz
