#include "strategies/autoshard/parameter_update.hpp"

#include "strategies/autoshard/model_graph.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/strategies/placement/support.hpp"

namespace strategies::autoshard {
namespace {

using placement::layout;
using placement::Mesh;

/// Llama-3.1-8B; its 32 `up` are of 14336 x 4096.
class Llama {
 public:
  int node(std::string_view name) const {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      if (graph_.nodes[n].name == name) return static_cast<int>(n);
    FAIL("no " << name);
    return -1;
  }
  ParameterUpdate update(const Optimizer& optimizer, std::string_view text,
                         const Precision& precision = {}) const {
    return parameter_update(graph_, node("layers.mlp.up.weight"), layout(text), Mesh({4, 2}),
                            optimizer, precision);
  }
  const TensorGraph& graph() const { return graph_; }

 private:
  TensorGraph graph_ = model_graph(shipped_model("llama-3.1-8b"), {8, 512}, {});
};

constexpr double rows = 14336;
constexpr double columns = 4096;
constexpr double elements = 32 * rows * columns;
const Precision own_weights{.parameters = base::DType::fp32};

double streamed(const ParameterUpdate& update) {
  double bytes = 0;
  for (const base::Kernel& kernel : update.kernels)
    if (const auto* pass = std::get_if<base::MemoryBound>(&kernel))
      bytes += pass->bytes.as_double();
  return bytes;
}

double product_flop(const ParameterUpdate& update) {
  double sum = 0;
  for (const base::Kernel& kernel : update.kernels)
    if (std::holds_alternative<base::Gemm>(kernel)) sum += base::flop_of(kernel).count();
  return sum;
}

TEST_CASE("states of a parameter are those of its piece, of each optimizer") {
  const Llama llama;
  struct Row {
    Optimizer optimizer;
    double whole;
    double eighth;  ///< S(0), S(0): 1792 rows
    double corner;  ///< S(0), S(1): 3584 rows of 2048
  };
  const auto kind = [](OptimizerKind its) { return Optimizer{.kind = its}; };
  const double bits8 = 2 * (1 + 4.0 / 256);
  const double sides = 1024.0 * 1024;  // 14 x 4 blocks, each with two sides; two matrices a side
  for (const Row& row :
       {Row{kind(OptimizerKind::adamw), 8 * elements, elements, elements},
        Row{{.kind = OptimizerKind::sgd, .momentum = false}, 0, 0, 0},
        Row{kind(OptimizerKind::adam8bit), bits8 * elements, bits8 * elements / 8,
            bits8 * elements / 8},
        Row{kind(OptimizerKind::adafactor), 4 * 32 * (rows + columns),
            4 * 32 * (rows / 8 + columns), 4 * 32 * (rows / 4 + columns / 2)},
        Row{kind(OptimizerKind::muon), 4 * elements, elements / 2, elements / 2},
        // 1792 rows are two blocks of 896, 3584 four of 896.
        Row{kind(OptimizerKind::shampoo), 8 * elements + 8 * 32 * 14 * 4 * 2 * sides,
            elements + 8 * 32 * 2 * 4 * (896.0 * 896 + sides),
            elements + 8 * 32 * 4 * 2 * (896.0 * 896 + sides)}}) {
    INFO(name_of(row.optimizer.kind));
    const auto states = [&](std::string_view text, const Precision& precision) {
      return llama.update(row.optimizer, text, precision).state_bytes;
    };
    CHECK(states("R, R", own_weights) == Approx(row.whole));
    CHECK(states("S(0), S(0)", own_weights) == Approx(row.eighth));
    CHECK(states("S(0), S(1)", own_weights) == Approx(row.corner));
    // bf16 parameters: fp32 masters beside them.
    CHECK(states("R, R", {}) == Approx(row.whole + 4 * elements));
    CHECK(states("S(0), S(1)", {}) == Approx(row.corner + 4 * elements / 8));
  }
}

TEST_CASE("an update reads and writes what its rank has, all copies in one kernel") {
  const Llama llama;
  // AdamW: reads the gradient, weights and moments, writes all but the gradient, in fp32: 28 bytes.
  // With bf16 parameters it writes these, too.
  const ParameterUpdate whole = llama.update({}, "R, R", own_weights);
  CHECK(whole.kernels.size() == 1);
  CHECK(streamed(whole) == 28 * elements);
  CHECK(streamed(llama.update({}, "S(0), S(1)")) == 30 * elements / 8);
  // Moments of a byte and a share of a scale, read and written.
  CHECK(streamed(llama.update({.kind = OptimizerKind::adam8bit}, "S(0), R", own_weights)) ==
        Approx((12 + 4 * (1 + 4.0 / 256)) * elements / 4));
  // 1 us and a MiB each.
  CHECK(time_of(whole, SimplePrices()).us() == Approx(1 + 28 * elements / 1024 / 1024));
}

TEST_CASE("Muon brings cut matrices together, shares them out, and sends updates back") {
  const Llama llama;
  const Optimizer muon{.kind = OptimizerKind::muon};
  // Five steps of X X', A A and B X with X = 4096 x 14336.
  const double flop = 5 * (2 * 2 * columns * columns * rows + 2 * columns * columns * columns);
  const ParameterUpdate copies = llama.update(muon, "R, R");
  CHECK(copies.exchanged.count() == 0);
  CHECK(product_flop(copies) == Approx(32 * flop));  // every rank all of them
  const ParameterUpdate cut = llama.update(muon, "S(0), R");
  CHECK(cut.mesh_dims == std::vector{0});
  CHECK(product_flop(cut) == Approx(8 * flop));          // 32 matrices on 4 ranks
  CHECK(cut.exchanged.as_double() == 2 * elements / 4);  // of 16 bits
  const ParameterUpdate corner = llama.update(muon, "S(0), S(1)");
  CHECK(corner.mesh_dims == std::vector{0, 1});
  CHECK(product_flop(corner) == Approx(4 * flop));
  // To the owners and back.
  const SimplePrices prices;
  base::Seconds kernels;
  for (const auto* list : {&cut.before, &cut.kernels})
    for (const base::Kernel& kernel : *list) kernels += prices.kernel(kernel);
  CHECK((time_of(cut, prices) - kernels).us() ==
        Approx(2 * prices.collective(base::Collective::all_to_all, cut.exchanged, {0}).us()));
  // AdamW updates what is not between hidden states.
  for (const char* name : {"embedding.weight", "head.weight"}) {
    const int node = llama.node(name);
    CHECK_FALSE(between_hidden_states(llama.graph(), node));
    const auto update = [&](const Optimizer& optimizer) {
      return parameter_update(llama.graph(), node, layout("S(0), R"), Mesh({4, 2}), optimizer, {})
          .state_bytes;
    };
    CHECK(update(muon) == update({}));
  }
  CHECK(between_hidden_states(llama.graph(), llama.node("layers.attention_norm.weight")));
}

TEST_CASE("experts are so many matrices, and ranks that have some of them exchange nothing") {
  const TensorGraph graph = model_graph(shipped_model("mixtral-8x7b"), {8, 512}, {});
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (graph.nodes[n].name != "moe_layers.experts.up.weight") continue;
    const auto update = [&](std::string_view text) {
      return parameter_update(graph, static_cast<int>(n), layout(text), Mesh({4}),
                              {.kind = OptimizerKind::muon}, {});
    };
    CHECK(update("S(0)").exchanged.count() == 0);
    CHECK(update("S(1)").exchanged.count() > 0);
    CHECK(product_flop(update("S(0)")) == Approx(product_flop(update("R")) / 4));
    CHECK(product_flop(update("S(1)")) == Approx(product_flop(update("R")) / 4));
  }
}

}  // namespace
}  // namespace strategies::autoshard
