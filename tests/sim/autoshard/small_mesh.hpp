#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/hardware_profile.hpp"
#include "sim/analytic.hpp"
#include "sim/autoshard/build_sharded_step.hpp"
#include "sim/autoshard/refine.hpp"
#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "tests/sim/autoshard/hand_plan.hpp"
#include "tests/sim/small_step.hpp"

namespace sim::autoshard {

using strategies::autoshard::Problem;
using strategies::autoshard::Solution;
using strategies::autoshard::TensorGraph;

/// 8 layers of 4,096 wide, a GPT of 1.9 B parameters.
inline strategies::ModelSpec medium_model() {
  strategies::ModelSpec model = gpt(8);
  model.hidden = 4096;
  model.ffn = 16384;
  model.heads = model.kv_heads = 32;
  model.head_dim = 128;
  model.vocab = 32000;
  model.positions = 4096;
  return model;
}

/// H100 as a mesh, rank r on GPU r of nodes of eight under one switch. Eight sequences of 4,096
/// tokens a micro-batch; fp32 parameters, no time of the host.
class SmallMesh {
 public:
  explicit SmallMesh(std::vector<int> mesh, int micro_batches = 1,
                     strategies::Optimizer optimizer = {})
      : micro_batches_(micro_batches),
        placed_{strategies::placement::Mesh(std::move(mesh)), {}},
        graph_(strategies::autoshard::model_graph(model_, {8, 4096}, {})) {
    for (int rank = 0; rank < placed_.mesh.size(); ++rank)
      placed_.gpu_of_rank.push_back(static_cast<topology::GpuId>(rank));
    const topology::NodeType& type = *registry_->find_node("dgx-h100");
    cluster_ = std::make_unique<topology::Cluster>(
        topology::uniform_cluster(type, (placed_.mesh.size() + 7) / 8, 8, registry_));
    const std::string folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";
    profile_ = *calibrate::make_hardware_profile(*registry_->find_gpu(type.gpu), folder);
    prices_ = std::make_unique<ProfilePrices>(*profile_, *cluster_, placed_);
    plan_.optimizer = optimizer;
    plan_.precision.parameters = base::DType::fp32;
    problem_ =
        make_problem(graph_, placed_.mesh, *prices_, {optimizer, plan_.precision, micro_batches});
  }

  const TensorGraph& graph() const { return graph_; }
  const Problem& problem() const { return problem_; }
  const topology::Cluster& cluster() const { return *cluster_; }
  const std::vector<topology::GpuId>& gpus() const { return placed_.gpu_of_rank; }

  Solution best() const { return planned(problem_, {}); }
  ShardedStep step(const Solution& solution) const { return build_sharded_step(input(solution)); }
  Timeline analysed(const StepGraph& graph) const {
    return analyse(graph, *cluster_, placed_.gpu_of_rank);
  }
  Refined refined(const Solution& solution, int rounds) const {
    return refine(
        input(solution),
        [](const Problem& problem) -> std::optional<Solution> {
          auto found = strategies::autoshard::solve(problem, {});
          return found ? std::optional(*found) : std::nullopt;
        },
        [this](const StepGraph& graph) { return analysed(graph); }, rounds);
  }
  /// The same model under a plan of ours.
  StepGraph ours(strategies::Plan plan) const {
    plan.sequence = 4096;
    plan.global_batch = 8 * micro_batches_;
    const strategies::ShardedGraph sharded = strategies::shard(model_, plan);
    return build_step({model_, plan, sharded, *cluster_, placed_.gpu_of_rank, *profile_});
  }

 private:
  ShardedStepInput input(const Solution& solution) const {
    return {model_, plan_, graph_, problem_, solution, placed_, *cluster_, *profile_};
  }

  std::shared_ptr<const topology::HardwareRegistry> registry_ =
      std::make_shared<const topology::HardwareRegistry>(*topology::HardwareRegistry::read(
          std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
  int micro_batches_;
  strategies::ModelSpec model_ = medium_model();
  strategies::Plan plan_ = plan_with(1, 1, 1, 1);
  PlacedMesh placed_;
  TensorGraph graph_;
  std::unique_ptr<topology::Cluster> cluster_;
  std::unique_ptr<calibrate::Profile> profile_;
  std::unique_ptr<ProfilePrices> prices_;
  Problem problem_;
};

/// FSDP over one mesh dim: everything by rows, weights gathered where they are used.
inline const std::vector<Wish> fully_sharded{
    {".cast.kept", {"S(0)"}, "S(0)"},  // and gathered again
    {".weight_gradient", {}, "P"},    {".input_gradient", {}, "S(0)"},
    {".weight", {}, "S(0)"},          {"_projection", {}, "S(0)"},
    {"mlp.up", {}, "S(0)"},           {"mlp.down", {}, "S(0)"},
    {"head.projection", {}, "S(0)"},  {".core", {}, "S(0)"},
    {".core.backward", {}, "S(0)"},   {"lookup", {}, "S(0)"},
    {"lookup.backward", {}, "P"},     {"norm", {}, "S(0)"},
    {"_residual", {}, "S(0)"},
};

/// Megatron's tensor parallelism with sequence parallelism over one mesh dim. Tokens between are
/// cut by sequences, whose dim is the outer one here; in Megatron-LM that is the tokens' dim.
inline const std::vector<Wish> tensor_parallel = [] {
  std::vector<Wish> wishes{
      {"output_projection.weight", {}, "S(1)"},
      {"down.weight", {}, "S(1)"},
      {"norm.weight", {}, "R"},
      {".weight", {}, "S(0)"},
      {"output_projection", {"S(2)", "S(1)"}, "P"},
      {"output_projection.input_gradient", {"R", "S(1)"}, "S(2)"},
      {"output_projection.weight_gradient", {"S(2)", "R"}, "S(1)"},
      {"mlp.down", {"S(2)", "S(1)"}, "P"},
      {"mlp.down.input_gradient", {"R", "S(1)"}, "S(2)"},
      {"mlp.down.weight_gradient", {"S(2)", "R"}, "S(1)"},
      {"lookup", {"S(0)", "R"}, "P"},
      {"lookup.backward", {"R", "R"}, "S(0)"},
      {"attention_norm.gradient", {"P", "P", "P"}, "P"},
      {"norm", {"S(0)"}, "S(0)"},
      {"_residual", {"S(0)"}, "S(0)"},
  };
  for (const char* column : {"_projection", "mlp.up", "head.projection"})
    wishes.push_back({column, {"R", "S(0)"}, "S(2)"});
  for (const char* column :
       {"_projection.input_gradient", "mlp.up.input_gradient", "head.projection.input_gradient"})
    wishes.push_back({column, {"S(2)", "S(0)"}, "P"});
  for (const char* column :
       {"_projection.weight_gradient", "mlp.up.weight_gradient", "head.projection.weight_gradient"})
    wishes.push_back({column, {"R", "S(2)"}, "S(0)"});
  return wishes;
}();

}  // namespace sim::autoshard
