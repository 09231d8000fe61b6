#include "strategies/autoshard/solution_reader.hpp"

#include <fmt/format.h>

#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

/// A weight that a product reads: both as R or as S(0) on two ranks; nothing leads from S(0) to R.
Problem two_nodes() {
  Problem problem;
  LayoutGraph graph;
  graph.layouts = {{{placement::Replicate{}}, {}}, {{placement::Shard{0}}, {}}};
  graph.local_bytes.resize(2);
  graph.arcs = {{.from = 0, .to = 1, .time = {}, .op = {}, .mesh_dims = {0}, .bytes = {}}};
  graph.first_arc = {0, 1, 1};
  problem.layout_graphs = {graph};
  problem.tensors = {{"weight", 0, {}}, {"product", 0, {}}};
  problem.nodes = {{"weight", {}, {0}, {{{}, {0}, {}}, {{}, {1}, {}}}},
                   {"product", {0}, {1}, {{{0}, {0}, {}}, {{1}, {1}, {}}}}};
  problem.edges = {{0, 1, 0}};
  return problem;
}

const SolutionHeader header{"tiny", {2}, {"dp"}};

base::Result<std::vector<int>> read(const std::string& json) {
  return read_solution(*base::parse_json(json, "s.json"), two_nodes(), header);
}

std::string saved(const std::string& model, const std::string& mesh, const std::string& nodes) {
  return fmt::format(
      "{{\"schema\": \"foreshard.sharding.v1\",\n\"model\": \"{}\",\n\"mesh\": {{{}}},\n"
      "\"micro_batches\": 1, \"nodes\": {{{}}}}}",
      model, mesh, nodes);
}

const std::string mesh = R"j("shape": [2], "names": ["dp"])j";
const std::string weight = R"j("weight": {"operands": [], "results": ["S(0)"]})j";
const std::string product = R"j("product": {"operands": ["S(0)"], "results": ["S(0)"]})j";

TEST_CASE("a saved solution gives back its choices") {
  const auto choices = read(saved("tiny", mesh, weight + ",\n" + product));
  REQUIRE(choices);
  CHECK(*choices == std::vector{1, 1});
}

TEST_CASE("solutions of something else are refused with the reason") {
  struct Row {
    std::string json;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"{}",
       "s.json:1:1: error: this is no saved solution: schema '' (expected "
       "'foreshard.sharding.v1')"},
      {"[1]", "s.json:1:1: error: this is no saved solution"},
      {saved("big", mesh, weight),
       "s.json:2:10: error: the solution is for model 'big', not 'tiny'"},
      {saved("tiny", R"j("shape": [2, 4], "names": ["dp"])j", weight),
       "s.json:3:9: error: the solution is for mesh 2x4, not 2"},
      {saved("tiny", R"j("shape": [2], "names": ["tp"])j", weight),
       "s.json:3:9: error: the mesh dims of the solution are [tp], not [dp]"},
      {saved("tiny", mesh, weight), "s.json:4:30: error: node 'product' is missing"},
      {saved("tiny", mesh, weight + R"j(, "other": {})j"),
       "s.json:4:80: error: the problem has no node 'other'"},
      {saved("tiny", mesh, R"j("weight": {"operands": [], "results": ["P(sum)"]})j"),
       "s.json:4:41: error: node 'weight' has no choice from [] to [P(sum)]"},
      {saved("tiny", mesh, weight + R"j(, "product": {"operands": ["R"], "results": ["R"]})j"),
       "s.json:4:30: error: the layouts do not fit together"},
  }));
  CAPTURE(row.json);
  const auto choices = read(row.json);
  REQUIRE_FALSE(choices);
  CAPTURE(choices.error().front().format());
  CHECK(choices.error().front().format().starts_with(row.want));
}

TEST_CASE("a solution is for a number of micro-batches") {
  const std::string json = saved("tiny", mesh, weight + ",\n" + product);
  const base::Document document = *base::parse_json(json, "s.json");
  CHECK(saved_micro_batches(document) == 1);
  SolutionHeader other = header;
  other.micro_batches = 4;
  const auto choices = read_solution(document, two_nodes(), other);
  REQUIRE_FALSE(choices);
  CHECK(choices.error().front().format().starts_with(
      "s.json:4:18: error: the solution is for steps of 1 micro-batches, not 4"));
  CHECK_FALSE(saved_micro_batches(*base::parse_json("{}", "s.json")));
  CHECK_FALSE(saved_micro_batches(*base::parse_json(R"({"micro_batches": "4x"})", "s.json")));
}

}  // namespace
}  // namespace strategies::autoshard
