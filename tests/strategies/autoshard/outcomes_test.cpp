#include <algorithm>
#include <string>

#include "strategies/autoshard/constraint.hpp"
#include "strategies/autoshard/graph_builder.hpp"
#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/hand_written.hpp"
#include "strategies/autoshard/summary.hpp"
#include "tests/strategies/autoshard/autoparallel_prices.hpp"
#include "tests/support/catch.hpp"

// What AutoParallel's own tests say must come out (meta-pytorch/autoparallel, a54c252,
// tests/test_optimize_placement.py), with its constants and its memory constraint.
namespace strategies::autoshard {
namespace {

using autoparallel::HopperPrices;
using placement::Mesh;

/// 1024 -> 4096 -> 1024 over `tokens`, without a bias unless it is asked for.
TensorGraph feed_forward(std::int64_t tokens, std::int64_t bias = 0) {
  GraphBuilder build(StepPrecision{});
  build.begin_block("ffn", 1);
  const Value x = build.input("x", {{tokens, 1, 1024}, base::DType::bf16});
  const Value up = build.parameter("up.weight", {4096, 1024});
  Value hidden = build.einsum("up", x, up, "b s i, o i -> b s o");
  hidden = build.pointwise("activation", {hidden});
  const Value down = build.parameter("down.weight", {1024, 4096});
  Value out = build.einsum("down", hidden, down, "b s i, o i -> b s o");
  if (bias > 0) {
    const Value narrow = build.parameter("narrow.weight", {bias, 1024});
    out = build.linear("narrow", out, narrow, build.parameter("narrow.bias", {bias}));
  }
  build.output("out", out);
  build.differentiate("ffn");
  return build.finish();
}

/// Pre-norm block of width 6144 with 48 heads.
TensorGraph block(std::int64_t batch, std::int64_t seq) {
  constexpr std::int64_t width = 6144;
  GraphBuilder build(StepPrecision{});
  build.begin_block("block", 1);
  const Value x = build.input("x", {{batch, seq, width}, base::DType::bf16});
  const auto project = [&](const std::string& name, Value in, std::int64_t outputs,
                           std::int64_t inputs) {
    return build.einsum(name, in, build.parameter(name + ".weight", {outputs, inputs}),
                        "b s i, o i -> b s o");
  };
  const Value q = project("q", x, width, width);
  const Value k = project("k", x, width, width);
  const Value v = project("v", x, width, width);
  const base::Attention whole{.batch = batch,
                              .seq_q = seq,
                              .seq_kv = seq,
                              .q_heads = 48,
                              .kv_heads = 48,
                              .head_dim = 128,
                              .value_dim = 128};
  const Value attended = project("o", build.attention("core", q, k, v, whole), width, width);
  const Value stream = build.add("first_residual", {x, attended});
  const Value hidden = build.pointwise("activation", {project("up", stream, 4 * width, width)});
  build.output("out",
               build.add("second_residual", {stream, project("down", hidden, width, 4 * width)}));
  build.differentiate("block");
  return build.finish();
}

struct Outcome {
  Problem problem;
  TensorGraph graph;
  tl::expected<Solution, Conflict> answer;

  std::string operand(const std::string& name, std::size_t i) const {
    const std::size_t n = index(name);
    return text(problem.nodes[n].operands[i], choice(n).operands[i]);
  }
  /// Of a node's result; of a parameter, how it rests.
  std::string result(const std::string& name) const {
    const std::size_t n = index(name);
    const int tensor = problem.nodes[n].results[0];
    return text(problem.tensors[static_cast<std::size_t>(tensor)].layouts, choice(n).results[0]);
  }

 private:
  std::size_t index(const std::string& name) const {
    for (std::size_t n = 0; n < problem.nodes.size(); ++n)
      if (problem.nodes[n].name == name) return n;
    FAIL("no node " << name);
    return 0;
  }
  const Choice& choice(std::size_t n) const {
    return problem.nodes[n].choices[static_cast<std::size_t>(answer->choices[n])];
  }
  std::string text(int graph_index, int layout_index) const {
    placement::Layout one = problem.layout_graphs[static_cast<std::size_t>(graph_index)]
                                .layouts[static_cast<std::size_t>(layout_index)];
    one.order.clear();  // upstream fixes the order afterwards
    return format(one);
  }
};

/// AutoParallel's memory: the sum over parameters of the share that a rank has of each, at most
/// that of `high` each, or what is possible; parameters that the user fixes do not count.
double budget_ratios(Problem& problem, const TensorGraph& graph, double high,
                     const std::vector<Constraint>& constraints) {
  double limit = 0;
  problem.fixed_bytes = 0;
  for (ProblemTensor& tensor : problem.tensors) tensor.kept_bytes.clear();
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].role != Role::parameter) continue;
    for (Choice& choice : problem.nodes[n].choices) choice.time = {};  // it prices no optimizer
    ProblemTensor& tensor = problem.tensors[static_cast<std::size_t>(problem.nodes[n].results[0])];
    if (std::any_of(constraints.begin(), constraints.end(),
                    [&](const Constraint& c) { return covers(c.tensors, tensor.name); }))
      continue;
    const LayoutGraph& layouts = problem.layout_graphs[static_cast<std::size_t>(tensor.layouts)];
    const double whole = base::bytes_of(layouts.type.dtype) *
                         static_cast<double>(placement::element_count(layouts.type.shape));
    double best = 1;
    for (const base::Bytes bytes : layouts.local_bytes) {
      tensor.kept_bytes.push_back(bytes.as_double() / whole);
      best = std::min(best, tensor.kept_bytes.back());
    }
    limit += std::max(best, high);
  }
  return limit;
}

