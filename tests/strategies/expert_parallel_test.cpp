#include "strategies/expert_parallel.hpp"

#include <cmath>

#include "strategies/shard.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

// Mixtral-8x7B: hidden 4,096, experts of width 14,336, 8 of them, 2 for a token.
constexpr std::int64_t tokens = 4096;
constexpr std::int64_t row = 4096 * 2;  // bytes of a token
constexpr std::int64_t expert = 3LL * 4096 * 14336;

Plan plan_with(int tensor, bool sequence_parallel, const ExpertParallel& experts) {
  Plan plan;
  plan.tensor = tensor;
  plan.sequence_parallel = sequence_parallel;
  plan.data = 8;
  plan.global_batch = 8;
  plan.sequence = tokens;
  plan.expert = experts;
  return plan;
}

const ShardedBlock& layer(const ShardedGraph& graph) {
  return graph.blocks[static_cast<std::size_t>(graph.layer_block[0])];
}

std::int64_t traffic(const std::vector<Work>& works, base::Collective op, AxisSet axes,
                     std::string_view label) {
  std::int64_t bytes = 0;
  for (const Work& work : works)
    if (work.communication && work.communication->op == op && work.communication->axes == axes &&
        work.label.starts_with(label))
      bytes += work.communication->bytes.count();
  return bytes;
}

/// Bytes of memory-bound kernels.
double moved_by(const std::vector<Work>& works) {
  double bytes = 0;
  for (const Work& work : works)
    for (const base::Kernel& kernel : work.kernels)
      if (const auto* pass = std::get_if<base::MemoryBound>(&kernel))
        bytes += pass->bytes.as_double();
  return bytes;
}

TEST_CASE("expert parallel: two rows a token there and back, both ways") {
  const ShardedGraph graph =
      shard(shipped_model("mixtral-8x7b"), plan_with(1, false, {.degree = 8}));
  const auto sent = [&](const std::vector<Work>& works, std::string_view label) {
    return traffic(works, base::Collective::all_to_all, Axis::expert, label);
  };
  CHECK(sent(layer(graph).forward, "all-to-all tokens") == 2 * tokens * row);
  CHECK(sent(layer(graph).forward, "all-to-all results") == 2 * tokens * row);
  CHECK(sent(layer(graph).forward, "all-to-all counts") == 8 * 8);
  CHECK(sent(layer(graph).forward, "all-to-all weights") == 2 * tokens * 4);
  CHECK(sent(layer(graph).backward, "all-to-all") == 4 * tokens * row + 2 * tokens * 4);
  CHECK(layer(graph).expert_parameters == expert);
}

// With two experts on a rank each of the 2 x tokens rows is read and written once more when it has
// come, and once more before it leaves.
TEST_CASE("rows of many ranks are sorted by expert, and back") {
  const auto moved = [](int degree, bool backward) {
    const ShardedGraph graph =
        shard(shipped_model("mixtral-8x7b"), plan_with(1, false, {.degree = degree}));
    return moved_by(backward ? layer(graph).backward : layer(graph).forward);
  };
  const double sorted = 2 * 2 * (2 * tokens) * row;
  CHECK(moved(4, false) - moved(8, false) == Approx(sorted));
  CHECK(moved(4, true) - moved(8, true) == Approx(sorted));
}

TEST_CASE("experts that all get their capacity need not know how many rows come") {
  ModelSpec model = shipped_model("mixtral-8x7b");
  model.mixture->capacity_factor = 1;
  const ShardedGraph graph = shard(model, plan_with(1, false, {.degree = 8}));
  CHECK(traffic(layer(graph).forward, base::Collective::all_to_all, Axis::expert,
                "all-to-all counts") == 0);
  CHECK(traffic(layer(graph).forward, base::Collective::all_to_all, Axis::expert,
                "all-to-all tokens") == 2 * tokens * row);
}

// Dropless fp8: the 2 x tokens rows are copied in front of the experts' matrices and behind them,
// forward and backward; a capacity is a multiple of what the products take already.
TEST_CASE("rows of narrow products are copied to where they are aligned") {
  const auto moved = [](double capacity, bool backward) {
    ModelSpec model = shipped_model("mixtral-8x7b");
    model.mixture->capacity_factor = capacity;
    Plan plan = plan_with(1, false, {.degree = 8});
    plan.precision.compute = base::DType::fp8;
    const ShardedGraph graph = shard(model, plan);
    return moved_by(backward ? layer(graph).backward : layer(graph).forward);
  };
  const double copied = 2 * 2 * (2 * tokens) * row;
  CHECK(moved(0, false) - moved(1, false) == Approx(copied));
  CHECK(moved(0, true) - moved(1, true) == Approx(copied));
}

// Eight experts on two ranks: each rank casts the rows of four, one kernel an expert. In front of
// the expert's two matrices, forward their inputs, backward the gradients of their outputs.
TEST_CASE("narrow formats cast the rows of each expert by themselves") {
  const auto casts = [](int degree, bool backward) {
    Plan plan = plan_with(1, false, {.degree = degree});
    plan.precision.compute = base::DType::fp8;
    const ShardedGraph graph = shard(shipped_model("mixtral-8x7b"), plan);
    int kernels = 0;
    for (const Work& work : backward ? layer(graph).backward : layer(graph).forward)
      for (const base::Kernel& kernel : work.kernels)
        if (const auto* pass = std::get_if<base::MemoryBound>(&kernel)) kernels += pass->kernels;
    return kernels;
  };
  // Of 4 experts instead of 1 there are 3 more for each matrix, and a pass that sorts on each way.
  CHECK(casts(2, false) - casts(8, false) == 2 * 3 + 2);
  CHECK(casts(2, true) - casts(8, true) == 2 * 3 + 2);
}

