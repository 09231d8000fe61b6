#include "strategies/autoshard/constraint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

constexpr std::string_view memory_name = "memory";

bool listed(const Constraint& constraint, const placement::Layout& layout) {
  return std::any_of(constraint.layouts.begin(), constraint.layouts.end(),
                     [&](const placement::Layout& one) {
                       return one.placements == layout.placements &&
                              (one.order.empty() || shard_order(one) == shard_order(layout));
                     });
}

/// Choices that meet constraints [first, last).
Domains intersection(const std::vector<Domains>& allowed, const std::vector<bool>& counts) {
  std::optional<Domains> all;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (!counts[i]) continue;
    if (!all) {
      all = allowed[i];
      continue;
    }
    for (std::size_t n = 0; n < all->size(); ++n) {
      std::vector<int> both;
      std::set_intersection((*all)[n].begin(), (*all)[n].end(), allowed[i][n].begin(),
                            allowed[i][n].end(), std::back_inserter(both));
      (*all)[n] = std::move(both);
    }
  }
  return all.value_or(Domains{});
}

}  // namespace

bool covers(std::string_view pattern, std::string_view text) {
  // The last star, and the text that it has taken so far: on a mismatch it takes one more.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

base::Result<Domains> allowed_choices(const Pricing& pricing, const Constraint& constraint) {
  const Problem& problem = pricing.problem();
  base::Diagnostics problems;
  Domains domains;
  for (const ProblemNode& node : problem.nodes) {
    domains.emplace_back(node.choices.size());
    for (std::size_t c = 0; c < node.choices.size(); ++c) domains.back()[c] = static_cast<int>(c);
  }
  bool found = false;
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    const ProblemTensor& tensor = problem.tensors[t];
    const int producer = pricing.producer(static_cast<int>(t));
    const ProblemNode& node = problem.nodes[at(producer)];
    if (!covers(constraint.tensors, tensor.name) && !covers(constraint.tensors, node.name))
      continue;
    found = true;
    const LayoutGraph& graph = problem.layout_graphs[at(tensor.layouts)];
    const std::size_t result = at(pricing.result(static_cast<int>(t)));
    std::erase_if(domains[at(producer)], [&](int c) {
      const int layout = node.choices[at(c)].results[result];
      return listed(constraint, graph.layouts[at(layout)]) == constraint.forbids;
    });
    if (domains[at(producer)].empty())
      problems.push_back(
          {constraint.where,
           fmt::format("'{}' leaves no layout for tensor '{}'", constraint.name, tensor.name),
           "give a layout that its shape allows on this mesh, or a narrower pattern"});
  }
  if (!found) {
    std::vector<std::string_view> names;
    for (const ProblemTensor& tensor : problem.tensors) names.push_back(tensor.name);
    problems.push_back(
        {constraint.where,
         fmt::format("'{}' covers no tensor: '{}'", constraint.name, constraint.tensors),
         base::suggest(constraint.tensors, names)});
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return domains;
}

base::Result<tl::expected<Solution, Conflict>> solve_with(const Pricing& pricing,
                                                          const Demands& demands) {
  base::Diagnostics problems;
  std::vector<Domains> allowed;
  for (const Constraint& constraint : demands.constraints) {
    base::Result<Domains> one = allowed_choices(pricing, constraint);
    if (one)
      allowed.push_back(std::move(*one));
    else
      problems.insert(problems.end(), one.error().begin(), one.error().end());
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));

  std::vector<bool> counts(allowed.size(), true);
  bool memory_counts = true;
  const auto attempt = [&] {
    SolveOptions options;
    options.allowed = intersection(allowed, counts);
    options.quicker_than = demands.quicker_than;
    if (memory_counts) options.memory = demands.memory;
    return solve(pricing, options);
  };
  const tl::expected<Solution, NoSolution> answer = attempt();
  if (answer) return tl::expected<Solution, Conflict>(*answer);
  Conflict conflict{{}, answer.error()};
  if (conflict.why.reason == NoSolution::Reason::unknown ||
      conflict.why.reason == NoSolution::Reason::slower)
    return tl::expected<Solution, Conflict>(tl::unexpect, std::move(conflict));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = false;
    counts[i] = attempt().has_value();
    if (counts[i]) conflict.demands.push_back(demands.constraints[i].name);
  }
  memory_counts = false;
  if (attempt()) conflict.demands.emplace_back(memory_name);
  return tl::expected<Solution, Conflict>(tl::unexpect, std::move(conflict));
}

}  // namespace strategies::autoshard
