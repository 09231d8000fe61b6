#include "sim/data_parallel.hpp"

#include <algorithm>
#include <set>

#include "sim/analytic.hpp"
#include "sim/offload.hpp"
#include "sim/report.hpp"
#include "tests/sim/small_step.hpp"

namespace sim {
namespace {

using base::Bytes;
using strategies::BucketPolicy;
using strategies::FsdpRoot;
using strategies::GradientSync;

/// Parameters of a layer, the embedding and the head of `gpt`.
struct Counts {
  std::int64_t embedding = 0;
  std::int64_t layer = 0;
  std::int64_t head = 0;
};

Counts counts_of(const strategies::ModelSpec& model, const strategies::Plan& plan) {
  const strategies::ShardedGraph sharded = strategies::shard(model, plan);
  const auto parameters = [&](int block) {
    return sharded.blocks[static_cast<std::size_t>(block)].parameters;
  };
  return {parameters(sharded.embedding_block), parameters(sharded.layer_block[0]),
          parameters(sharded.head_block)};
}

int tasks_named(const StepGraph& graph, std::string_view name) {
  int count = 0;
  for (const Task& task : graph.programs[0].tasks)
    count += task.kind == TaskKind::collective && graph.collectives[task.index].name == name;
  return count;
}

/// The most bytes of a part that come and go, by program order on a timeline.
std::int64_t peak(const Built& built, MemoryPart part) {
  const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
  std::vector<std::tuple<double, std::int64_t>> changes;
  for (const MemoryEvent& event : built.graph.programs[0].memory) {
    const Span& span = timeline.span(0, event.task);
    if (event.part == part)
      changes.emplace_back(event.at_end ? span.end : span.begin, event.delta_bytes);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const auto& [time, bytes] : changes) most = std::max(most, now += bytes);
  return most;
}

strategies::Plan fsdp_plan(int micro_batches = 1) {
  strategies::Plan plan = plan_with(1, 1, 4, micro_batches);
  plan.zero = 3;
  plan.fsdp.root = FsdpRoot::none;
  return plan;
}

TEST_CASE("every bucket policy reduces the same bytes") {
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = plan_with(1, 1, 4, 2);
  plan.ddp.buckets =
      GENERATE(BucketPolicy::megatron, BucketPolicy::sequential, BucketPolicy::deepspeed,
               BucketPolicy::best_fit, BucketPolicy::per_parameter);
  const StepGraph graph = build(model, plan).graph;
  CHECK(collective_bytes(graph, 0) ==
        std::map<std::string, std::int64_t>{{"all-reduce gradients", 4 * parameters_of(model)}});
  // 0.8 M parameters a layer (3.1 MB of gradients): one bucket of 40 M elements, of 5e8, of 2^24;
  // a first one of 1 MiB and one of 25.
  const int buckets = tasks_named(graph, "all-reduce gradients");
  switch (plan.ddp.buckets) {
    case BucketPolicy::megatron:
    case BucketPolicy::deepspeed:
    case BucketPolicy::best_fit: CHECK(buckets == 1); break;
    case BucketPolicy::sequential: CHECK(buckets == 2); break;
    case BucketPolicy::per_parameter: {
      // A layer has two norms, qkv, output projection, up and down: 6. Embedding
      // 1, the last norm 1, the head 1.
      CHECK(buckets == 4 * 6 + 3);
      break;
    }
  }
}

TEST_CASE("gradients are reduced after the micro-batches that sync says") {
  const strategies::ModelSpec model = gpt(2);
  const std::int64_t p = parameters_of(model);
  strategies::Plan plan = plan_with(1, 1, 4, 3);
  const auto reduced = [&](int zero, GradientSync sync) {
    plan.zero = zero;
    plan.sync = sync;
    auto bytes = collective_bytes(build(model, plan).graph, 0);
    return bytes[zero == 0 ? "all-reduce gradients" : "reduce-scatter gradients"];
  };
  CHECK(reduced(0, GradientSync::last) == 4 * p);
  CHECK(reduced(0, GradientSync::every) == 3 * 4 * p);
  CHECK(reduced(0, GradientSync::none) == 0);
  CHECK(reduced(1, GradientSync::every) == 3 * 4 * p);
  CHECK(reduced(3, GradientSync::last) == 4 * p);
  CHECK(reduced(3, GradientSync::every) == 3 * 4 * p);
}

TEST_CASE("a gradient reduction hides behind a backward that is long enough") {
  // Kernels of 1 ms each; all gradients of 4 layers are 13 MB, 0.2 ms at 100 GB/s x 1.5. Of buckets
  // a parameter each only the last, of the embedding, has no backward left to hide behind:
  // 1000 x 256 elements x 4 B x 1.5 / 100 GB/s = 15.4 us.
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = plan_with(1, 1, 4, 1);
  plan.ddp.buckets = BucketPolicy::per_parameter;
  const auto exposed = [&] {
    const Built built = build(model, plan);
    return break_down(built.graph, analyse(built.graph, built.cluster, built.gpus))
        .data_exposed.s();
  };
  CHECK(exposed() == Approx(1000 * 256 * 4 * 1.5 / 100e9));
  plan.overlap.gradient_reduce = false;
  CHECK(exposed() == Approx(static_cast<double>(parameters_of(model)) * 4 * 1.5 / 100e9));
}

TEST_CASE("FSDP says 3 times the parameters, or 2 when they stay gathered") {
  const strategies::ModelSpec model = gpt(4);
  const std::int64_t p = parameters_of(model);
  strategies::Plan plan = fsdp_plan();
  plan.fsdp.reduce_dtype = base::DType::bf16;
  const auto total = [&] {
    std::int64_t sum = 0;
    for (const auto& [name, bytes] : collective_bytes(build(model, plan).graph, 0)) sum += bytes;
    return sum;
  };
  const Counts counts = counts_of(model, plan);
  CHECK(total() == 3 * 2 * p);
  plan.fsdp.ranks_after_forward = 1;
  CHECK(total() == 2 * 2 * p);
  plan.fsdp.ranks_after_forward = 0;
  plan.fsdp.root = FsdpRoot::head;
  CHECK(total() == (3 * p - counts.head) * 2);
  plan.fsdp.root = FsdpRoot::embedding_and_head;
  CHECK(total() == (3 * p - counts.head - counts.embedding) * 2);
  plan.fsdp.reduce_dtype.reset();  // fp32 gradients, parameters gathered as they are held
  plan.fsdp.gather_dtype = base::DType::fp32;
  CHECK(total() == (3 * p - counts.head - counts.embedding) * 4);
}

TEST_CASE("FSDP units of several layers: as many collectives, the same bytes") {
  strategies::Plan plan = fsdp_plan();
  const strategies::ModelSpec model = gpt(6);
  const auto gathers = [&](std::vector<int> layers, FsdpRoot root) {
    plan.fsdp.layers_per_unit = std::move(layers);
    plan.fsdp.root = root;
    const StepGraph graph = build(model, plan).graph;
    CHECK(collective_bytes(graph, 0).at("reduce-scatter gradients") == 4 * parameters_of(model));
    return tasks_named(graph, "all-gather parameters");
  };
  CHECK(gathers({1}, FsdpRoot::none) == 2 * (6 + 2));
  CHECK(gathers({4}, FsdpRoot::none) == 2 * (2 + 2));  // of 4 and 2 layers
  CHECK(gathers({1, 2, 3}, FsdpRoot::none) == 2 * (3 + 2));
  CHECK(gathers({6}, FsdpRoot::head) == 2 * (1 + 1) + 1);
  CHECK(gathers({6}, FsdpRoot::embedding_and_head) == 2 * 1 + 1);
}

TEST_CASE("FSDP that reshards to groups gathers over them in the backward") {
  strategies::Plan plan = fsdp_plan();
  plan.fsdp.ranks_after_forward = 2;
  const strategies::ModelSpec model = gpt(4);
  const Built built = build(model, plan);
  std::map<int, std::int64_t> bytes;  // by ranks of the group
  for (const Task& task : built.graph.programs[0].tasks)
    if (task.kind == TaskKind::collective) {
      const CollectiveUse& use = built.graph.collectives[task.index];
      if (use.kind == CommKind::parameter)
        bytes[built.graph.grid.extent(use.axes)] += use.bytes.count();
    }
  const std::int64_t p = parameters_of(model);
  CHECK(bytes == std::map<int, std::int64_t>{{2, 2 * p}, {4, 2 * p}});
  // Half of each unit stays on every rank. Most is held in the backward of the last layer, which is
  // whole; the head is in shards again.
  plan.fsdp.prefetch = 0;
  const Counts counts = counts_of(model, plan);
  CHECK(peak(build(model, plan), MemoryPart::gathered) ==
        Approx((counts.embedding + 3 * counts.layer) / 2 * 2 + 2 * counts.layer).margin(8));
}

TEST_CASE("gathered units: one and those prefetched, or all that stay") {
  // Layers are the largest units, 0.79 M parameters against 0.29 M of the embedding.
  const strategies::ModelSpec model = gpt(8);
  strategies::Plan plan = fsdp_plan();
  const Counts counts = counts_of(model, plan);
  REQUIRE(counts.layer > counts.embedding);
  const auto most = [&] { return peak(build(model, plan), MemoryPart::gathered); };
  for (const int prefetch : {0, 1, 2, 5}) {
    plan.fsdp.prefetch = prefetch;
    CHECK(most() == 2 * (prefetch + 1) * counts.layer);
  }
  plan.fsdp.prefetch = 1;
  plan.fsdp.ranks_after_forward = 1;
  CHECK(most() == 2 * parameters_of(model));
  plan.fsdp.ranks_after_forward = 0;
  plan.fsdp.root = FsdpRoot::embedding_and_head;
  CHECK(most() == 2 * (counts.embedding + counts.head + 2 * counts.layer));
}

TEST_CASE("gradients that wait for the last micro-batch are held whole") {
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = fsdp_plan(3);
  CHECK(peak(build(model, plan), MemoryPart::gradients) == 0);  // shards are resident
  plan.sync = GradientSync::last;
  CHECK(peak(build(model, plan), MemoryPart::gradients) == 4 * parameters_of(model));
  strategies::Plan single = fsdp_plan(1);
  single.sync = GradientSync::last;
  CHECK(peak(build(model, single), MemoryPart::gradients) == 0);
}

TEST_CASE("HSDP sums shards over replicas beside the next unit's reduce-scatter") {
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = plan_with(1, 1, 8, 1);
  plan.zero = 3;
  plan.data_replicate = 4;
  const Built built = build(model, plan);
  const std::int64_t p = parameters_of(model);
  auto bytes = collective_bytes(built.graph, 0);
  CHECK(bytes.at("reduce-scatter gradients") == 4 * p);
  CHECK(bytes.at("all-reduce gradient shards") == Approx(4 * p / 2).margin(6));
  std::set<Stream> streams;
  for (const Task& task : built.graph.programs[0].tasks)
    if (task.kind == TaskKind::collective) {
      const CollectiveUse& use = built.graph.collectives[task.index];
      const bool replicas = use.axes == strategies::AxisSet(strategies::Axis::data_replicate);
      CHECK(task.stream == (replicas ? Stream::replica_comm : Stream::data_comm));
      CHECK(built.graph.grid.extent(use.axes) == (replicas ? 4 : 2));
      streams.insert(task.stream);
    }
  CHECK(streams.size() == 2);
}

TEST_CASE("experts are reduced and gathered over their own copies") {
  // Eight experts over 2 of 4 data-parallel ranks: each rank has 4, and 2 ranks have the same.
  strategies::ModelSpec model = gpt(4);
  model.mixture = strategies::Mixture{.experts = 8, .experts_per_token = 2, .expert_ffn = 512};
  for (strategies::LayerKind& layer : model.layers) layer.mixture = true;
  strategies::Plan plan = plan_with(1, 1, 4, 1);
  plan.expert.degree = 2;
  const strategies::ParameterCount counts = strategies::count_parameters(model);
  const std::int64_t dense = counts.total() - counts.experts;
  const std::int64_t experts = counts.experts / 2;
  const auto bytes_over = [&](CommKind kind) {
    const StepGraph graph = build(model, plan).graph;
    std::map<int, std::int64_t> bytes;  // by ranks of the group
    for (const Task& task : graph.programs[0].tasks)
      if (task.kind == TaskKind::collective && graph.collectives[task.index].kind == kind)
        bytes[graph.grid.extent(graph.collectives[task.index].axes)] +=
            graph.collectives[task.index].bytes.count();
    return bytes;
  };
  plan.zero = GENERATE(0, 1, 3);
  plan.fsdp.root = FsdpRoot::none;
  CHECK(bytes_over(CommKind::data) ==
        std::map<int, std::int64_t>{{4, 4 * dense}, {2, 4 * experts}});
  const std::int64_t times = plan.zero == 3 ? 2 : 1;  // for the forward and for the backward
  if (plan.zero > 0)
    CHECK(bytes_over(CommKind::parameter) ==
          std::map<int, std::int64_t>{{4, 2 * times * dense}, {2, 2 * times * experts}});
  // fp32 gradients of all, or of a quarter of the dense and half of the experts that a rank has.
  const Program program = build(model, plan).graph.programs[0];
  const std::int64_t held = plan.zero == 3 ? dense / 4 + experts / 2 : dense + experts;
  CHECK(held_bytes(program, MemoryPart::gradients).count() == Approx(4 * held).margin(8));
  // Four ranks with two experts each have no copies of them: nothing is said about these.
  plan.expert.degree = 4;
  CHECK(bytes_over(CommKind::data) == std::map<int, std::int64_t>{{4, 4 * dense}});
}

TEST_CASE("offloading copies shards in before they are gathered and gradients out") {
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = fsdp_plan();
  plan.fsdp.offload = true;
  const Built built = build(model, plan);
  std::map<std::pair<std::string, Stream>, std::int64_t> bytes;
  for (const Task& task : built.graph.programs[0].tasks)
    if (task.kind == TaskKind::copy)
      bytes[{built.graph.copies[task.index].name, task.stream}] +=
          built.graph.copies[task.index].bytes.count();
  // fp32 master weights in, once for the forward and once for the backward; fp32 gradients out.
  // A quarter each, rounded up once a unit.
  const auto p = static_cast<double>(parameters_of(model));
  CHECK(bytes.size() == 2);
  CHECK(bytes.at({"copy parameters in", Stream::host_to_device}) ==
        Approx(2 * 4 * p / 4).margin(2 * 6 * 4));
  CHECK(bytes.at({"copy gradients out", Stream::device_to_host}) ==
        Approx(4 * p / 4).margin(6 * 4));
  const Program& program = built.graph.programs[0];
  for (const MemoryPart part : {MemoryPart::weights, MemoryPart::gradients, MemoryPart::optimizer})
    CHECK(held_bytes(program, part).count() == 0);
  // The optimizer: 2.57 s for 10 G parameters of a node, here 8 GPUs with a quarter each.
  CHECK(built.graph.segments.back().compute.s() == Approx(8 * p / 4 / 10e9 * 2.57).epsilon(1e-3));
  const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
  CHECK(break_down(built.graph, timeline).total().s() == Approx(timeline.step.s()).epsilon(1e-9));
}

TEST_CASE("without overlap each reduction of FSDP holds up what is computed next") {
  // Reductions of 6 units one by one between backwards, none of them hidden.
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = fsdp_plan();
  plan.overlap.gradient_reduce = false;
  const Built built = build(model, plan);
  const Breakdown b = break_down(built.graph, analyse(built.graph, built.cluster, built.gpus));
  // Each moves 3/4 of its bytes.
  CHECK(b.data_exposed.s() == Approx(static_cast<double>(parameters_of(model)) * 4 * 0.75 / 100e9));
}

}  // namespace
}  // namespace sim
