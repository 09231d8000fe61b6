#include "sim/estimate.hpp"

#include <functional>
#include <memory>
#include <set>

#include "calibrate/hardware_profile.hpp"
#include "sim/analytic.hpp"
#include "sim/build_step.hpp"
#include "sim/report.hpp"
#include "sim/scenario.hpp"
#include "sim/schedule/schedule.hpp"
#include "strategies/model.hpp"
#include "strategies/shard.hpp"
#include "tests/sim/random_step.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace sim {
namespace {

const std::string scenarios = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/";

void choose_data_parallel(strategies::Plan& plan, Dice& pick) {
  using strategies::BucketPolicy;
  using strategies::GradientSync;
  const auto one_of = [&](std::initializer_list<int> values) {
    return *(values.begin() + pick(static_cast<int>(values.size())));
  };
  // Not every policy and sync goes with every stage of ZeRO; see read_plan.
  plan.ddp.buckets = static_cast<BucketPolicy>(pick(plan.zero == 0 ? 5 : 3));
  if (pick(4) == 0) plan.bucket = base::Bytes::from_mib(one_of({1, 100}));
  if (pick(4) == 0 && plan.zero > 0) plan.gather_bucket = base::Bytes::from_mib(50);
  if (pick(2) == 0)
    plan.sync = plan.zero == 2 ? GradientSync::every
                               : static_cast<GradientSync>(pick(plan.zero == 0 ? 3 : 2));
  plan.fsdp.ranks_after_forward = one_of({0, 0, 1, 2});
  plan.fsdp.prefetch = one_of({0, 1, 1, 2, 5});
  plan.fsdp.layers_per_unit = {one_of({1, 1, 3})};
  if (pick(4) == 0) plan.fsdp.layers_per_unit = {1, 5, 10, 16};
  plan.fsdp.root = static_cast<strategies::FsdpRoot>(pick(3));
  plan.fsdp.offload = pick(4) == 0;
  if (pick(3) == 0) plan.fsdp.reduce_dtype = base::DType::bf16;
  if (pick(3) == 0) plan.fsdp.gather_dtype = base::DType::fp32;
}

strategies::Plan random_plan(Dice& pick) {
  const auto one_of = [&](std::initializer_list<int> values) {
    return *(values.begin() + pick(static_cast<int>(values.size())));
  };
  strategies::Plan plan;
  plan.tensor = one_of({1, 2, 4, 8});
  plan.pipeline = one_of({1, 1, 2, 4});
  plan.data_replicate = one_of({1, 1, 1, 2});
  plan.zero = one_of({0, 1, 2, 3});
  plan.sequence_parallel = pick(2) == 0 && plan.tensor > 1;
  plan.schedule = static_cast<strategies::ScheduleKind>(pick(3));
  plan.virtual_stages =
      plan.schedule == strategies::ScheduleKind::interleaved ? one_of({1, 2, 4}) : 1;
  plan.micro_batch = one_of({1, 2});
  plan.global_batch = one_of({32, 64});
  plan.sequence = one_of({512, 4096});
  plan.recompute = static_cast<strategies::Recompute>(pick(3));
  plan.overlap.gradient_reduce = pick(3) > 0;
  plan.overlap.parameter_gather = pick(3) > 0;
  plan.overlap.point_to_point = pick(2) == 0;
  plan.execution.operator_dispatch = base::Seconds::from_us(one_of({0, 80, 500}));
  plan.execution.exchange_dispatch = base::Seconds::from_us(one_of({0, 0, 700}));
  plan.execution.step_dispatch = base::Seconds::from_ms(one_of({0, 0, 30}));
  plan.execution.elementwise_traffic = one_of({1, 2});
  plan.scatters_messages = pick(2) == 0;
  plan.execution.fused_accumulation = pick(2) == 0;
  plan.optimizer.copies_gradients = pick(3) == 0;
  if (plan.sequence_parallel) plan.overlap.tensor = static_cast<strategies::TensorOverlap>(pick(3));
  plan.owns_tensors = plan.zero == 1 && pick(3) == 0;
  choose_data_parallel(plan, pick);
  return plan;
}

/// Any schedule, over stages of any length.
strategies::Plan random_pipeline(Dice& pick, const strategies::ModelSpec& model) {
  using strategies::ScheduleKind;
  const auto one_of = [&](std::initializer_list<int> values) {
    return *(values.begin() + pick(static_cast<int>(values.size())));
  };
  strategies::Plan plan = random_plan(pick);
  plan.pipeline = one_of({2, 4, 8});
  plan.tensor = one_of({1, 2});
  plan.global_batch = one_of({32, 64, 96});
  plan.schedule = static_cast<ScheduleKind>(pick(9));
  plan.virtual_stages = plan.schedule == ScheduleKind::interleaved ? one_of({2, 4}) : 1;
  const int depth = plan.shape().depth();
  switch (pick(4)) {
    case 0:
      for (int v = 0; v < depth; ++v) plan.stage_layers.push_back(model.layer_count() / depth);
      ++plan.stage_layers.front();
      --plan.stage_layers.back();
      break;
    case 1:
      plan.account_for_embedding = true;
      plan.uneven = strategies::Uneven::first;
      break;
    case 2:
      plan.first_stage_layers = model.layer_count() / plan.pipeline - plan.virtual_stages;
      plan.uneven = strategies::Uneven::first;
      break;
    default: break;
  }
  return plan;
}

/// The same schedule, as if its user had written it down.
void write_down(strategies::Plan& plan) {
  auto written = std::make_shared<strategies::WrittenSchedule>();
  written->table = schedule::table_of(plan);
  plan.schedule = strategies::ScheduleKind::table;
  plan.virtual_stages = 1;
  plan.written = std::move(written);
}

bool runs_cells_at_once(const strategies::Plan& plan) {
  for (const auto& cells : schedule::table_of(plan).stages)
    for (const schedule::Cell& cell : cells)
      if (cell.overlapped) return true;
  return false;
}

/// Compares plans until there are `count` that fit the cluster. Answers which schedules they had.
std::set<strategies::ScheduleKind> compare(const strategies::ModelSpec& model,
                                           const std::string& nodes, int count,
                                           const std::function<strategies::Plan()>& next_plan) {
  const auto cluster = topology::cluster_from(nodes);
  REQUIRE(cluster);
  const auto profile = calibrate::make_hardware_profile(cluster->gpu_spec(0),
                                                        scenarios + "hardware", {.step_gpus = 8});
  REQUIRE(profile);
  const std::vector<topology::GpuId> gpus = in_order(cluster->gpu_count());
  Estimator estimator(model, *cluster, **profile, gpus);
  std::set<strategies::ScheduleKind> kinds;
  int compared = 0;
  for (int i = 0; i < 10 * count && compared < count; ++i) {
    strategies::Plan plan = next_plan();
    if (base::has_errors(strategies::check_plan(plan, model, cluster->gpu_count(), {}))) continue;
    if (compared % 5 == 4) write_down(plan);
    kinds.insert(plan.schedule);
    const auto ranks = static_cast<std::size_t>(plan.grid().size());
    const std::vector<topology::GpuId> used(gpus.begin(),
                                            gpus.begin() + static_cast<std::ptrdiff_t>(ranks));
    const std::vector<base::Bytes> capacities(ranks, cluster->gpu_spec(0).memory);
    const strategies::ShardedGraph sharded = strategies::shard(model, plan);
    const StepGraph graph = build_step({model, plan, sharded, *cluster, used, **profile});
    INFO(strategies::describe(plan));
    const Timeline timeline = analyse(graph, *cluster, used);
    CHECK(estimator.step(plan).s() == Approx(timeline.step.s()).epsilon(1e-9));
    const double pipeline = estimator.pipeline(plan).s();
    CHECK(pipeline <= timeline.step.s() * (1 + 1e-9));
    if (!runs_cells_at_once(plan)) CHECK(estimator.busiest(plan).s() <= pipeline * (1 + 1e-9));
    const base::Bytes peak = follow_memory(graph, timeline, capacities).peak;
    CHECK(estimator.memory(plan).as_double() <= peak.as_double());
    ++compared;
  }
  CHECK(compared == count);
  return kinds;
}

struct Subject {
  std::string model;
  std::vector<int> expert_degrees;
};

TEST_CASE("the estimate of a plan is the analytic time of its step") {
  // Four nodes of eight, and nodes of two kinds, of which groups have other shapes.
  const std::string nodes =
      GENERATE("nodes: {type: dgx-h100, count: 4}\nfabric: {kind: rail_optimized}\n",
               "nodes: [{type: dgx-h100, count: 3}, {node: {base: dgx-h100, nics: 2}, count: 2, "
               "usable_gpus: 4}]\nfabric: {kind: fat_tree}\n");
  const auto subject = GENERATE(Subject{"llama-3.1-8b", {1}}, Subject{"mixtral-8x7b", {1, 2, 8}});
  Dice pick(1);
  compare(strategies::shipped_model(subject.model), nodes, 400, [&] {
    strategies::Plan plan = random_plan(pick);
    plan.expert.degree = subject.expert_degrees[static_cast<std::size_t>(
        pick(static_cast<int>(subject.expert_degrees.size())))];
    plan.overlap.expert = plan.expert.degree > 1 && pick(2) == 0;
    return plan;
  });
}

TEST_CASE("so is that of any schedule, with stages of any length and a tied embedding") {
  strategies::ModelSpec model =
      strategies::shipped_model(GENERATE(as<std::string>(), "llama-3.1-8b", "mixtral-8x7b"));
  model.tied_embeddings = GENERATE(false, true);
  Dice pick(2);
  const auto kinds =
      compare(model, "nodes: {type: dgx-h100, count: 4}\nfabric: {kind: rail_optimized}\n", 400,
              [&] { return random_pipeline(pick, model); });
  CHECK(kinds.size() == 10);  // all of them
}

}  // namespace
}  // namespace sim
