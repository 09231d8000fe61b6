#include "strategies/autoshard/stage_problem.hpp"

#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/solve.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies::autoshard {
namespace {

Problem llama(std::size_t layers, bool tied = false) {
  ModelSpec model = shipped_model("llama-3.1-8b");
  model.layers.resize(layers);
  model.tied_embeddings = tied;
  return make_problem(model_graph(model, {8, 1024}, {}), placement::Mesh({2, 4}), SimplePrices(),
                      {});
}

TEST_CASE("a stage with both ends is the model with fewer layers") {
  const Problem whole = llama(8);
  const std::vector<Block> blocks = blocks_of(whole);
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[1].name == "layers");
  CHECK(blocks[1].copies == 8);
  for (const int layers : {1, 3, 8}) {
    CAPTURE(layers);
    const auto stage = stage_problem(whole, {{"embedding", 1}, {"layers", layers}, {"head", 1}}, 1);
    REQUIRE(stage);
    for (const double memory : {1e12, 3.2e9}) {
      SolveOptions options;
      options.memory.high = memory;
      const auto got = solve(*stage, options);
      const auto want = solve(llama(static_cast<std::size_t>(layers)), options);
      REQUIRE(got.has_value() == want.has_value());
      if (!want) continue;
      CHECK(got->time.us() == Approx(want->time.us()));
      CHECK(got->memory_bytes == Approx(want->memory_bytes));
    }
  }
}

TEST_CASE("stages add up to no more than the model, and activations are kept of each micro-batch") {
  const Problem whole = llama(4);
  const auto first = stage_problem(whole, {{"embedding", 1}, {"layers", 2}}, 2);
  const auto last = stage_problem(whole, {{"layers", 2}, {"head", 1}}, 1);
  REQUIRE(first);
  REQUIRE(last);
  const auto all = solve(whole, {});
  const auto a = solve(*first, {});
  const auto b = solve(*last, {});
  REQUIRE((all && a && b));
  // What comes from the other stage comes as it suits.
  CHECK(a->time + b->time <= all->time + base::Seconds::from_us(1e-3));
  const auto once = stage_problem(whole, {{"embedding", 1}, {"layers", 2}}, 1);
  double parameters = 0;
  for (std::size_t n = 0; n < once->nodes.size(); ++n)
    if (once->nodes[n].operands.empty())
      for (const int t : once->nodes[n].results) {
        const auto& kept = once->tensors[static_cast<std::size_t>(t)].kept_bytes;
        const auto c = static_cast<std::size_t>(a->choices[n]);
        if (!kept.empty())
          parameters += kept[static_cast<std::size_t>(once->nodes[n].choices[c].results[0])];
      }
  // With two in flight the activations count twice.
  const double one = Pricing(*once).memory_bytes(a->choices);
  CHECK(a->memory_bytes - parameters == Approx(2 * (one - parameters)));
}

TEST_CASE("tied embeddings cannot be torn apart") {
  const Problem tied = llama(2, true);
  CHECK_FALSE(stage_problem(tied, {{"layers", 1}, {"head", 1}}, 1));
  CHECK(stage_problem(tied, {{"embedding", 1}, {"layers", 2}, {"head", 1}}, 1));
}

}  // namespace
}  // namespace strategies::autoshard