Outcome shard(const TensorGraph& graph, const Mesh& mesh, double high,
              std::vector<Constraint> constraints = {}) {
  Outcome outcome{make_problem(graph, mesh, HopperPrices(mesh), {}), graph,
                  tl::unexpected(Conflict{})};
  Demands demands;
  demands.memory.high = budget_ratios(outcome.problem, graph, high, constraints);
  demands.constraints = std::move(constraints);
  auto answer = solve_with(Pricing(outcome.problem), demands);
  REQUIRE(answer);
  REQUIRE(*answer);
  outcome.answer = std::move(*answer);
  CHECK(outcome.answer->bound == outcome.answer->time);
  return outcome;
}

placement::Layout layout(const std::string& text) { return *placement::parse_layout(text); }

/// As AutoParallel's default: inputs and outputs are cut along the batch.
std::vector<Constraint> batch_first(const std::string& prefix, const std::string& text) {
  return {{"input", prefix + ".x", false, {layout(text)}, {}},
          {"output", prefix + ".out", false, {layout(text)}, {}}};
}

constexpr std::int64_t tokens = 2048 * 256;

TEST_CASE("I01: a feed-forward network on one mesh dim becomes FSDP") {
  const Outcome outcome =
      shard(feed_forward(tokens), Mesh({256}), 1.0 / 256, batch_first("ffn", "S(0)"));
  for (const char* weight : {"ffn.up.weight", "ffn.down.weight"})
    CHECK(outcome.result(weight) == "S(0)");
  for (const char* product : {"ffn.up", "ffn.down"}) {
    CHECK(outcome.operand(product, 0) == "S(0)");
    CHECK(outcome.operand(product, 1) == "R");
    CHECK(outcome.result(product) == "S(0)");
    CHECK(outcome.result(std::string(product) + ".weight_gradient") == "P(sum)");
  }
}

TEST_CASE("I02: so does a transformer block") {
  const Outcome outcome =
      shard(block(512, 256), Mesh({256}), 1.0 / 256, batch_first("block", "S(0)"));
  for (const char* product : {"q", "k", "v", "o", "up", "down"}) {
    const std::string name = std::string("block.") + product;
    CAPTURE(name);
    CHECK(outcome.result(name + ".weight") == "S(0)");
    CHECK(outcome.operand(name, 1) == "R");
    CHECK(outcome.result(name) == "S(0)");
  }
}

TEST_CASE("I03: with memory for copies it is DDP") {
  for (const bool whole_block : {false, true}) {
    const TensorGraph graph = whole_block ? block(512, 256) : feed_forward(tokens);
    const Outcome outcome =
        shard(graph, Mesh({256}), 1, batch_first(whole_block ? "block" : "ffn", "S(0)"));
    for (const Node& node : graph.nodes)
      if (node.role == Role::parameter) CHECK(outcome.result(node.name) == "R");
  }
}

TEST_CASE("where the optimizer has a price, copies are worth less than memory allows") {
  const Mesh mesh({256});
  const TensorGraph graph = block(512, 256);
  const Problem problem = make_problem(graph, mesh, HopperPrices(mesh), {});
  const Pricing pricing(problem);
  const auto best = solve_with(pricing, {batch_first("block", "S(0)"), {}});
  REQUIRE((best && *best));
  const auto copies = solve(pricing, {.allowed = choices_of(HandWritten::ddp, graph, problem)});
  REQUIRE(copies);
  CHECK((*best)->time < copies->time);
}

