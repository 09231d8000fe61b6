#include "strategies/autoshard/stage_problem.hpp"

#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/solve.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies::autoshard {
namespace {

Problem llama(std::size_t layers, bool tied = false, int micro_batches = 1) {
  ModelSpec model = shipped_model("llama-3.1-8b");
  model.layers.resize(layers);
  model.tied_embeddings = tied;
  return make_problem(model_graph(model, {8, 1024}, {}), placement::Mesh({2, 4}), SimplePrices(),
                      {.micro_batches = micro_batches});
}

/// 5 us and 1 us a MiB.
base::Seconds message(base::Bytes bytes) { return base::Seconds::from_us(5 + bytes.mib()); }

std::optional<StageProblem> stage(const Problem& whole, const std::map<std::string, int>& copies,
                                  int in_flight = 1) {
  return stage_problem(whole, copies, in_flight, {message, message});
}

TEST_CASE("a stage with both ends is the model with fewer layers") {
  const Problem whole = llama(8);
  const std::vector<Block> blocks = blocks_of(whole);
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[1].name == "layers");
  CHECK(blocks[1].copies == 8);
  for (const int layers : {1, 3, 8}) {
    CAPTURE(layers);
    const auto part = stage(whole, {{"embedding", 1}, {"layers", layers}, {"head", 1}});
    REQUIRE(part);
    CHECK_FALSE(part->ends.activation_in);
    CHECK_FALSE(part->ends.activation_out);
    CHECK_FALSE(part->ends.gradient_in);
    CHECK_FALSE(part->ends.gradient_out);
    for (const double memory : {1e12, 3.2e9}) {
      SolveOptions options;
      options.memory.high = memory;
      const auto got = solve(part->problem, options);
      const auto want = solve(llama(static_cast<std::size_t>(layers)), options);
      REQUIRE(got.has_value() == want.has_value());
      if (!want) continue;
      // The optimizer's kernel for 8 copies, in parts, and not one for these.
      CHECK(got->time.us() == Approx(want->time.us()).epsilon(1e-3));
      CHECK(got->memory_bytes == Approx(want->memory_bytes));
    }
  }
}

TEST_CASE("stages add up to no more than the model and its messages") {
  const Problem whole = llama(4);
  const auto first = stage(whole, {{"embedding", 1}, {"layers", 2}}, 2);
  const auto last = stage(whole, {{"layers", 2}, {"head", 1}});
  REQUIRE((first && last));
  const auto all = solve(whole, {});
  const auto a = solve(first->problem, {});
  const auto b = solve(last->problem, {});
  REQUIRE((all && a && b));
  // What comes from the other stage comes as it suits; at most the whole tensor, there and back.
  const base::Seconds longest = message(base::Bytes::from_mib(8 * 1024 * 4096 * 2 / 1048576.0));
  CHECK(a->time + b->time <= all->time + 2 * longest);
}

TEST_CASE("whoever receives pays for a message, each micro-batch, in the layout that it has") {
  const Problem whole = llama(4);
  const auto middle = stage(whole, {{"layers", 2}});
  REQUIRE(middle);
  const StageEnds& ends = middle->ends;
  REQUIRE((ends.activation_in && ends.activation_out && ends.gradient_in && ends.gradient_out));
  const auto name = [&](std::optional<int> node) {
    return middle->problem.nodes[static_cast<std::size_t>(*node)].name;
  };
  CHECK(name(ends.activation_in) == "layers.input.received");
  CHECK(name(ends.activation_out) == "layers.mlp_residual.sent");
  CHECK(name(ends.gradient_in) == "layers.output.gradient.received");
  CHECK(name(ends.gradient_out) == "layers.input.gradient.sent");
  for (const std::optional<int> in : {ends.activation_in, ends.gradient_in}) {
    const ProblemNode& node = middle->problem.nodes[static_cast<std::size_t>(*in)];
    const LayoutGraph& layouts = middle->problem.layout_graphs[static_cast<std::size_t>(
        middle->problem.tensors[static_cast<std::size_t>(node.results.front())].layouts)];
    const auto time = [&](std::string_view text) {
      const int layout = layouts.find(*placement::parse_layout(text));
      for (const Choice& choice : node.choices)
        if (choice.results.front() == layout) return choice.time.us();
      return -1.0;  // none
    };
    // 8 x 1024 tokens of 4096 bf16: 64 MiB.
    CHECK(time("R, R") == Approx(5 + 64));
    CHECK(time("S(0), S(1)") == Approx(5 + 64 / 8));
    CHECK(time("P, R") == -1);
  }
  // Only the end that has a neighbour.
  const auto first = stage(whole, {{"embedding", 1}, {"layers", 2}});
  CHECK_FALSE(first->ends.activation_in);
  CHECK_FALSE(first->ends.gradient_out);
  CHECK(first->ends.activation_out);
  CHECK(first->ends.gradient_in);
}

TEST_CASE("activations are kept of each micro-batch in flight, parameters and gradients once") {
  const Problem whole = llama(4, false, 4);
  const auto once = stage(whole, {{"embedding", 1}, {"layers", 2}}, 1);
  const auto twice = stage(whole, {{"embedding", 1}, {"layers", 2}}, 2);
  REQUIRE((once && twice));
  const auto solution = solve(twice->problem, {});
  REQUIRE(solution);
  double parameters = 0;
  for (std::size_t n = 0; n < once->problem.nodes.size(); ++n) {
    const ProblemNode& node = once->problem.nodes[n];
    const bool kept_once = node.once || node.accumulates || node.operands.empty();
    if (!kept_once) continue;
    for (const int t : node.results) {
      const auto& kept = once->problem.tensors[static_cast<std::size_t>(t)].kept_bytes;
      const auto c = static_cast<std::size_t>(solution->choices[n]);
      if (!kept.empty()) parameters += kept[static_cast<std::size_t>(node.choices[c].results[0])];
    }
  }
  const double one = Pricing(once->problem).memory_bytes(solution->choices);
  CHECK(parameters < one);
  CHECK(solution->memory_bytes - parameters == Approx(2 * (one - parameters)));
}

TEST_CASE("tied embeddings cannot be torn apart") {
  const Problem tied = llama(2, true);
  CHECK_FALSE(stage(tied, {{"layers", 1}, {"head", 1}}));
  CHECK(stage(tied, {{"embedding", 1}, {"layers", 2}, {"head", 1}}));
}

}  // namespace
}  // namespace strategies::autoshard