TEST_CASE("one expert rank: no traffic, and experts are parameters like others") {
  const ShardedGraph graph = shard(shipped_model("mixtral-8x7b"), plan_with(1, false, {}));
  for (const Work& work : layer(graph).forward) CHECK_FALSE(work.communication);
  CHECK(layer(graph).expert_parameters == 0);
  CHECK(layer(graph).parameters > 8 * expert);
}

TEST_CASE("rows in fp8 are half as wide, with a scale for 128 elements; results are not") {
  const ShardedGraph graph =
      shard(shipped_model("mixtral-8x7b"),
            plan_with(1, false, {.degree = 8, .dispatch = base::DType::fp8}));
  const std::vector<Work>& works = layer(graph).forward;
  CHECK(traffic(works, base::Collective::all_to_all, Axis::expert, "all-to-all tokens") ==
        2 * tokens * (4096 + 4 * 32));
  CHECK(traffic(works, base::Collective::all_to_all, Axis::expert, "all-to-all results") ==
        2 * tokens * row);
}

TEST_CASE("gathering all tokens instead of sending rows") {
  const ShardedGraph graph =
      shard(shipped_model("mixtral-8x7b"),
            plan_with(1, false, {.degree = 8, .dispatcher = Dispatcher::all_gather}));
  const AxisSet all = Axis::expert | Axis::expert_tensor;
  CHECK(traffic(layer(graph).forward, base::Collective::all_gather, all, "") == 8 * tokens * row);
  CHECK(traffic(layer(graph).forward, base::Collective::reduce_scatter, all, "") ==
        8 * tokens * row);
}

// Tensor ranks with their own tokens: each sends its quarter; with etp 4 what arrives is gathered
// over them, and summed and scattered before it goes back.
TEST_CASE("expert tensor parallel") {
  const ModelSpec model = shipped_model("mixtral-8x7b");
  const ShardedGraph apart = shard(model, plan_with(4, true, {.degree = 8, .tensor = 1}));
  CHECK(traffic(layer(apart).forward, base::Collective::all_to_all, Axis::expert,
                "all-to-all tokens") == 2 * tokens / 4 * row);
  CHECK(layer(apart).expert_parameters == expert);

  const ShardedGraph divided = shard(model, plan_with(4, true, {.degree = 8, .tensor = 4}));
  CHECK(layer(divided).expert_parameters == expert / 4);
  CHECK(traffic(layer(divided).forward, base::Collective::all_gather, Axis::expert_tensor, "") ==
        2 * tokens * row);
  CHECK(traffic(layer(divided).forward, base::Collective::reduce_scatter, Axis::expert_tensor,
                "") == 2 * tokens * row);
  const auto flop = [](const ShardedGraph& graph) {
    base::Flop sum;
    for (const Work& work : layer(graph).forward)
      for (const base::Kernel& kernel : work.kernels) sum += flop_of(kernel);
    return sum.count();
  };
  CHECK(flop(divided) == Approx(flop(apart)).epsilon(1e-9));
}

// DeepSeek-V3 (arXiv 2412.19437, section 3.2.2): 8 experts a token on at most 4 nodes. Each of the
// four has none of the eight with probability (3/4)^8, so that a token travels 4 (1 - (3/4)^8) =
// 3.5995 times across nodes instead of 8.
TEST_CASE("a token crosses to a node once") {
  const ModelSpec model = shipped_model("deepseek-v3");
  Plan plan = plan_with(1, false, {.degree = 64, .dispatcher = Dispatcher::node_limited});
  plan.data = 64;
  plan.global_batch = 64;
  const ShardedGraph graph = shard(model, plan);
  const ShardedBlock& moe = graph.blocks[static_cast<std::size_t>(graph.layer_block.back())];
  const std::int64_t wide_row = 7168 * 2;
  CHECK(
      traffic(moe.forward, base::Collective::all_to_all, Axis::expert_outer, "all-to-all tokens") ==
      static_cast<std::int64_t>(4 * (1 - std::pow(0.75, 8)) * tokens) * wide_row);
  CHECK(traffic(moe.forward, base::Collective::all_to_all, Axis::expert_inner,
                "all-to-all tokens") == 8 * tokens * wide_row);
}

TEST_CASE("the load of the busiest expert rank") {
  CHECK(busiest_load({.degree = 8}, 64, 4, 10) == 1);
  // Popularity 1, 1/2, 1/3, 1/4 of four experts with one for a token: the first has 12/25.
  const ExpertParallel zipf{
      .degree = 4, .load = ExpertLoad::zipf, .load_parameter = 1, .load_seed = 7};
  CHECK(busiest_load(zipf, 4, 1, 3) == Approx(4 * 12.0 / 25));
  // Two for a token: nobody gets more than half of the rows, which changes nothing here; with a
  // steeper law the first is held at one half.
  ExpertParallel steep = zipf;
  steep.load_parameter = 4;
  CHECK(busiest_load(steep, 4, 1, 3) > 3.5);
  CHECK(busiest_load(steep, 4, 2, 3) == Approx(2));
  // Spread grows with the parameter, shrinks with concentration; the same seed gives the same.
  const auto load = [](ExpertLoad kind, double parameter) {
    return busiest_load({.degree = 8, .load = kind, .load_parameter = parameter}, 64, 8, 32);
  };
  CHECK(load(ExpertLoad::lognormal, 0.2) < load(ExpertLoad::lognormal, 1.0));
  CHECK(load(ExpertLoad::dirichlet, 100) < load(ExpertLoad::dirichlet, 1));
  CHECK(load(ExpertLoad::dirichlet, 100) > 1);
  CHECK(load(ExpertLoad::dirichlet, 1) == load(ExpertLoad::dirichlet, 1));
}

}  // namespace
}  // namespace strategies
