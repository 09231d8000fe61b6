#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/dtype.hpp"
#include "base/map_reader.hpp"

/// Expert parallelism: the experts of a mixture lie on different ranks, and tokens travel to them.
namespace strategies {

/// How tokens reach their experts.
enum class Dispatcher {
  all_to_all,    ///< each token's row to each of its experts, and back
  all_gather,    ///< all tokens to all ranks; results summed by a reduce-scatter
  node_limited,  ///< a token crosses to a node once, whatever it needs there, and is passed on
                 ///< inside (DeepSeek-V3, arXiv 2412.19437, section 3.2.2)
};

inline constexpr std::array<std::pair<std::string_view, Dispatcher>, 3> dispatcher_names{{
    {"all_to_all", Dispatcher::all_to_all},
    {"all_gather", Dispatcher::all_gather},
    {"node_limited", Dispatcher::node_limited},
}};

/// How popular experts are.
enum class ExpertLoad {
  balanced,   ///< all alike, as benchmarks force it
  lognormal,  ///< popularity exp(parameter z), z standard normal
  zipf,       ///< popularity of the k-th is k^-parameter, in random order
  dirichlet,  ///< shares drawn from a symmetric Dirichlet distribution of this concentration
};

inline constexpr std::array<std::pair<std::string_view, ExpertLoad>, 4> expert_load_names{{
    {"balanced", ExpertLoad::balanced},
    {"lognormal", ExpertLoad::lognormal},
    {"zipf", ExpertLoad::zipf},
    {"dirichlet", ExpertLoad::dirichlet},
}};

struct ExpertParallel {
  int degree = 1;
  int tensor = 0;         ///< ranks that divide each expert's matrices; 0: as tensor_parallel
  bool own_axis = false;  ///< a factor of the world (ScaleTorch); else folded into the others
  Dispatcher dispatcher = Dispatcher::all_to_all;
  int nodes_per_token = 4;                   ///< node_limited: nodes that a token reaches at most
  int ranks_per_node = 8;                    ///< node_limited: of the expert ranks
  base::DType dispatch = base::DType::bf16;  ///< in which rows travel to experts; results in bf16
  bool backward_exchange = true;  ///< false: gradients do not travel (ScaleTorch's defect)
  ExpertLoad load = ExpertLoad::balanced;
  double load_parameter = 0;
  int load_seed = 0;

  int tensor_or(int tensor_parallel) const { return tensor > 0 ? tensor : tensor_parallel; }
  /// Expert ranks that are neighbours in a node, for the node_limited dispatcher.
  int inner() const {
    return dispatcher == Dispatcher::node_limited && degree > ranks_per_node ? ranks_per_node : 1;
  }

  bool operator==(const ExpertParallel&) const = default;
};

/// Reads the `expert:` map of a plan.
void read_expert_parallel(base::MapReader& reader, ExpertParallel& expert);

/// Rows that the busiest of the expert ranks gets, over the mean: 1 when balanced, at most
/// `degree`. The popularity of `experts` experts is drawn anew for each of `layers` layers, from
/// `load_seed` on, no expert getting more than every token (a share of 1 / experts_per_token);
/// experts lie on ranks in order; all ranks wait for the busiest at the combination, so that the
/// mean over the layers of the largest share counts.
double busiest_load(const ExpertParallel& expert, int experts, int experts_per_token, int layers);

}  // namespace strategies
