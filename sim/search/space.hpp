#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "sim/compare/plan_set.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "topology/cluster.hpp"

/// Finding the best of all plans of a model on a cluster.
namespace sim::search {

/// What a search varies, in the order in which it decides: what shapes the work of a rank first,
/// what only data-parallel ranks feel last.
enum class Axis : std::uint8_t {
  rank_order,
  tensor_parallel,
  context_parallel,
  expert_parallel,
  pipeline_parallel,
  sequence_parallel,
  micro_batch,
  recompute,
  schedule,
  virtual_stages,
  zero,
  data_replicate,
  bucket,
  gradient_reduce,
  parameter_gather,
};

inline constexpr int axis_count = 15;
/// Axes before this one make a unit: a part of the space that is explored in one go.
inline constexpr int unit_axes = static_cast<int>(Axis::recompute);

/// Its key in `plan:`, and in a file of axes: "tensor_parallel", "overlap.gradient_reduce".
std::string_view key_of(Axis axis);

/// A plan of a space: of each axis the index of its value.
struct PlanCode {
  std::array<std::uint16_t, axis_count> at{};

  std::uint16_t& operator[](Axis axis) { return at[static_cast<std::size_t>(axis)]; }
  std::uint16_t operator[](Axis axis) const { return at[static_cast<std::size_t>(axis)]; }
  auto operator<=>(const PlanCode&) const = default;
};

/// The plans that are searched: all combinations of the values of all axes, laid over a plan that
/// says the rest. Values are numbers whose meaning the axis knows; see text_of.
struct Space {
  strategies::Plan base;
  std::array<std::vector<int>, axis_count> values;

  const std::vector<int>& of(Axis axis) const { return values[static_cast<std::size_t>(axis)]; }
  std::vector<int>& of(Axis axis) { return values[static_cast<std::size_t>(axis)]; }
  int size(Axis axis) const { return static_cast<int>(of(axis).size()); }
  /// Lays the value of an axis over a plan.
  void apply(Axis axis, int index, strategies::Plan& plan) const;
  /// The plan of a code; its `data` is left to check_plan.
  strategies::Plan plan(const PlanCode& code) const;
};

/// Whether an axis changes a plan in which those before it are decided. Where it does not, only its
/// first value belongs to the space, and is not laid over the plan.
bool matters(Axis axis, const strategies::Plan& plan);

/// A value as a file has it: "8", "selective", "25.0 MiB", "tp-cp-dp-pp".
std::string text_of(Axis axis, int value);

/// What a user would try who has `gpus` GPUs and this scenario: degrees that divide what they cut,
/// tensor parallel inside a scale-up domain, the usual schedules; and always what `base` has, whose
/// other keys stay.
Space default_space(const strategies::ModelSpec& model, const strategies::Plan& base,
                    const topology::Cluster& cluster, int gpus);

/// The values of axes that a user wrote take the place of those that the space has. Mistakes: keys
/// that a search does not vary, words that are no values.
base::Result<Space> with_axes(Space space, const std::vector<compare::Axis>& axes,
                              const std::string& file);

}  // namespace sim::search
