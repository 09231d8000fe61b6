#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "sim/engine/cast.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/network.hpp"
#include "sim/engine/progress.hpp"
#include "sim/engine/script.hpp"
#include "sim/engine/traffic.hpp"
#include "sim/engine/wires.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim::engine {

struct PlayOptions {
  bool private_as_durations = true;  ///< hybrid; false: every collective is flows
  bool coalesce = true;              ///< private segments as one duration; false: piece by piece
  bool fold = true;                  ///< play one rank of each class that is provably alike
  bool everything_shared = false;    ///< every transfer in SimGrid, see Network
  std::function<void(double)> progress;
  std::function<void()> over;  ///< called when a step has ended
};

struct Outcome {
  double begin = 0;  ///< of the last step that began
  double end = 0;
  std::uint64_t durations = 0;  ///< of an actor, or of a group that ran a private segment together
  std::uint64_t calm = 0;       ///< collectives and messages that no link can hold up
};

/// Plays steps of one job, one after the other: every actor, every task.
class Player {
 public:
  /// `spans` has room for all tasks of all actors, actor after actor. Joins `network`, which must
  /// not run without it.
  Player(const StepGraph& graph, const Script& script, const Traffic& traffic, const Cast& cast,
         const PlayOptions& options, std::span<Span> spans, Network& network);
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  /// Begins a step now. \pre none is under way
  void begin_step();
  /// Whether all tasks of the step have ended.
  bool over() const { return done_ == spans_.size(); }
  /// Spans of later steps go here instead; as many.
  void write_to(std::span<Span> spans) { spans_ = spans; }
  const Outcome& outcome() const { return outcome_; }
  const Network::Counts& transfers() const { return network_.counts(client_); }

 private:
  using Actor = std::uint32_t;

  /// The compute stream of an actor.
  struct Compute {
    std::uint32_t piece = 0;              // next piece of the segment
    std::vector<Progress::Part> kernels;  // that it runs, piece by piece
    Progress progress;                    // of them
    double full_end = 0;                  // when they would be over at full speed
    double slowed = 0;                    // seconds lost in this segment
    bool on = false;                      // such kernels run
    bool timed = false;                   // and their end is in the agenda
    std::uint32_t generation = 0;         // entries in the agenda of an earlier one are void
    std::uint32_t meeting = 0;            // + 1: the segment that it runs together with others
    double sms_taken = 0;                 // shares of the GPU that collectives have
    double memory_taken = 0;
    std::vector<std::uint32_t> held;  // meetings that its kernels may hold up
  };
  /// What a collective that kernels hold up has still to do.
  struct Held {
    bool on = false;
    double left = 0;  // seconds at full speed, as of `since`
    double since = 0;
    double speed = 1;
    double free_end = 0;  // when it would be over, had there been no kernels
  };
  /// The one collective (or segment run together) that a group has open: none of its members can
  /// come to the next one before this one is over.
  struct Meeting {
    std::uint32_t communicators = 0;
    std::uint32_t group = 0;  // class
    Stream stream = Stream::compute;
    bool segment = false;  // subject is a segment, else a collective
    std::uint32_t subject = 0;
    std::uint32_t arrived = 0;
    std::uint32_t transfers_left = 0;
    std::uint32_t generation = 0;
    Progress progress;    // of a segment
    double full_end = 0;  // of a segment at full speed
    Held held;            // of a collective
  };
  /// How a group runs a segment.
  struct Together {
    enum class Mode : std::uint8_t { unknown, together, by_piece } mode = Mode::unknown;
    std::vector<Progress::Part> parts;
  };
  enum class Kind : std::uint8_t {
    compute,
    over,
    wire,
    arrived,
    send_wire,
    send_arrived,
    send_over,
    copied
  };

