#include <string>

#include "strategies/autoshard/constraint.hpp"
#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/hand_written.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/summary.hpp"
#include "tests/strategies/autoshard/autoparallel_prices.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"

// Plans that people know come out of sizes and memory alone: nothing is constrained but bytes.
namespace strategies::autoshard {
namespace {

using autoparallel::HopperPrices;
using placement::Mesh;

/// 8 GPUs behind one NVSwitch.
class Node {
 public:
  Node(const ModelSpec& model, const StepShape& shape, int micro_batches = 1)
      : graph_(model_graph(model, shape, {})),
        problem_(make_problem(graph_, Mesh({8}), HopperPrices(Mesh({8})),
                              {.micro_batches = micro_batches})),
        pricing_(problem_) {}

  const Problem& problem() const { return problem_; }
  const TensorGraph& graph() const { return graph_; }
  const Pricing& pricing() const { return pricing_; }

  Solution best(double memory_gb = 1e9) const {
    const auto solution = solve(pricing_, {.memory = {0, memory_gb * 1e9}, .allowed = {}});
    REQUIRE(solution);
    CHECK(solution->bound == solution->time);
    return *solution;
  }
  MeshDimSummary summary(const Solution& solution) const {
    return summarise(graph_, pricing_, solution).mesh_dims.front();
  }
  /// Of the first result of a node.
  std::string layout(const Solution& solution, const std::string& name) const {
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n) {
      if (problem_.nodes[n].name != name) continue;
      const int tensor = problem_.nodes[n].results.front();
      return format(
          problem_
              .layout_graphs[static_cast<std::size_t>(
                  problem_.tensors[static_cast<std::size_t>(tensor)].layouts)]
              .layouts[static_cast<std::size_t>(pricing_.layout_of(tensor, solution.choices))]);
    }
    FAIL("no " << name);
    return {};
  }