TEST_CASE("I04: on two mesh dims, Megatron's tensor parallel emerges") {
  const Outcome outcome =
      shard(feed_forward(tokens), Mesh({32, 8}), 1.0 / 256, batch_first("ffn", "S(0), R"));
  CHECK(outcome.result("ffn.up.weight") == "S(0), S(0)");
  CHECK(outcome.result("ffn.down.weight") == "S(0), S(1)");
  // Weights are stored as outputs x inputs: (R, S1) of W as AutoParallel has it is (R, S0) here.
  CHECK(outcome.operand("ffn.up", 0) == "S(0), R");
  CHECK(outcome.operand("ffn.up", 1) == "R, S(0)");
  CHECK(outcome.result("ffn.up") == "S(0), S(2)");
  CHECK(outcome.operand("ffn.down", 0) == "S(0), S(2)");
  CHECK(outcome.operand("ffn.down", 1) == "R, S(1)");
  CHECK(outcome.result("ffn.down") == "S(0), P(sum)");
  CHECK(outcome.result("ffn.up.weight_gradient") == "P(sum), S(0)");
  CHECK(outcome.result("ffn.down.weight_gradient") == "P(sum), S(1)");
}

TEST_CASE("I05: in a transformer block, too") {
  const Outcome outcome =
      shard(block(256, 256), Mesh({32, 8}), 1.0 / 256, batch_first("block", "S(0), R"));
  for (const char* name : {"q", "k", "v", "up"})
    CHECK(outcome.result(std::string("block.") + name + ".weight") == "S(0), S(0)");
  for (const char* name : {"o", "down"})
    CHECK(outcome.result(std::string("block.") + name + ".weight") == "S(0), S(1)");
  CHECK(outcome.operand("block.core", 0) == "S(0), S(2)");  // batch, heads
}

TEST_CASE("I06, I07: what does not divide by the mesh, or is smaller than it") {
  // A bias of 280 on 256 ranks: 2 each, the last ranks have none. One of 100 stays whole.
  const Outcome uneven =
      shard(feed_forward(tokens, 280), Mesh({256}), 1.0 / 256, batch_first("ffn", "S(0)"));
  CHECK(uneven.result("ffn.narrow.bias") == "S(0)");
  const Outcome small =
      shard(feed_forward(tokens, 100), Mesh({256}), 1.0 / 256, batch_first("ffn", "S(0)"));
  CHECK(small.result("ffn.narrow.bias") == "R");
  CHECK(small.result("ffn.narrow.weight") == "S(1)");
}

TEST_CASE("I08: a pinned parameter leaves the budget, and taking the pin back restores the plan") {
  const TensorGraph graph = feed_forward(tokens);
  const Outcome before = shard(graph, Mesh({256}), 1.0 / 256, batch_first("ffn", "S(0)"));
  std::vector<Constraint> constraints = batch_first("ffn", "S(0)");
  constraints.push_back({"pin", "ffn.up.weight", false, {layout("R")}, {}});
  const Outcome pinned = shard(graph, Mesh({256}), 1.0 / 256, constraints);
  CHECK(pinned.result("ffn.up.weight") == "R");
  CHECK(pinned.result("ffn.down.weight") == "S(0)");
  const Outcome after = shard(graph, Mesh({256}), 1.0 / 256, batch_first("ffn", "S(0)"));
  CHECK(after.answer->choices == before.answer->choices);
}

TEST_CASE("I09: inputs, outputs and parameters lie as their gradients do") {
  for (const TensorGraph& graph : {feed_forward(tokens), block(64, 256)}) {
    const Outcome outcome = shard(graph, Mesh({32, 8}), 1.0 / 256);
    const Pricing pricing(outcome.problem);
    for (const auto& [value, gradient] : graph.gradients) {
      const auto made = [&](Value v) {
        const auto n = static_cast<std::size_t>(v.node);
        return pricing.layout_of(
            outcome.problem.nodes[n].results[static_cast<std::size_t>(v.result)],
            outcome.answer->choices);
      };
      CHECK(made(value) == made(gradient));
    }
  }
}

TEST_CASE("no hand-written plan is quicker under the same prices") {
  for (const TensorGraph& graph : {feed_forward(tokens), block(256, 256)}) {
    const Mesh mesh({32, 8});
    const Problem problem = make_problem(graph, mesh, HopperPrices(mesh), {});
    const Pricing pricing(problem);
    const auto best = solve(pricing, {});
    REQUIRE(best);
    int plans = 0;
    for (const auto& [name, plan] : hand_written_names) {
      CAPTURE(name);
      const auto rival = solve(pricing, {.allowed = choices_of(plan, graph, problem)});
      if (!rival) continue;
      ++plans;
      CHECK(best->time <= rival->time + base::Seconds::from_us(1e-3));
    }
    CHECK(plans == 3);
  }
}

}  // namespace
}  // namespace strategies::autoshard
