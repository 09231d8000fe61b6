#include "strategies/autoshard/graph_problem.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "strategies/autoshard/constraint.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/op_graph.hpp"
#include "tests/strategies/autoshard/ratio_memory.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/strategies/autoshard/small_graphs.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::autoshard {
namespace {

using placement::Mesh;

int node_index(const Problem& problem, std::string_view name) {
  const auto found = std::find_if(problem.nodes.begin(), problem.nodes.end(),
                                  [&](const ProblemNode& node) { return node.name == name; });
  if (found == problem.nodes.end()) FAIL("no " << name);
  return static_cast<int>(found - problem.nodes.begin());
}

const ProblemNode& node_named(const Problem& problem, std::string_view name) {
  return problem.nodes[static_cast<std::size_t>(node_index(problem, name))];
}

const ProblemTensor& tensor_named(const Problem& problem, std::string_view name) {
  const auto found = std::find_if(problem.tensors.begin(), problem.tensors.end(),
                                  [&](const ProblemTensor& tensor) { return tensor.name == name; });
  if (found == problem.tensors.end()) FAIL("no " << name);
  return *found;
}

const LayoutGraph& layouts_of(const Problem& problem, const ProblemTensor& tensor) {
  return problem.layout_graphs[static_cast<std::size_t>(tensor.layouts)];
}

/// "S(0) R -> S(0)", and its time.
std::map<std::string, base::Seconds> choices_of(const Problem& problem, std::string_view name) {
  const ProblemNode& node = node_named(problem, name);
  std::map<std::string, base::Seconds> choices;
  for (const Choice& choice : node.choices) {
    std::string text;
    const auto add = [&](int graph, int layout) {
      text += format(problem.layout_graphs[static_cast<std::size_t>(graph)]
                         .layouts[static_cast<std::size_t>(layout)]) +
              " ";
    };
    for (std::size_t i = 0; i < node.operands.size(); ++i)
      add(node.operands[i], choice.operands[i]);
    text += "->";
    for (std::size_t r = 0; r < node.results.size(); ++r) {
      text += " ";
      add(problem.tensors[static_cast<std::size_t>(node.results[r])].layouts, choice.results[r]);
    }
    choices[text.substr(0, text.size() - 1)] = choice.time;
  }
  return choices;
}

double kept(const Problem& problem, std::string_view tensor, std::string_view layout) {
  const ProblemTensor& found = tensor_named(problem, tensor);
  if (found.kept_bytes.empty()) return 0;
  const int index = layouts_of(problem, found).find(placement::layout(layout));
  return found.kept_bytes[static_cast<std::size_t>(index)];
}

struct Edge {
  double weight = 0;
  bool still = false;
  bool operator==(const Edge&) const = default;
};

/// By the name of the tensor.
std::map<std::string, Edge> edges_to(const Problem& problem, std::string_view name) {
  const int node = node_index(problem, name);
  std::map<std::string, Edge> edges;
  for (const ProblemEdge& edge : problem.edges)
    if (edge.node == node)
      edges[problem.tensors[static_cast<std::size_t>(edge.tensor)].name] = {edge.weight,
                                                                            edge.still};
  return edges;
}

TEST_CASE("graph problem: a feed-forward network on four ranks") {
  const TensorGraph graph = feed_forward_graph({4096, 1024, 2048}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {});
  // 4096 x 1024 by 2048 x 1024: 16 GiFLOP; operands and result of 8, 4 and 16 MiB.
  const double gflop = 2.0 * 4096 * 1024 * 2048 * 1e-9;
  const auto us = [](double value) { return Approx(1e-6 * value); };
  const std::map<std::string, base::Seconds> choices = choices_of(problem, "ffn.up");
  CHECK(choices.size() == 4);
  CHECK(choices.at("R R -> R").s() == us(1 + gflop + 28));
  CHECK(choices.at("S(0) R -> S(0)").s() == us(1 + gflop / 4 + 2 + 4 + 4));
  CHECK(choices.at("R S(0) -> S(1)").s() == us(1 + gflop / 4 + 8 + 1 + 4));
  CHECK(choices.at("S(1) S(1) -> P(sum)").s() == us(1 + gflop / 4 + 2 + 1 + 16));
  // The weight gradient, of tokens that are cut.
  CHECK(choices_of(problem, "ffn.up.weight_gradient").contains("S(0) S(0) -> P(sum)"));
  // What is at rest is never pending.
  CHECK(choices_of(problem, "ffn.up.weight").size() == 3);
  CHECK(choices_of(problem, "ffn.up.weight.gradient.rest").size() == 3);
  CHECK(choices_of(problem, "ffn.y").size() == 3);
}

TEST_CASE("graph problem: parameters, inputs and outputs lie as their gradients do") {
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {});
  std::set<std::pair<std::string, std::string>> ties;
  for (const auto& [a, b] : problem.ties) {
    const ProblemTensor& left = problem.tensors[static_cast<std::size_t>(a)];
    const ProblemTensor& right = problem.tensors[static_cast<std::size_t>(b)];
    CHECK(layouts_of(problem, left).layouts == layouts_of(problem, right).layouts);
    ties.emplace(left.name, right.name);
  }
  CHECK(ties == std::set<std::pair<std::string, std::string>>{
                    {"ffn.x", "ffn.x.gradient.rest"},
                    {"ffn.up.weight", "ffn.up.weight.gradient.rest"},
                    {"ffn.down.weight", "ffn.down.weight.gradient.rest"},
                    {"ffn.y", "ffn.y.gradient"}});
}

