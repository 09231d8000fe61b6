#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "sim/training/row.hpp"
#include "strategies/plan.hpp"

namespace sim::training {

/// To what a framework rounds the vocabulary up, so that it divides over tensor-parallel ranks.
enum class VocabularyPadding { none, tensor, tensor_128 };

/// Of which rank, and since when, a framework prints the peak of its memory.
enum class PrintedPeak {
  fullest_rank,
  rank_0_after_backward,  ///< the counter is reset then, so that no activation is in it
};

/// What a framework does unless a row says otherwise: a preset, and how published rows of it are to
/// be understood.
struct Framework {
  /// Rows whose framework begins so, and whose source contains this (empty: any).
  struct Rows {
    std::string framework;
    std::string source;
  };

  /// What its published recipes say of rows that are silent: those whose framework, model and GPU
  /// begin so (empty: all). Later ones win.
  struct Recipe {
    std::string framework;
    std::string model;
    std::string gpu;
    bool overlaps_tensor = false;          ///< tensor-parallel communication behind matrix products
    std::optional<base::DType> gradients;  ///< summed and reduced so
    std::vector<std::string> recompute_operators;
    std::optional<strategies::Dispatcher> dispatcher;
    bool overlaps_experts = false;
  };

  std::string name;  ///< of its file
  std::vector<Rows> rows;
  std::vector<Recipe> recipes;
  strategies::Plan plan;  ///< batch and sequence aside
  VocabularyPadding padding = VocabularyPadding::none;
  bool fp16_gradients = false;     ///< an fp16 run accumulates and reduces in fp16
  double fp16_dropout = 0;         ///< of its fp16 runs
  bool sequence_parallel = false;  ///< with tensor parallelism, where a row does not say
  bool stages_by_cost = false;     ///< the head counts as so many layers as its matrix is larger
  /// Rows without ZeRO hide the reduction of gradients, whatever the plan does.
  bool reduces_early_without_zero = false;
  /// What a row means that overlaps tensor parallelism.
  strategies::TensorOverlap tensor_overlap = strategies::TensorOverlap::parts;
  PrintedPeak peak = PrintedPeak::fullest_rank;

  std::vector<const Recipe*> recipes_of(const Row& row) const;
};

/// The profiles of a folder (`scenarios/frameworks`) that say whose rows they are.
class Frameworks {
 public:
  static base::Result<Frameworks> read(const std::string& folder);
  /// The row's framework: of those that fit, the one that says most of it; where none does, one
  /// without habits.
  const Framework& of(const Row& row) const;

 private:
  std::vector<Framework> all_;
  Framework other_;
};

}  // namespace sim::training
