#include "strategies/optimizer.hpp"

#include "strategies/op_graph.hpp"
#include "strategies/plan.hpp"
#include "strategies/shard.hpp"
#include "tests/support/catch.hpp"

namespace strategies {
namespace {

/// Four matrices of 1024 x 4096, an embedding of 1000 x 1024 and 5000 elements of vectors.
ParameterTensors small() {
  ParameterTensors held;
  held.matrices = {{1024, 4096, 4, true}, {1000, 1024, 1, false}};
  held.elements = std::int64_t{4} * 1024 * 4096 + 1000 * 1024 + 5000;
  held.tensors = 7;
  return held;
}

constexpr std::int64_t hidden = std::int64_t{4} * 1024 * 4096;
constexpr std::int64_t rest = 1000 * 1024 + 5000;

OptimizerWork work_of(const Optimizer& optimizer, int shards = 1) {
  return optimizer_work(optimizer, Precision{}, small(), shards, /*writes_copy=*/true);
}

std::int64_t streamed(const OptimizerWork& work) {
  std::int64_t bytes = 0;
  for (const base::Kernel& kernel : work.kernels)
    if (const auto* pass = std::get_if<base::MemoryBound>(&kernel)) bytes += pass->bytes.count();
  return bytes;
}

double product_flops(const OptimizerWork& work) {
  double sum = 0;
  for (const base::Kernel& kernel : work.kernels)
    if (std::holds_alternative<base::Gemm>(kernel)) sum += base::flop_of(kernel).count();
  return sum;
}

TEST_CASE("states of each optimizer, by hand") {
  // Two fp32 moments; one; none.
  CHECK(work_of({.kind = OptimizerKind::adamw}).states.count() == 8 * (hidden + rest));
  CHECK(work_of({.kind = OptimizerKind::sgd}).states.count() == 4 * (hidden + rest));
  CHECK(work_of({.kind = OptimizerKind::sgd, .momentum = false}).states.count() == 0);
  // Two bytes and two fp32 scales every 256 elements.
  CHECK(work_of({.kind = OptimizerKind::adam8bit}).states.as_double() ==
        Approx((hidden + rest) * (2 + 8.0 / 256)));
  // fp32 sums of rows and columns of each matrix, a whole moment of vectors.
  CHECK(work_of({.kind = OptimizerKind::adafactor}).states.count() ==
        4 * (4 * (1024 + 4096) + (1000 + 1024) + 5000));
  // One moment of hidden matrices, two of the rest.
  CHECK(work_of({.kind = OptimizerKind::muon}).states.count() == 4 * hidden + 8 * rest);
  // Blocks of 1024: 4 x 4 of 1024 x 1024 and one of 1000 x 1024; a preconditioner and its root for
  // each side in fp32, and Adam's moments.
  const std::int64_t square = 1024 * 1024;
  CHECK(work_of({.kind = OptimizerKind::shampoo}).states.count() ==
        8 * (16 * 2 * square + 1000 * 1000 + square) + 8 * (hidden + rest));
}

TEST_CASE("states are sharded, those with structure by whole blocks and matrices") {
  CHECK(work_of({.kind = OptimizerKind::adamw}, 4).states.count() == 2 * (hidden + rest));
  CHECK(work_of({.kind = OptimizerKind::adafactor}, 4).states.count() ==
        4 * (4 * (256 + 4096) + (250 + 1024) + 1250));
  CHECK(work_of({.kind = OptimizerKind::muon}, 4).states.count() == hidden + 2 * rest);
}

TEST_CASE("traffic of the fused kernels: gradient, master weights, moments, parameters") {
  // 4 + 2 x 4 + 2 x 2 x 4 + 2 bytes an element; one moment less; 1-byte moments with scales.
  CHECK(streamed(work_of({.kind = OptimizerKind::adamw})) == 30 * (hidden + rest));
  CHECK(streamed(work_of({.kind = OptimizerKind::sgd})) == 22 * (hidden + rest));
  CHECK(static_cast<double>(streamed(work_of({.kind = OptimizerKind::adam8bit}))) ==
        Approx((hidden + rest) * (14 + 4 * (1 + 4.0 / 256))));
  CHECK(work_of({.kind = OptimizerKind::adamw}).launches == 1);
}

TEST_CASE("copied gradients are one more state, and parameters are copied behind the update") {
  const Precision half{.gradients = base::DType::fp16};
  const auto work = [&](bool copies) {
    return optimizer_work({.copies_gradients = copies}, half, small(), 1, /*writes_copy=*/true);
  };
  // In place: 2 + 2 x 4 + 2 x 2 x 4 + 2 bytes. Copied: 4 + 8 + 16 for the update, which writes the
  // parameters in a pass that reads the master weights again: 4 + 2.
  CHECK(streamed(work(false)) == 28 * (hidden + rest));
  CHECK(streamed(work(true)) == 34 * (hidden + rest));
  CHECK(work(true).states.count() == 12 * (hidden + rest));  // two moments and a gradient in fp32
  CHECK(work(true).launches == 2);
}

TEST_CASE("foreach launches a kernel an operation, a loop one an operation and tensor") {
  const OptimizerWork foreach =
      work_of({.kind = OptimizerKind::adamw, .launch = OptimizerLaunch::foreach});
  const OptimizerWork loop =
      work_of({.kind = OptimizerKind::adamw, .launch = OptimizerLaunch::for_loop});
  CHECK(foreach.launches == 8);
  CHECK(loop.launches == 8 * 7);
  CHECK(streamed(foreach) == streamed(loop));
  CHECK(streamed(foreach) == (20 * 4 + 2) * (hidden + rest));
  CHECK(foreach.temporary.count() == 4 * (hidden + rest));  // square roots of all tensors
}

TEST_CASE("Muon orthogonalises by five steps of three products, whole matrices on their roots") {
  // Of r x c: 2 r r c + 2 r r r + 2 r r c each step.
  const double r = 1024;
  const double c = 4096;
  const double one = 5 * (4 * r * r * c + 2 * r * r * r);
  const OptimizerWork alone = work_of({.kind = OptimizerKind::muon});
  CHECK(product_flops(alone) == Approx(4 * one));
  CHECK(alone.exchanged.count() == 0);
  const OptimizerWork quarter = work_of({.kind = OptimizerKind::muon}, 4);
  CHECK(product_flops(quarter) == Approx(one));
  CHECK(quarter.exchanged.count() == 2 * hidden / 4);  // its shards, 16 bits
  // Four matrices on eight ranks: some have one, none has a part.
  CHECK(product_flops(work_of({.kind = OptimizerKind::muon}, 8)) == Approx(one));
}

TEST_CASE("Shampoo's roots are spread over the steps between them") {
  const auto flops = [](int every) {
    return product_flops(
        work_of({.kind = OptimizerKind::shampoo, .block = 1024, .root_every = every}));
  };
  // 17 blocks, four products each a step, and 40 for each root of both sides every so many.
  const double cube = 2.0 * 1024 * 1024 * 1024;
  CHECK(flops(1) - flops(40) == Approx(17 * 2 * 39 * cube).epsilon(0.01));
}

TEST_CASE("the matrices of a block are those of its operators, biases and norms are not") {
  ModelSpec model;
  model.hidden = 256;
  model.ffn = 1024;
  model.heads = model.kv_heads = 4;
  model.head_dim = 64;
  model.vocab = 1000;
  model.positions = 128;
  model.gated = false;
  model.layers.resize(2);
  Plan plan;
  plan.data = 1;
  plan.global_batch = 1;
  plan.sequence = 128;
  const ShardedGraph graph = shard(model, plan);
  const std::vector<WeightMatrix>& layer =
      graph.blocks[static_cast<std::size_t>(graph.layer_block[0])].matrices;
  CHECK(layer ==
        std::vector<WeightMatrix>{
            {256, 768, 1, true}, {256, 256, 1, true}, {256, 1024, 1, true}, {1024, 256, 1, true}});
  for (const WeightMatrix& table :
       graph.blocks[static_cast<std::size_t>(graph.embedding_block)].matrices)
    CHECK_FALSE(table.hidden);
}

}  // namespace
}  // namespace strategies
