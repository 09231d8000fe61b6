#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/step_graph.hpp"

namespace sim::engine {

/// A step graph with its references resolved once, for fast playing.
class Script {
 public:
  /// Who must wait for whom in a program: dependencies and the order of streams in one.
  struct Order {
    std::vector<std::uint16_t> waits;       ///< per task: tasks that must end before it is ready
    std::vector<std::uint32_t> first_next;  ///< per task, offset into next; tasks + 1 entries
    std::vector<std::uint32_t> next;
  };
  /// Groups of ranks along one set of axes.
  struct Communicators {
    strategies::AxisSet axes;
    int extent = 1;                             ///< ranks of a group
    std::vector<std::uint32_t> group_of;        ///< by rank
    std::vector<int> members;                   ///< by group, `extent` each, ascending
    const StepGraph::Groups* shapes = nullptr;  ///< null for a union made for a segment
    std::vector<std::uint32_t> uses;            ///< its collectives

    std::uint32_t groups() const {
      return static_cast<std::uint32_t>(members.size() / static_cast<std::size_t>(extent));
    }
    std::span<const int> members_of(std::uint32_t group) const {
      const auto size = static_cast<std::size_t>(extent);
      return {members.data() + group * size, size};
    }
  };

  explicit Script(const StepGraph& graph);

  const Order& order(int rank) const { return orders_[program_of(rank)]; }
  const Program& program(int rank) const { return graph_->programs[program_of(rank)]; }
  std::uint16_t program_of(int rank) const {
    return graph_->program_of_rank[static_cast<std::size_t>(rank)];
  }
  const std::vector<Communicators>& communicators() const { return communicators_; }
  /// Index into communicators() of a collective's groups.
  int of_collective(std::uint32_t use) const { return of_collective_[use]; }
  /// Index of the union of the groups in which a segment communicates; -1 when it does not.
  int of_segment(std::uint32_t segment) const { return of_segment_[segment]; }
  /// Whether the collective has anybody to talk to.
  bool talks(std::int32_t use) const {
    return use >= 0 &&
           communicators_[static_cast<std::size_t>(of_collective_[static_cast<std::size_t>(use)])]
                   .extent > 1;
  }
  const calibrate::CollectiveCost& cost(std::uint32_t use, std::uint32_t group) const;
  const calibrate::GroupShape& shape(std::uint32_t use, std::uint32_t group) const;
  /// Different messages that a rank sends, and how often in a step.
  const std::vector<std::uint32_t>& messages_sent(int rank) const {
    return messages_sent_[program_of(rank)];
  }
  double times_sent(int rank, std::uint32_t message) const {
    return times_sent_[program_of(rank)][message];
  }
  /// How often a rank runs a collective in a step.
  double times_run(int rank, std::uint32_t use) const { return times_run_[program_of(rank)][use]; }
  /// The task of `receiver` that receives what task `send` of `sender` sends.
  std::uint32_t receive_of(int sender, std::uint32_t send, int receiver) const;

 private:
  struct Match {
    std::uint16_t receiver = 0;  // program
    int sender_stage = 0;
    int receiver_stage = 0;
    std::vector<std::uint32_t> receive_of_send;  // by task of the sender
  };

  int communicators_of(strategies::AxisSet axes);
  Match make_match(std::uint16_t sender, std::uint16_t receiver, int from, int to) const;

  const StepGraph* graph_;
  std::vector<Order> orders_;
  std::vector<Communicators> communicators_;
  std::vector<int> of_collective_;
  std::vector<int> of_segment_;
  std::vector<std::vector<std::uint32_t>> messages_sent_;  // by program
  std::vector<std::vector<double>> times_sent_;            // by program, message
  std::vector<std::vector<double>> times_run_;             // by program, use
  mutable std::vector<std::vector<Match>> matches_;  // by program of the sender, made when needed
};

}  // namespace sim::engine