TEST_CASE("graph problem: collectives are on the side of a cast that the precision asks for") {
  // fp32 weights are gathered in bf16, their gradients reduced in fp32.
  const Problem mixed =
      make_problem(feed_forward_graph({64, 32, 48}, {}), Mesh({4}), SimplePrices(), {});
  using Edges = std::map<std::string, Edge>;
  CHECK(edges_to(mixed, "ffn.up.weight.cast") == Edges{{"ffn.up.weight", {1, true}}});
  CHECK(edges_to(mixed, "ffn.up") ==
        Edges{{"ffn.x", {1, false}}, {"ffn.up.weight.cast.kept", {1, false}}});
  CHECK(edges_to(mixed, "ffn.up.weight.gradient.cast") ==
        Edges{{"ffn.up.weight_gradient", {1, true}}});
  CHECK(edges_to(mixed, "ffn.up.weight.gradient.rest") ==
        Edges{{"ffn.up.weight.gradient.cast", {1, false}}});
  // Without mixed precision there are no casts of the two weights and of their gradients, and
  // nothing of the former is kept beside the weights.
  const auto bf16 = base::DType::bf16;
  const Problem plain = make_problem(feed_forward_graph({64, 32, 48}, {bf16, bf16, bf16}),
                                     Mesh({4}), SimplePrices(), {});
  CHECK(edges_to(plain, "ffn.up").contains("ffn.up.weight"));
  CHECK(plain.nodes.size() + 2 * (2 + 1) == mixed.nodes.size());
}

TEST_CASE(
    "graph problem: weights with all that belongs to them, and what backward reads, is kept") {
  const Problem problem =
      make_problem(feed_forward_graph({64, 32, 48}, {}), Mesh({4}), SimplePrices(), {});
  // fp32 weight, fp32 gradient, 8 bytes of the optimizer.
  CHECK(kept(problem, "ffn.up.weight", "R") == 48 * 32 * 16);
  CHECK(kept(problem, "ffn.up.weight", "S(1)") == 48 * 32 * 16 / 4);
  // 2 bytes: the input of each product, the operand of the element-wise operator, weights as cast.
  CHECK(kept(problem, "ffn.x", "S(0)") == 64 * 32 * 2 / 4);
  CHECK(kept(problem, "ffn.up.kept", "S(1)") == 64 * 48 * 2 / 4);
  CHECK(kept(problem, "ffn.activation.kept", "R") == 64 * 48 * 2);
  CHECK(kept(problem, "ffn.down.weight.cast.kept", "S(0)") == 48 * 32 * 2 / 4);
  CHECK(kept(problem, "ffn.down", "R") == 0);
  CHECK(kept(problem, "ffn.up.weight_gradient", "R") == 0);
  // Uneven parts count as the largest: 3 rows of 13 on 4 ranks are 4.
  const Problem uneven =
      make_problem(feed_forward_graph({13, 32, 48}, {}), Mesh({4}), SimplePrices(), {});
  CHECK(kept(uneven, "ffn.x", "S(0)") == 4 * 32 * 2);
}

