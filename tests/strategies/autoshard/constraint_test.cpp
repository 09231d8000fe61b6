#include "strategies/autoshard/constraint.hpp"

#include <algorithm>

#include "tests/strategies/autoshard/random_problem.hpp"
#include "tests/support/catch.hpp"

namespace strategies::autoshard {
namespace {

TEST_CASE("patterns of names") {
  CHECK(covers("*", ""));
  CHECK(covers("a*c", "abbc"));
  CHECK(covers("*.weight", "layers.mlp.up.weight"));
  CHECK(covers("l?yers.*.w*t", "layers.mlp.up.weight"));
  CHECK(covers("*a*b", "xaxbxb"));
  CHECK_FALSE(covers("", "a"));
  CHECK_FALSE(covers("a", ""));
  CHECK_FALSE(covers("*.weight", "weights"));
  CHECK_FALSE(covers("a?", "a"));
}

/// Layouts 0 to 3 of random problems are told apart as S(0) to S(3).
Problem named_problem(std::mt19937& random, int nodes) {
  Problem problem = random_problem(random, {.nodes = nodes});
  for (LayoutGraph& graph : problem.layout_graphs)
    for (std::size_t l = 0; l < graph.layouts.size(); ++l)
      graph.layouts[l].placements = {placement::Shard{static_cast<int>(l)}};
  return problem;
}

Constraint random_constraint(std::mt19937& random, const Problem& problem, int number) {
  Constraint constraint;
  constraint.name = "demand " + std::to_string(number);
  constraint.tensors = problem.tensors[random() % problem.tensors.size()].name;
  constraint.forbids = random() % 2 == 0;
  for (int i = 0; i < 2; ++i)
    constraint.layouts.push_back({{placement::Shard{static_cast<int>(random() % 4)}}, {}});
  return constraint;
}

TEST_CASE("demands hold, taking one back never costs, and a conflict is minimal") {
  std::mt19937 random(11);
  int solved = 0;
  int conflicts = 0;
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const Problem problem = named_problem(random, 3 + i % 5);
    const Pricing pricing(problem);
    Demands demands;
    for (int c = 0; c < 1 + i % 4; ++c)
      demands.constraints.push_back(random_constraint(random, problem, c));
    demands.memory.high = 5 + static_cast<double>(random() % 25);
    const auto answer = solve_with(pricing, demands);
    if (!answer) continue;  // one alone leaves nothing: see below
    if (*answer) {
      ++solved;
      const Solution& solution = **answer;
      for (const Constraint& constraint : demands.constraints) {
        const Domains allowed = *allowed_choices(pricing, constraint);
        for (std::size_t n = 0; n < allowed.size(); ++n)
          CHECK(std::binary_search(allowed[n].begin(), allowed[n].end(), solution.choices[n]));
      }
      Demands fewer = demands;
      fewer.constraints.pop_back();
      CHECK((**solve_with(pricing, fewer)).time <= solution.time + base::Seconds::from_us(1e-6));
      continue;
    }
    const std::vector<std::string>& names = answer->error().demands;
    // Without any one of the conflict the others can be met; with all of it they cannot.
    conflicts += !names.empty();
    for (std::size_t left_out = 0; left_out <= names.size(); ++left_out) {
      Demands some;
      for (std::size_t k = 0; k < names.size(); ++k) {
        if (k == left_out) continue;
        if (names[k] == "memory") some.memory = demands.memory;
        for (const Constraint& constraint : demands.constraints)
          if (constraint.name == names[k]) some.constraints.push_back(constraint);
      }
      CHECK((*solve_with(pricing, some)).has_value() == (left_out < names.size()));
    }
  }
  CHECK(solved > 20);
  CHECK(conflicts > 20);
}

TEST_CASE("constraints that cannot be meant") {
  std::mt19937 random(1);
  const Problem problem = named_problem(random, 3);
  const Pricing pricing(problem);
  Constraint constraint{"mine", "nod0.*", false, {{{placement::Shard{0}}, {}}}, {"c.yaml", 3, 9}};
  CHECK(allowed_choices(pricing, constraint)
            .error()
            .front()
            .format()
            .starts_with("c.yaml:3:9: error: 'mine' covers no tensor: 'nod0.*'"));
  constraint.tensors = "node0.0";
  constraint.layouts = {{{placement::Replicate{}}, {}}};
  CHECK(allowed_choices(pricing, constraint).error().front().format() ==
        "c.yaml:3:9: error: 'mine' leaves no layout for tensor 'node0.0' (give a layout that its "
        "shape allows on this mesh, or a narrower pattern)");
}

}  // namespace
}  // namespace strategies::autoshard