  static Tag tag(Kind kind, std::uint64_t subject) {
    return (static_cast<Tag>(kind) << 56) | subject;
  }
  /// The upper one is cut to 24 bits.
  static std::uint64_t pair(std::uint32_t upper, std::uint32_t lower) {
    return (static_cast<std::uint64_t>(upper & 0xffffffU) << 32) | lower;
  }
  int rank_of(Actor actor) const { return cast_.rank_of_actor[actor]; }
  const std::vector<Task>& tasks(Actor actor) const {
    return script_.program(rank_of(actor)).tasks;
  }
  Span& span(Actor actor, std::uint32_t task) { return spans_[first_task_[actor] + task]; }
  /// The task that a stream of an actor is in.
  std::uint32_t& current(Actor actor, Stream stream) {
    return current_[std::size_t{actor} * stream_count + static_cast<std::size_t>(stream)];
  }

  void appoint(double time, Tag tag) { network_.at(time, client_, tag); }
  void go_on(Tag tag);
  void handle(Tag tag);
  void work_off_ready();
  void ready(Actor actor, std::uint32_t task);
  void complete(Actor actor, std::uint32_t task);

  void run_segment(Actor actor, const Task& task);
  void advance(Actor actor);
  void run_kernels(Actor actor, bool timed);
  void await_kernels(Actor actor);
  void kernels_over(Actor actor);
  Together& together(std::uint32_t segment, std::uint32_t group);
  Together decide(std::uint32_t segment, std::uint32_t group) const;
  void await_segment(std::uint32_t meeting);
  Progress::Speed speed(Actor actor) const;
  Progress::Speed speed_of_group(const Meeting& meeting) const;
  void take(const Meeting& meeting, double times);

  std::uint32_t meeting_of(int communicators, Actor actor) const;
  void arrive(std::uint32_t meeting, Stream stream, bool segment, std::uint32_t subject);
  void begin(std::uint32_t meeting);
  void start_wire(std::uint32_t meeting);
  void end_meeting(std::uint32_t meeting);
  void arrived(std::uint32_t meeting);
  void hold(std::uint32_t meeting, double seconds);
  void advance_held(std::uint32_t meeting);
  void work_on(std::uint32_t meeting);
  void work_on_held_by(Actor actor);
  void look_at_held(std::uint32_t meeting);
  void release(std::uint32_t meeting);
  Progress::Now kernels_of(Actor actor) const;
  std::span<const std::uint32_t> members(const Meeting& meeting) const {
    return cast_.groups[meeting.communicators].members_of(meeting.group);
  }
  std::uint32_t real_group(const Meeting& meeting) const {
    return cast_.groups[meeting.communicators].group_of[meeting.group];
  }

  const Message& message_of(Actor actor, std::uint32_t task) const;
  int peer_of(Actor actor, const Message& message) const;
  const calibrate::CollectiveCost& message_cost(Actor actor, const Message& message) const;
  void send(Actor actor, std::uint32_t task);
  void send_wire(Actor actor, std::uint32_t task);
  void send_over(Actor actor, std::uint32_t task);

  const StepGraph& graph_;
  const Script& script_;
  const Traffic& traffic_;
  const Cast& cast_;
  PlayOptions options_;
  std::span<Span> spans_;
  Network& network_;
  Client client_;
  Wires wires_;
  std::vector<std::size_t> first_task_;   // by actor
  std::vector<std::uint16_t> waits_;      // per actor and task
  std::vector<std::uint32_t> current_;    // per actor and stream
  std::vector<std::uint8_t> send_parts_;  // per actor: paths that its message still travels
  std::vector<Compute> compute_;          // by actor
  std::vector<Meeting> meetings_;
  std::vector<std::uint32_t> first_meeting_;     // by communicators
  std::vector<std::vector<Together>> together_;  // by segment, class of groups
  std::deque<std::pair<Actor, std::uint32_t>> ready_;
  std::uint64_t done_ = 0;
  Outcome outcome_;
};

}  // namespace sim::engine
