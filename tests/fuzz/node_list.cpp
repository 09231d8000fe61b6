#include "sim/place/node_list.hpp"

#include <set>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"

void fuzz_one(std::string_view text) {
  static const topology::Cluster cluster = topology::uniform_cluster(
      *fuzz::shipped_registry()->find_node("dgx-h100"), 4, 8, fuzz::shipped_registry());
  const auto placement = sim::place::read_node_list(text, "nodes", cluster);
  if (!placement) return fuzz::check_refusal(placement.error());
  const std::set<int> nodes(placement->nodes.begin(), placement->nodes.end());
  CHECK_INVARIANT(!nodes.empty() && nodes.size() == placement->nodes.size());
  CHECK_INVARIANT(*nodes.begin() >= 0 && *nodes.rbegin() < 4);
  CHECK_INVARIANT(placement->ranks_per_node >= 0);
}