TEST_CASE("graph problem: what a layer keeps counts once a copy") {
  const TensorGraph graph = model_graph(shipped_model("llama-3.1-8b"), {8, 512}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {});
  CHECK(kept(problem, "layers.mlp.up.weight", "S(0)") == 32.0 * 4096 * 14336 * 16 / 4);
  CHECK(kept(problem, "layers.input", "S(0)") == 32.0 * 2 * 512 * 4096 * 2);
  CHECK(kept(problem, "head.input", "S(0)") == 2 * 512 * 4096 * 2);
  CHECK(kept(problem, "embedding.lookup", "S(0)") == 0);
}

TEST_CASE("graph problem: layers keep the activations that the operators of a plan keep") {
  for (const char* name : {"llama-3.1-8b", "qwen3-8b", "bloom", "falcon-7b", "deepseek-v2-lite"}) {
    INFO(name);
    const ModelSpec model = shipped_model(name);
    const Problem problem =
        make_problem(model_graph(model, {2, 256}, {}), Mesh({1}), SimplePrices(), {});
    double own = 0;
    for (const ProblemTensor& tensor : problem.tensors)
      if (tensor.name.find("layers.") != std::string::npos &&
          tensor.name.find(".weight") == std::string::npos &&
          tensor.name.find(".bias") == std::string::npos && !tensor.kept_bytes.empty())
        own += tensor.kept_bytes.front();
    OpOptions options;
    options.batch = 2;
    options.seq = 256;
    const OpGraph ops = build_ops(model, options);
    double expected = 0;
    for (const int block : ops.layer_block)
      for (const Op& op : ops.blocks[static_cast<std::size_t>(block)].ops)
        expected += static_cast<double>(2 * op.saved_elements + op.saved_bytes);
    // Of the router, a plan keeps fp32 scores of 64 experts and 8 bytes for each of 6 rows of a
    // token, we 4 for its expert and a bf16 weight.
    if (model.mixture) expected -= 26 * 512 * (64 * 4 + 6 * 8 - 6 * (4 + 2));
    CHECK(own == expected);
  }
}

TEST_CASE("graph problem: a tensor with several readers may be gathered for all of them at once") {
  const TensorGraph graph = model_graph(shipped_model("llama-3.1-8b"), {8, 512}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {});
  using Edges = std::map<std::string, Edge>;
  CHECK(edges_to(problem, "layers.attention_norm.0.kept.read") ==
        Edges{{"layers.attention_norm.0.kept", {32, false}}});
  for (const char* name : {"q", "k", "v"}) {
    const std::string node = "layers.attention." + std::string(name) + "_projection";
    CHECK(edges_to(problem, node).contains("layers.attention_norm.0.kept.read"));
    CHECK(edges_to(problem, node + ".weight_gradient")
              .contains("layers.attention_norm.0.kept.read_backward"));
  }
  // The input of the layer is such a node itself.
  CHECK(edges_to(problem, "layers.input") ==
        Edges{{"embedding.lookup", {1, false}}, {"layers.mlp_residual", {31, false}}});
  CHECK(edges_to(problem, "layers.attention_norm").contains("layers.input"));
  // R and three dims; a norm gives no pending sums, so there are none to read.
  CHECK(choices_of(problem, "layers.attention_norm.0.kept.read").size() == 4);
  CHECK(choices_of(problem, "layers.mlp.down").size() == 5);
  CHECK(choices_of(problem, "layers.input").size() == 5);
  // Layouts pass through unchanged, at no cost.
  for (const auto& [text, time] : choices_of(problem, "layers.attention_norm.0.kept.read")) {
    const std::size_t arrow = text.find(" -> ");
    CHECK(text.substr(0, arrow) == text.substr(arrow + 4));
    CHECK(time == base::Seconds{});
  }
}

TEST_CASE("graph problem: what is gathered in forward may be held until backward") {
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {});
  CHECK(kept(problem, "ffn.down.weight.cast", "R") == 0);
  CHECK(kept(problem, "ffn.down.weight.cast.kept", "R") == 48 * 32 * 2);
  CHECK(edges_to(problem, "ffn.down").contains("ffn.down.weight.cast.kept"));
  CHECK(edges_to(problem, "ffn.down.input_gradient").contains("ffn.down.weight.cast.kept"));
}

