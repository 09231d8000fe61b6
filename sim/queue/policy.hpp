#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sim/queue/profile.hpp"
#include "sim/queue/tree.hpp"

namespace sim::queue {

/// Which GPUs of which nodes are free.
class Occupancy {
 public:
  /// `gpus`: that may be handed out, by node.
  Occupancy(const Tree& tree, std::vector<int> gpus);

  const Tree& tree() const { return *tree_; }
  int gpus_of(int node) const { return gpus_[static_cast<std::size_t>(node)]; }
  int free_of(int node) const { return free_[static_cast<std::size_t>(node)]; }
  bool fits(int node, int gpus) const { return free_of(node) >= gpus; }
  bool idle(int node) const { return gpus_of(node) > 0 && free_of(node) == gpus_of(node); }
  int nodes() const { return static_cast<int>(gpus_.size()); }
  void take(std::span<const int> nodes, int gpus);
  void give(std::span<const int> nodes, int gpus);
  /// Nodes of each domain that fit, by level.
  std::vector<std::vector<int>> capacities(int gpus) const;

 private:
  const Tree* tree_;
  std::vector<int> gpus_;
  std::vector<int> free_;
};

/// A rule by which a scheduler chooses nodes.
struct Policy {
  std::string_view name;
  std::string_view what;  ///< for people
  /// Nodes in rank order; nothing only when fewer than that many nodes fit. `background`: bytes a
  /// second of those that run over the way out of each domain of the network.
  std::function<std::optional<std::vector<int>>(const Occupancy&, const Profile&,
                                                const std::vector<double>& background)>
      place;
};

std::span<const Policy> policies();
/// \returns nullptr for a name that no policy has.
const Policy* find_policy(std::string_view name);

}  // namespace sim::queue
