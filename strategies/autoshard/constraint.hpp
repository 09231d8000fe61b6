#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/diagnostic.hpp"
#include "strategies/autoshard/solve.hpp"
#include "strategies/placement/placement.hpp"

/// What a user asks of a solution: named, and each can be taken back without making the problem
/// anew.
namespace strategies::autoshard {

/// Tensors whose name, or whose node's, a pattern covers are made in one of some layouts, or in
/// none of them.
struct Constraint {
  std::string name;
  std::string tensors;  ///< a pattern: `*` is any text, `?` any character
  bool forbids = false;
  /// A layout that says no turns means all orders of the cuts.
  std::vector<placement::Layout> layouts;
  base::SourceRef where;
};

/// Whether `pattern` covers all of `text`.
bool covers(std::string_view pattern, std::string_view text);

/// Choices of each node that meet a constraint. A mistake: it covers no tensor, or a tensor that
/// can have none of its layouts.
base::Result<Domains> allowed_choices(const Pricing& pricing, const Constraint& constraint);

struct Demands {
  std::vector<Constraint> constraints;
  MemoryRange memory;
  base::Seconds quicker_than = SolveOptions{}.quicker_than;  ///< no demand of a user's
};

/// No solution meets all demands.
struct Conflict {
  /// Demands that cannot be met together, though any all but one of them can: names of constraints,
  /// and "memory". Empty: the problem has no solution whatever is demanded.
  std::vector<std::string> demands;
  NoSolution why;
};

/// The best solution that meets the demands; see solve(). Where there is none, demands are left out
/// one after the other for as long as there is still none (deletion filter; Chinneck and Dravnieks,
/// ORSA J. Comput. 3(2), 1991).
base::Result<tl::expected<Solution, Conflict>> solve_with(const Pricing& pricing,
                                                          const Demands& demands);

}  // namespace strategies::autoshard