TEST_CASE("graph problem: several micro-batches run what depends on tokens, and add gradients up") {
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {.micro_batches = 8});
  std::set<std::string> once;
  for (const ProblemNode& node : problem.nodes)
    if (node.once) once.insert(node.name);
  std::set<std::string> want;
  for (const char* weight : {"ffn.up.weight", "ffn.down.weight"})
    for (const char* end : {"", ".cast", ".cast.kept", ".gradient.rest"})
      want.insert(std::string(weight) + end);
  CHECK(once == want);
  // An fp32 gradient of 48 x 32: 6 KiB, read, added to and written.
  const auto sums = choices_of(problem, "ffn.up.weight.gradient.accumulated");
  CHECK(sums.size() == 4);
  CHECK(sums.at("P(sum) -> P(sum)").us() == Approx(1 + 3 * 6.0 / 1024));
  CHECK(sums.at("S(1) -> S(1)").us() == Approx(1 + 3 * 1.5 / 1024));
  using Edges = std::map<std::string, Edge>;
  CHECK(edges_to(problem, "ffn.up.weight.gradient.accumulated") ==
        Edges{{"ffn.up.weight.gradient.cast", {1, false}}});
  CHECK(edges_to(problem, "ffn.up.weight.gradient.rest") ==
        Edges{{"ffn.up.weight.gradient.accumulated", {1, false}}});
  // The gradient is kept where it is added up, not with its weight and the 8 bytes of AdamW.
  CHECK(kept(problem, "ffn.up.weight", "S(0)") == 48 * 32 * 12 / 4);
  CHECK(kept(problem, "ffn.up.weight.gradient.accumulated", "P(sum)") == 48 * 32 * 4);
  CHECK(kept(problem, "ffn.up.weight.gradient.accumulated", "S(0)") == 48 * 32 * 4 / 4);
}

TEST_CASE("graph problem: the objective is a step, its parts a micro-batch and what is done once") {
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {});
  // On one rank nothing is to be chosen: 8 micro-batches take 8 times one of them and of the
  // additions, and the casts of weights and the optimizer once.
  const auto solved = [&](int micro_batches) {
    return *solve(make_problem(graph, Mesh({1}), SimplePrices(), {.micro_batches = micro_batches}),
                  {});
  };
  const Solution one = solved(1);
  const Solution eight = solved(8);
  const double additions = 2 * (1 + 3 * 6.0 / 1024);
  CHECK(eight.once.us() == Approx(one.once.us()));
  CHECK((eight.time - eight.once).us() == Approx(8 * ((one.time - one.once).us() + additions)));
  // Two casts of 6 + 3 KiB and two updates of 28 bytes an element.
  CHECK(one.once.us() == Approx(2 * (1 + 9.0 / 1024) + 2 * (1 + 28 * 48 * 32 / 1048576.0)));
}

TEST_CASE("graph problem: a gradient waits for its reduction as contributions, or in shares") {
  // Tokens in quarters: each rank has contributions to both gradients, 6 KiB each. To reduce one
  // costs 10 us and little for its bytes: once a step where the memory allows it, 8 times where it
  // does not.
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {});
  const Problem problem = make_problem(graph, Mesh({4}), SimplePrices(), {.micro_batches = 8});
  const Pricing pricing(problem);
  Demands demands;
  demands.constraints = {
      {"x", "ffn.x", false, {placement::layout("S(0)")}, {}},
      {"y", "ffn.y", false, {placement::layout("S(0)")}, {}},
      {"up", "ffn.up", false, {placement::layout("S(0)")}, {}},
      {"w", "*.weight", false, {placement::layout("S(0)")}, {}},
      {"products", "*_gradient", false, {placement::layout("P"), placement::layout("S(0)")}, {}}};
  const auto layout_of = [&](const Solution& solution, std::string_view name) {
    const ProblemNode& node = node_named(problem, name);
    const Choice& choice = node.choices[static_cast<std::size_t>(
        solution.choices[static_cast<std::size_t>(node_index(problem, name))])];
    const ProblemTensor& tensor = problem.tensors[static_cast<std::size_t>(node.results.front())];
    return format(
        layouts_of(problem, tensor).layouts[static_cast<std::size_t>(choice.results.front())]);
  };
  const auto quickest = solve_with(pricing, demands);
  REQUIRE((quickest && *quickest));
  for (const char* weight : {"ffn.up.weight", "ffn.down.weight"})
    CHECK(layout_of(**quickest, std::string(weight) + ".gradient.accumulated") == "P(sum)");
  // Room for one of both.
  demands.memory.high = (**quickest).memory_bytes - 48 * 32 * 4 * 3 / 4;
  const auto tight = solve_with(pricing, demands);
  REQUIRE((tight && *tight));
  CHECK((**tight).bound == (**tight).time);
  CHECK((**tight).memory_bytes <= demands.memory.high);
  CHECK((**tight).time > (**quickest).time);
}

