#include "strategies/autoshard/model_graph.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "strategies/autoshard/graph_problem.hpp"
#include "tests/strategies/autoshard/simple_prices.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies::autoshard {
namespace {

using placement::Mesh;

TEST_CASE("sizes") {
  const TensorGraph graph = model_graph(shipped_model("llama-3.1-8b"), {64, 8192}, {});
  const Problem problem = make_problem(graph, Mesh({8, 8}), SimplePrices(), {});
  std::size_t choices = 0;
  for (const ProblemNode& node : problem.nodes) {
    choices += node.choices.size();
    WARN(node.name << " " << node.choices.size());
  }
  std::size_t layouts = 0;
  for (const LayoutGraph& g : problem.layout_graphs) layouts += g.layouts.size();
  WARN(problem.tensors.size() << " tensors " << problem.nodes.size() << " nodes " << choices
                              << " choices " << problem.edges.size() << " edges "
                              << problem.layout_graphs.size() << " types " << layouts);
}

}  // namespace
}  // namespace strategies::autoshard
