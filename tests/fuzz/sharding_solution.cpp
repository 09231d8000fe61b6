#include "base/document.hpp"
#include "strategies/autoshard/solution.hpp"
#include "strategies/autoshard/solution_reader.hpp"
#include "tests/fuzz/fuzz.hpp"

/// A saved solution of a weight and a product that reads it.
void fuzz_one(std::string_view text) {
  using namespace strategies::autoshard;  // NOLINT: all of it is used
  const auto document = base::parse_json(text, "f.json");
  if (!document) return fuzz::check_refusal(document.error());
  LayoutGraph graph;
  graph.layouts = {{{strategies::placement::Replicate{}}, {}},
                   {{strategies::placement::Shard{0}}, {}}};
  graph.local_bytes.resize(2);
  graph.arcs = {{.from = 0, .to = 1, .time = {}, .op = {}, .mesh_dims = {0}, .bytes = {}}};
  graph.first_arc = {0, 1, 1};
  Problem problem;
  problem.layout_graphs = {graph};
  problem.tensors = {{"weight", 0, {}}, {"product", 0, {}}};
  problem.nodes = {{"weight", {}, {0}, {{{}, {0}, {}}, {{}, {1}, {}}}},
                   {"product", {0}, {1}, {{{0}, {0}, {}}, {{1}, {1}, {}}}}};
  problem.edges = {{0, 1, 0}};
  const auto choices = read_solution(*document, problem, {"tiny", {2}, {"dp"}});
  if (!choices) return fuzz::check_refusal(choices.error());
  CHECK_INVARIANT(price(problem, *choices).time < base::Seconds::infinity());
}