TEST_CASE("graph problem: parameters with masters are held over a step in some layout") {
  // bf16 parameters, fp32 masters and moments.
  const auto bf16 = base::DType::bf16;
  const TensorGraph graph = feed_forward_graph({64, 32, 48}, {bf16, bf16, base::DType::fp32});
  const Problem problem =
      make_problem(graph, Mesh({4}), SimplePrices(), {.precision = {}, .micro_batches = 4});
  // ZeRO-1 and 2: states in quarters, the parameters whole, gathered once.
  CHECK(kept(problem, "ffn.up.weight", "S(0)") == 48 * 32 * (4 + 8) / 4);
  CHECK(kept(problem, "ffn.up.weight.kept", "R") == 48 * 32 * 2);
  CHECK(kept(problem, "ffn.up.weight.kept", "S(0)") == 48 * 32 * 2 / 4);
  CHECK(node_named(problem, "ffn.up.weight.kept").once);
  using Edges = std::map<std::string, Edge>;
  CHECK(edges_to(problem, "ffn.up.weight.kept") == Edges{{"ffn.up.weight", {1, false}}});
  CHECK(edges_to(problem, "ffn.up").contains("ffn.up.weight.kept"));
}

TEST_CASE("graph problem: the size of Llama-3.1-8B on 8 x 8 ranks") {
  const TensorGraph graph = model_graph(shipped_model("llama-3.1-8b"), {64, 8192}, {});
  const Problem problem = make_problem(graph, Mesh({8, 8}), SimplePrices(), {});
  std::size_t choices = 0;
  for (const ProblemNode& node : problem.nodes) {
    INFO(node.name);
    CHECK_FALSE(node.choices.empty());
    choices += node.choices.size();
  }
  CHECK(problem.nodes.size() == 138);
  CHECK(problem.tensors.size() == 148);
  CHECK(problem.edges.size() == 184);
  CHECK(choices == 2493);
  // R and each dim for each of two mesh dims, P, and both orders of cuts of the same dim.
  std::set<std::size_t> layouts;
  for (const LayoutGraph& layout_graph : problem.layout_graphs)
    layouts.insert(layout_graph.layouts.size());
  CHECK(*layouts.rbegin() == 5 * 5 + 3);
}

TEST_CASE("graph problem: experts may be divided, their rows exchanged between ranks") {
  const TensorGraph graph = model_graph(shipped_model("mixtral-8x7b"), {64, 4096}, {});
  const Problem problem = make_problem(graph, Mesh({8}), SimplePrices(), {});
  // Rows are made where their tokens are, computed where their expert is.
  const auto sent = choices_of(problem, "moe_layers.dispatch");
  CHECK(sent.contains("S(0) S(0) -> S(1)"));
  const auto up = choices_of(problem, "moe_layers.experts.up");
  CHECK(up.contains("S(0) S(0) -> S(0)"));
  CHECK(up.contains("R S(1) -> S(2)"));
  const LayoutGraph& rows = layouts_of(problem, tensor_named(problem, "moe_layers.dispatch"));
  const int from = rows.find(placement::layout("S(1)"));
  const int to = rows.find(placement::layout("S(0)"));
  const std::vector<int> way = arcs_to(rows, cheapest_ways(rows, from), to);
  REQUIRE(way.size() == 1);
  CHECK(rows.arcs[static_cast<std::size_t>(way.front())].op == base::Collective::all_to_all);
  // 64 x 4096 tokens go to 2 of 8 experts each: 65536 rows an expert, 1/8 of them from a rank.
  CHECK(rows.type.shape == placement::Shape{8, 65536, 4096});
}

TEST_CASE("graph problem: AutoParallel's memory is the mean share of parameters") {
  const TensorGraph graph = feed_forward_graph({2048, 1024, 4096}, {});
  Problem problem = make_problem(graph, Mesh({256}), SimplePrices(), {});
  const RatioRange range = keep_ratios(problem, graph, 0, 1.0 / 256);
  CHECK(range.low == Approx(2.0 / 256));
  CHECK(range.high == Approx(2.0 / 256));
  CHECK(kept(problem, "ffn.up.weight", "R") == 1);
  CHECK(kept(problem, "ffn.up.weight", "S(0)") == Approx(1.0 / 256));
}

}  // namespace
}  // namespace strategies::autoshard
