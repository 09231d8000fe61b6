#include "strategies/autoshard/unroll.hpp"

#include <map>
#include <string>

#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

ModelSpec small_model(const std::vector<LayerKind>& layers, bool tied) {
  ModelSpec model;
  model.name = "small";
  model.hidden = 64;
  model.ffn = 128;
  model.heads = model.kv_heads = 4;
  model.head_dim = 16;
  model.vocab = 100;
  model.positions = 32;
  model.tied_embeddings = tied;
  model.layers = layers;
  return model;
}

struct Unrolled {
  TensorGraph graph;
  Problem problem;
  UnrolledStep step;

  const std::string& name(int instance) const {
    return problem
        .nodes[static_cast<std::size_t>(step.instances[static_cast<std::size_t>(instance)].node)]
        .name;
  }
  /// Instances of a node, in order.
  std::vector<int> copies(const std::string& node) const {
    std::vector<int> found;
    for (int i = 0; i < static_cast<int>(step.instances.size()); ++i)
      if (name(i) == node) found.push_back(i);
    return found;
  }
  int source(int instance, std::size_t operand) const {
    return step.instances[static_cast<std::size_t>(instance)].reads[operand].source;
  }
};

Unrolled unrolled(const std::vector<LayerKind>& layers, bool tied = false, int micro_batches = 1) {
  Unrolled made;
  made.graph = model_graph(small_model(layers, tied), {2, 32}, {});
  made.problem = make_problem(made.graph, placement::Mesh({2}), SimplePrices(),
                              {.micro_batches = micro_batches});
  made.step = unroll(made.graph, made.problem);
  return made;
}

TEST_CASE("an unrolled step has every copy of every node, behind what it reads") {
  for (const bool tied : {false, true})
    for (const int micro_batches : {1, 3}) {
      const Unrolled all = unrolled(std::vector<LayerKind>(3), tied, micro_batches);
      double copies = 0;
      for (const ProblemNode& node : all.problem.nodes)
        copies += node.copies * all.problem.runs(node);
      CHECK(static_cast<double>(all.step.instances.size()) == copies);
      // Embedding, 3 layers, head; twice; and the end.
      CHECK(all.step.units == micro_batches * 2 * 5 + 1);
      // Each edge is read as often as its copies say.
      std::map<int, double> reads;
      for (std::size_t i = 0; i < all.step.instances.size(); ++i)
        for (const Read& read : all.step.instances[i].reads) {
          CHECK(read.source < static_cast<int>(i));
          ++reads[read.edge];
        }
      for (std::size_t e = 0; e < all.problem.edges.size(); ++e)
        CHECK(reads[static_cast<int>(e)] ==
              all.problem.edges[e].weight * all.problem.runs(all.problem.edges[e]));
    }
}

TEST_CASE(
    "micro-batches read their own activations, the same parameters, and rest after the last") {
  const Unrolled all = unrolled(std::vector<LayerKind>(2), false, 3);
  const auto instance = [&](int i) { return all.step.instances[static_cast<std::size_t>(i)]; };
  const std::vector<int> products = all.copies("layers.mlp.up");
  REQUIRE(products.size() == 3 * 2);
  CHECK(all.copies("layers.mlp.up.weight.cast").size() == 2);
  for (std::size_t i = 0; i < products.size(); ++i) {
    CHECK(instance(all.source(products[i], 0)).micro_batch == static_cast<int>(i) / 2);
    CHECK(all.source(products[i], 1) == all.source(products[i % 2], 1));  // "weight.cast.kept"
  }
  // A gradient is added up as soon as it is cast, and the last sum comes to rest.
  const std::vector<int> sums = all.copies("layers.mlp.up.weight.gradient.accumulated");
  REQUIRE(sums.size() == 3 * 2);
  for (const int sum : sums) CHECK(all.source(sum, 0) + 1 == sum);
  const std::vector<int> rests = all.copies("layers.mlp.up.weight.gradient.rest");
  REQUIRE(rests.size() == 2);
  for (const int rest : rests) {
    CHECK(instance(rest).unit == all.step.units - 1);
    CHECK(instance(all.source(rest, 0)).micro_batch == 2);
    CHECK(instance(all.source(rest, 0)).position == instance(rest).position);
  }
}

TEST_CASE("a layer reads the one before, its gradient the one behind") {
  const Unrolled all = unrolled(std::vector<LayerKind>(3));
  const std::vector<int> inputs = all.copies("layers.input");
  const std::vector<int> outputs = all.copies("layers.mlp_residual");
  REQUIRE(inputs.size() == 3);
  CHECK(all.name(all.source(inputs[0], 0)).starts_with("embedding."));
  CHECK(all.source(inputs[1], 0) == outputs[0]);
  CHECK(all.source(inputs[2], 0) == outputs[1]);
  CHECK(all.source(all.copies("head.input").front(), 0) == outputs[2]);

  // Backward, the last layer comes first.
  const std::vector<int> seeds = all.copies("layers.output.gradient");
  const std::vector<int> gradients = all.copies("layers.input.gradient");
  CHECK(all.name(all.source(seeds[0], 0)).starts_with("head."));
  CHECK(all.source(seeds[1], 0) == gradients[0]);
  CHECK(all.source(seeds[2], 0) == gradients[1]);
  CHECK(all.source(all.copies("embedding.output.gradient").front(), 0) == gradients[2]);
  // Its first backward reads what the last forward kept.
  const std::vector<int> products = all.copies("layers.mlp.down.weight_gradient");
  const std::vector<int> active = all.copies("layers.mlp.activation");
  const auto kept = [&](int product) { return all.source(all.source(product, 0), 0); };
  CHECK(all.name(all.source(products[0], 0)) == "layers.mlp.activation.kept");
  CHECK(kept(products[0]) == active[2]);
  CHECK(kept(products[2]) == active[0]);
}

TEST_CASE("layers of two kinds alternate as the model has them") {
  LayerKind local;
  local.window = 8;
  const Unrolled all = unrolled({local, {}, {}, local, {}});
  const std::vector<int> near = all.copies("layers_window_8.mlp_residual");
  const std::vector<int> far = all.copies("layers.mlp_residual");
  REQUIRE(near.size() == 2);
  REQUIRE(far.size() == 3);
  const std::vector<int> far_inputs = all.copies("layers.input");
  CHECK(all.source(far_inputs[0], 0) == near[0]);
  CHECK(all.source(far_inputs[1], 0) == far[0]);
  CHECK(all.source(all.copies("layers_window_8.input")[1], 0) == far[1]);
  CHECK(all.source(far_inputs[2], 0) == near[1]);
}

TEST_CASE("casts of parameters come a unit ahead, gradients rest at the end") {
  const Unrolled all = unrolled(std::vector<LayerKind>(2));
  const auto& instances = all.step.instances;
  const std::vector<int> casts = all.copies("layers.mlp.up.weight.cast");
  const std::vector<int> products = all.copies("layers.mlp.up");
  for (std::size_t i = 0; i < casts.size(); ++i) {
    const auto& cast = instances[static_cast<std::size_t>(casts[i])];
    CHECK(cast.of_parameter);
    CHECK(cast.unit + 1 == instances[static_cast<std::size_t>(products[i])].unit);
  }
  for (const int node : resting_gradients(all.graph))
    for (const Instance& instance : instances)
      if (instance.node == node) CHECK(instance.unit == all.step.units - 1);
}

}  // namespace
}  // namespace strategies::autoshard