 private:
  TensorGraph graph_;
  Problem problem_;
  Pricing pricing_;
};

ModelSpec llama(std::size_t layers) {
  ModelSpec model = shipped_model("llama-3.1-8b");
  model.layers.resize(layers);
  return model;
}

double share(const MeshDimSummary& summary, ParameterUse use) {
  return summary.parameters[static_cast<std::size_t>(use)];
}

double share(const MeshDimSummary& summary, ActivationCut cut) {
  return summary.activations[static_cast<std::size_t>(cut)];
}

TEST_CASE("a small model is kept in copies: DDP") {
  // No kernel takes less than 7 us, so an eighth of an update saves nothing, while a reduce-scatter
  // and a gather are two collectives where an all-reduce is one.
  ModelSpec model = llama(2);
  model.hidden = 256;
  model.ffn = 1024;
  model.heads = model.kv_heads = 8;
  model.head_dim = 32;
  model.vocab = 8192;
  for (const int micro_batches : {1, 4}) {
    const Node node(model, {64, 512}, micro_batches);
    const MeshDimSummary summary = node.summary(node.best());
    CHECK(summary.words() == "data parallel with copies (DDP)");
    CHECK(share(summary, ParameterUse::copies) == 1);
    CHECK(share(summary, ActivationCut::batch) == 1);
  }
}

TEST_CASE("less memory: copies with a sharded optimizer, then FSDP") {
  // 2.8 B parameters, two sequences a rank. Each rank updates an eighth. Where there is room,
  // parameters are gathered once for four micro-batches and gradients wait for the last.
  const Node node(llama(8), {16, 4096}, 4);
  const Solution roomy = node.best();
  const MeshDimSummary zero = node.summary(roomy);
  CHECK(zero.words() == "data parallel, optimizer sharded (ZeRO-1, ZeRO-2)");
  CHECK(share(zero, ParameterUse::held) > 0.6);
  CHECK(share(zero, ParameterUse::gathered) == 0);
  CHECK(node.layout(roomy, "layers.mlp.up.weight.gradient.accumulated") == "P(sum)");
  // At two thirds of that memory they are gathered for each use, and gradients reduced each time.
  const Solution tight = node.best(18);
  const MeshDimSummary fsdp = node.summary(tight);
  CHECK(fsdp.words() == "fully sharded data parallel (FSDP)");
  CHECK(share(fsdp, ParameterUse::gathered) > 0.5);
  CHECK(share(fsdp, ActivationCut::batch) > 0.99);
  CHECK(node.layout(tight, "layers.mlp.up.weight.gradient.accumulated").starts_with("S("));
  CHECK(tight.memory_bytes < 0.7 * roomy.memory_bytes);
  CHECK(tight.time > roomy.time);
}

/// The layouts of weights in use, of the first layer's projections.
void check_megatron(const Node& node, const Solution& solution, const std::string& output) {
  const Summary summary = summarise(node.graph(), node.pricing(), solution);
  for (const ParameterSummary& parameter : summary.parameters) {
    const std::string& name = node.graph().nodes[static_cast<std::size_t>(parameter.node)].name;
    CAPTURE(name);
    const std::string use = format(parameter.use);
    for (const char* column : {"q_projection", "k_projection", "v_projection", "gate", "up"})
      if (name.ends_with(std::string(".") + column + ".weight")) CHECK(use == "S(0)");
    if (name.ends_with(".down.weight")) CHECK(use == "S(1)");
    if (name.ends_with(".output_projection.weight")) CHECK(use == output);
  }
}

TEST_CASE("one short sequence for eight ranks: Megatron's tensor parallel") {
  // Its tokens are smaller than weights, and there is no batch to cut: columns, then rows.
  for (const std::int64_t tokens : {1024, 4096}) {
    const Node node(llama(8), {1, tokens});
    const Solution solution = node.best();
    const MeshDimSummary summary = node.summary(solution);
    CHECK(summary.words() == "tensor parallel");
    CHECK(share(summary, ParameterUse::parts) > 0.99);
    CHECK(share(summary, ActivationCut::batch) == 0);
    check_megatron(node, solution, "S(1)");
  }
}

TEST_CASE("I10: at 16384 tokens, tensor parallel but for the output projection's sequences") {
  // What AutoParallel's documentation says of Llama-3-8B: queries, keys and values, gate and up by
  // columns, down by rows, and the output of attention by sequences: of the square matrices it is
  // the one whose result goes back into the stream, of which each rank then has its tokens.
  const Node node(llama(8), {1, 16384});
  const Solution solution = node.best();
  const MeshDimSummary summary = node.summary(solution);
  CHECK(summary.words() == "tensor parallel, sequence sharded");
  check_megatron(node, solution, "R");
  CHECK(node.layout(solution, "layers.attention.output_projection") == "S(1)");
  CHECK(node.layout(solution, "layers.attention.core") == "S(2)");  // heads
}

TEST_CASE("one long sequence: its tokens are cut, and weights come to them") {
  // 131072 tokens are eight times 16384: their part in a layer outweighs its weights.
  const Node node(llama(8), {1, 131072});
  const Solution solution = node.best();
  const MeshDimSummary summary = node.summary(solution);
  CHECK(summary.words() == "data parallel, optimizer sharded (ZeRO-1, ZeRO-2), sequence sharded");
  CHECK(share(summary, ActivationCut::sequence) > 0.99);
  // Attention takes heads of all tokens instead, by an all-to-all (Ulysses, arXiv 2309.14509).
  CHECK(node.layout(solution, "layers.attention.core") == "S(2)");
  CHECK(node.layout(solution, "layers.attention.q_projection") == "S(1)");
}

/// Y = X W on eight ranks that share X in rows and W.
TEST_CASE("columns or sequences: the crossover of a product is where it is square") {
  // X (M, K) and W (N, K). To cut columns, X must be whole everywhere: M K elements gathered. To
  // cut sequences, W: N K. The products are equally quick, so the smaller one travels.
  class BytesAlone : public Prices {
   public:
    base::Seconds kernel(const base::Kernel& kernel) const override {
      return base::Seconds::from_us(base::flop_of(kernel).count() * 1e-9);
    }
    base::Seconds collective(base::Collective, base::Bytes bytes,
                             const std::vector<int>&) const override {
      return base::Seconds::from_us(bytes.mib());
    }
  };
  for (const std::int64_t rows : {1024, 2048, 3072, 5120, 8192, 16384}) {
    constexpr std::int64_t columns = 4096;
    GraphBuilder build(StepPrecision{.parameter = base::DType::bf16});
    build.begin_block("product", 1);
    const Value x = build.indices("x", {rows, 512});  // without a gradient
    const Value w = build.indices("w", {columns, 512});
    build.output("y", build.einsum("y", x, w, "t i, o i -> t o"));
    const TensorGraph graph = build.finish();
    const Mesh mesh({8});
    const Problem problem = make_problem(graph, mesh, BytesAlone(), {});
    const auto shards = std::vector{*placement::parse_layout("S(0)")};
    const Demands demands{
        {{"x", "product.x", false, shards, {}}, {"w", "product.w", false, shards, {}}}, {}};
    const auto answer = solve_with(Pricing(problem), demands);
    REQUIRE((answer && *answer));
    const std::size_t product = 2;
    REQUIRE(problem.nodes[product].operands.size() == 2);
    const Choice& choice =
        problem.nodes[product].choices[static_cast<std::size_t>((*answer)->choices[product])];
    const LayoutGraph& weights =
        problem.layout_graphs[static_cast<std::size_t>(problem.nodes[product].operands[1])];
    CAPTURE(rows);
    CHECK(format(weights.layouts[static_cast<std::size_t>(choice.operands[1])]) ==
          (rows < columns ? "S(0)" : "R"));
  }
}

TEST_CASE("no hand-written plan is better: models, meshes, micro-batches and memory") {
  int compared = 0;
  for (const char* name :
       {"llama-3.1-8b", "qwen3-8b", "bloom", "falcon-7b", "mixtral-8x7b", "deepseek-v2-lite"}) {
    ModelSpec model = shipped_model(name);
    model.layers.resize(std::min<std::size_t>(model.layers.size(), 4));
    for (const std::vector<int>& extents : {std::vector{8}, std::vector{2, 4}, std::vector{8, 8}})
      for (const int micro_batches : {1, 4}) {
        if (extents == std::vector{8, 8} && std::string_view(name) != "llama-3.1-8b") continue;
        const Mesh mesh(extents);
        const TensorGraph graph = model_graph(model, {mesh.size(), 2048}, {});
        const Problem problem =
            make_problem(graph, mesh, HopperPrices(mesh), {.micro_batches = micro_batches});
        const Pricing pricing(problem);
        const auto free = solve(pricing, {});
        REQUIRE(free);
        // With all the memory there is, and with less than the quickest plan keeps: many seconds
        // each for more layouts.
        for (const double share : {2.0, 0.9}) {
          if (share < 1 && (mesh.dims() > 1 || model.mixture)) continue;
          const MemoryRange memory{0, share * free->memory_bytes};
          const auto best = solve(pricing, {.memory = memory, .allowed = {}});
          if (!best) continue;
          for (const auto& [words, plan] : hand_written_names) {
            const auto rival =
                solve(pricing, {.memory = memory, .allowed = choices_of(plan, graph, problem)});
            if (!rival) continue;
            INFO(name << " on " << extents.size() << " mesh dims, " << micro_batches
                      << " micro-batches: " << words);
            ++compared;
            CHECK(best->bound <= best->time);
            CHECK(best->time <= rival->time + base::Seconds::from_us(1e-3));
            CHECK(rival->memory_bytes <= memory.high * (1 + 1e-9));
          }
        }
      }
  }
  CHECK(compared > 70);
}

}  // namespace
}  // namespace strategies::autoshard
