#include <algorithm>
#include <string>

#include "strategies/autoshard/constraint.hpp"
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
  const Value hidden =
      build.pointwise("activation", {project("up", stream, 4 * width, width)});
  build.output("out",
               build.add("second_residual", {stream, project("down", hidden, width, 4 * width)}));
  build.differentiate("block");
  return build.finish();
}

struct Outcome {
  Problem problem;
  TensorGraph graph;
  tl::expected<Solution, Conflict> answer;

  std::string rest(const std::string& name) const { return layout(name, false); }
  std::string operand(const std::string& name, std::size_t i) const {
    const std::size_t n = index(name);
    return text(problem.nodes[n].operands[i], choice(n).operands[i]);
  }
  std::string result(const std::string& name) const { return layout(name, false); }

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
  std::string layout(const std::string& name, bool) const {
    const std::size_t n = index(name);
    const int tensor = problem.nodes[n].results[0];
    return text(problem.tensors[static_cast<std::size_t>(tensor)].layouts, choice(n).results[0]);
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
    ProblemTensor& tensor =
        problem.tensors[static_cast<std::size_t>(problem.nodes[n].results[0])];
    if (std::any_of(constraints.begin(), constraints.end(),
                    [&](const Constraint& c) { return covers(c.tensors, tensor.name); }))
      continue;
    const LayoutGraph& layouts = problem.layout_graphs[static_cast<std::size_t>(tensor.layouts)];
    const double whole = bytes_of(layouts.type.dtype, element_count(layouts.type.shape)).as_double();
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
    CHECK(outcome.rest(weight) == "S(0)");
  for (const char* product : {"ffn.up", "ffn.down"}) {
    CHECK(outcome.operand(product, 0) == "S(0)");
    CHECK(outcome.operand(product, 1) == "R");
    CHECK(outcome.result(product) == "S(0)");
  }
}

}  // namespace
}  // namespace strategies::autoshard
