#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "sim/engine/script.hpp"
#include "sim/engine/traffic.hpp"
#include "sim/step_graph.hpp"

namespace sim::engine {

inline constexpr std::uint32_t no_class = std::numeric_limits<std::uint32_t>::max();

/// Who plays: an actor for each class of ranks that do the same at the same time. A class of groups
/// is played by one of them, a class of flows by one of them, which loads a link as many times as
/// flows of its class cross one link of that class.
struct Cast {
  /// The groups of one entry of Script::communicators().
  struct Groups {
    std::vector<std::uint32_t> class_of;      ///< by group
    std::vector<std::uint32_t> group_of;      ///< by class: the one that plays
    std::vector<std::uint32_t> first_member;  ///< by class, into members; classes + 1 entries
    std::vector<std::uint32_t> members;       ///< actors, each once

    std::uint32_t count() const { return static_cast<std::uint32_t>(group_of.size()); }
    std::span<const std::uint32_t> members_of(std::uint32_t of_class) const {
      return {members.data() + first_member[of_class],
              first_member[of_class + 1] - first_member[of_class]};
    }
  };

  std::vector<std::uint32_t> actor_of_rank;
  std::vector<int> rank_of_actor;
  std::vector<Groups> groups;
  std::vector<std::uint32_t> flow_class;  ///< by flow of the Traffic
  std::vector<std::uint32_t> flows_in_class;
  std::vector<std::uint32_t> link_class;  ///< by link; no_class where it cannot bind
  std::vector<std::uint32_t> links_in_class;
  std::vector<double> link_rate;            ///< by class
  std::vector<std::uint32_t> network_link;  ///< by class: its number in the Network

  std::size_t actors() const { return rank_of_actor.size(); }
};

/// Every rank, every flow, every link that may bind.
Cast everybody(const StepGraph& graph, const Script& script, const Traffic& traffic);

/// Folds what is provably symmetric: the coarsest partition of ranks, groups, flows and links in
/// which equals have equal programs, meet equals, and share links with equally many of each class
/// (colour refinement; max-min fair shares and so all times are then equal within a class). Where
/// that takes too long, everybody plays.
Cast fold(const StepGraph& graph, const Script& script, const Traffic& traffic);

}  // namespace sim::engine
