#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "sim/engine/fabric.hpp"
#include "sim/engine/network.hpp"
#include "sim/engine/script.hpp"
#include "sim/engine/wires.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim::engine {

struct PlayOptions {
  bool private_as_durations = true;  ///< hybrid; false: every collective is flows
  bool coalesce = true;              ///< private segments as one duration; false: piece by piece
  bool everything_shared = false;    ///< every transfer in SimGrid, see Network
  std::function<void(double)> progress;
};

struct Outcome {
  double step = 0;
  double private_bytes = 0;
  std::vector<double> link_bytes;
  std::uint64_t durations = 0;  ///< of a rank, or of a group that ran a private segment together
  Network::Counts network;
};

/// Plays a step: every rank, every task. Uses SimGrid, so once in a process.
class Player {
 public:
  /// `spans` has room for all tasks of all ranks, rank after rank.
  Player(const StepGraph& graph, const Fabric& fabric,
         const std::vector<topology::GpuId>& gpu_of_rank, PlayOptions options,
         std::span<Span> spans);
  Outcome play();

 private:
  /// What one stream of one rank is doing.
  struct Lane {
    std::uint32_t task = 0;
    std::uint32_t piece = 0;  // next piece of the segment
    double until = 0;         // end of the kernel beside the collective that it is in
  };
  /// The one collective (or segment run together) that a group has open on a stream: none of its
  /// members can come to the next one before this one is over.
  struct Meeting {
    std::uint16_t communicators = 0;
    Stream stream = Stream::compute;
    bool segment = false;  // subject is a segment, else a collective
    std::uint32_t group = 0;
    std::uint32_t subject = 0;
    std::uint32_t arrived = 0;
    std::uint32_t transfers_left = 0;
  };
  /// How a group runs a segment.
  struct Together {
    enum class Mode : std::uint8_t { unknown, together, by_piece } mode = Mode::unknown;
    double duration = 0;
    double bytes = 0;
  };
  enum class Kind : std::uint8_t { lane, over, wire, arrived, send_wire, send_over };

  static Tag tag(Kind kind, std::uint64_t subject) {
    return (static_cast<Tag>(kind) << 56) | subject;
  }
  static std::uint64_t rank_task(int rank, std::uint32_t task) {
    return (static_cast<std::uint64_t>(rank) << 32) | task;
  }
  Span& span(int rank, std::uint32_t task) {
    return spans_[first_task_[static_cast<std::size_t>(rank)] + task];
  }
  Lane& lane(int rank, Stream stream) {
    return lanes_[static_cast<std::size_t>(rank) * stream_count + static_cast<std::size_t>(stream)];
  }

  void handle(Tag tag);
  void work_off_ready();
  void ready(int rank, std::uint32_t task);
  void complete(int rank, std::uint32_t task);

  void run_segment(int rank, const Task& task);
  void advance(int rank, Stream stream);
  Together& together(std::uint32_t segment, std::uint32_t group);
  Together decide(std::uint32_t segment, std::uint32_t group) const;

  std::uint32_t meeting_of(int communicators, Stream stream, int rank) const;
  void arrive(std::uint32_t meeting, bool segment, std::uint32_t subject);
  void begin(std::uint32_t meeting);
  void start_wire(std::uint32_t meeting);
  void end_meeting(std::uint32_t meeting);

  int peer_of(int rank, const Message& message) const;
  bool same_domain(int a, int b) const;
  void send(int rank, std::uint32_t task);
  void send_wire(int rank, std::uint32_t task);
  void send_over(int rank, std::uint32_t task);

  const StepGraph& graph_;
  const Fabric& fabric_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  PlayOptions options_;
  std::span<Span> spans_;
  Script script_;
  Network network_;
  Wires wires_;
  std::vector<std::size_t> first_task_;
  std::vector<std::uint16_t> waits_;  // per rank and task
  std::vector<Lane> lanes_;
  std::vector<Meeting> meetings_;
  std::vector<std::uint32_t> first_meeting_;     // by communicators
  std::vector<std::vector<Together>> together_;  // by segment, group
  std::deque<std::pair<int, std::uint32_t>> ready_;
  std::uint64_t done_ = 0;
  double step_ = 0;
  double private_bytes_ = 0;
  std::uint64_t durations_ = 0;
};

/// `simulate` over any fabric.
Timeline play_in_child(const StepGraph& graph, const Fabric& fabric,
                       const std::vector<topology::GpuId>& gpu_of_rank, const PlayOptions& options);

}  // namespace sim::engine
