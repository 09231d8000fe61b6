#include "strategies/autoshard/request.hpp"

#include "base/document.hpp"
#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

struct Answer {
  Request request;
  std::vector<std::string> problems;
};

Answer read(const std::string& yaml) {
  const base::Document document = *base::parse_yaml(yaml, "c.yaml");
  base::Diagnostics problems;
  base::MapReader reader(document, document.root, "autoshard", problems);
  Answer answer{read_request(reader, problems), {}};
  for (const base::Diagnostic& problem : problems) answer.problems.push_back(problem.format());
  return answer;
}

TEST_CASE("what a scenario may ask of automatic sharding") {
  const Answer answer = read(
      "mesh: 8x4\n"
      "mesh_names: [dp, tp]\n"
      "memory: {low: 10 GB, high: 80 GB}\n"
      "constraints:\n"
      "  - {name: norms, tensors: '*.norm.weight', layouts: 'R, R'}\n"
      "  - {tensors: 'head.*', forbid: ['S(0), R', 'R, S(0)']}\n");
  CHECK(answer.problems.empty());
  CHECK(answer.request.mesh == std::vector{8, 4});
  CHECK(answer.request.mesh_names == std::vector<std::string>{"dp", "tp"});
  CHECK(answer.request.demands.memory.low == 10e9);
  CHECK(answer.request.demands.memory.high == 80e9);
  const std::vector<Constraint>& constraints = answer.request.demands.constraints;
  REQUIRE(constraints.size() == 2);
  CHECK(constraints[0].name == "norms");
  CHECK_FALSE(constraints[0].forbids);
  CHECK(constraints[1].name == "constraint 2");
  CHECK(constraints[1].forbids);
  CHECK(constraints[1].layouts.size() == 2);
  CHECK(read("memory: 64 GiB\n").request.demands.memory.high == 64 * 1073741824.0);
}

TEST_CASE("requests that cannot be read") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"mesh: 8x0\n",
       "c.yaml:1:7: error: '8x0' is no mesh: extents from 1 joined by x (as 8x8, or "
       "8x8x4)"},
      {"mesh: 8x\n", "c.yaml:1:7: error: '8x' is no mesh"},
      {"mesh: 2x2x2x2\n", "c.yaml:1:7: error: mesh '2x2x2x2' has more than 3 dims"},
      {"mesh: 99999x99999\n", "c.yaml:1:7: error: mesh '99999x99999' has more than 3 dims or"},
      {"mesh: 8x8\nmesh_names: [dp]\n", "c.yaml:2:13: error: 1 names for 2 mesh dims"},
      {"memory: {low: 2 GB, high: 1 GB}\n", "c.yaml:1:15: error: 'low' is more than 'high'"},
      {"memory: lots\n", "c.yaml:1:9: error: "},
      {"constraints:\n  - {tensors: a}\n",
       "c.yaml:2:15: error: a constraint needs either 'layouts' or 'forbid'"},
      {"constraints:\n  - {tensors: a, layouts: R, forbid: R}\n",
       "c.yaml:2:15: error: a constraint needs either 'layouts' or 'forbid'"},
      {"constraints:\n  - {layouts: R}\n", "c.yaml:2:5: error: "},
      {"constraints:\n  - {tensors: a, layouts: ['R, Q']}\n",
       "c.yaml:2:28: error: unknown placement 'Q'"},
      {"constraints:\n  - {name: memory, tensors: a, layouts: R}\n",
       "c.yaml:2:12: error: there is a demand 'memory' already"},
      {"constrains: []\n",
       "c.yaml:1:1: error: unknown key 'constrains' (did you mean 'constraints'?)"},
  }));
  CAPTURE(row.yaml);
  const std::vector<std::string> problems = read(row.yaml).problems;
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].starts_with(row.want));
}

}  // namespace
}  // namespace strategies::autoshard
