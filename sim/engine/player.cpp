#include "sim/engine/player.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace sim::engine {

namespace {

using strategies::Axis;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// The part of the price that is not latency.
double wire_time(const calibrate::CollectiveCost& cost) {
  return std::max(0.0, (cost.total.time - cost.latency).s());
}

constexpr std::uint64_t progress_every = 1U << 15;

}  // namespace

Player::Player(const StepGraph& graph, const Fabric& fabric,
               const std::vector<topology::GpuId>& gpu_of_rank, PlayOptions options,
               std::span<Span> spans)
    : graph_(graph),
      fabric_(fabric),
      gpu_of_rank_(gpu_of_rank),
      options_(std::move(options)),
      spans_(spans),
      script_(graph),
      network_(fabric.link_rate, options_.everything_shared),
      wires_(graph, script_, fabric, gpu_of_rank, !options_.private_as_durations, network_),
      lanes_(at(graph.grid.size()) * stream_count),
      together_(graph.segments.size()) {
  std::size_t tasks = 0;
  for (int rank = 0; rank < graph.grid.size(); ++rank) {
    first_task_.push_back(tasks);
    tasks += script_.program(rank).tasks.size();
  }
  CHECK_INVARIANT(tasks == spans_.size());
  std::fill(spans_.begin(), spans_.end(), Span{-1, -1, -1});
  waits_.reserve(tasks);
  for (int rank = 0; rank < graph.grid.size(); ++rank) {
    const std::vector<std::uint16_t>& waits = script_.order(rank).waits;
    waits_.insert(waits_.end(), waits.begin(), waits.end());
  }
  for (std::size_t c = 0; c < script_.communicators().size(); ++c) {
    first_meeting_.push_back(static_cast<std::uint32_t>(meetings_.size()));
    const std::uint32_t groups = script_.communicators()[c].groups();
    for (int s = 0; s < stream_count; ++s)
      for (std::uint32_t group = 0; group < groups; ++group)
        meetings_.push_back(
            {static_cast<std::uint16_t>(c), static_cast<Stream>(s), false, group, 0, 0, 0});
  }
}

Outcome Player::play() {
  for (int rank = 0; rank < graph_.grid.size(); ++rank) {
    const std::vector<std::uint16_t>& waits = script_.order(rank).waits;
    for (std::uint32_t task = 0; task < waits.size(); ++task)
      if (waits[task] == 0) ready_.emplace_back(rank, task);
  }
  work_off_ready();
  const auto on = [this](Tag tag) {
    handle(tag);
    work_off_ready();
  };
  network_.run({on, on});
  // A step that stops short has programs that wait for each other in a circle.
  CHECK_INVARIANT(done_ == spans_.size());
  const double sent = network_.bytes_sent();
  CHECK_INVARIANT(std::abs(sent - network_.bytes_arrived()) <= 1e-9 * sent);
  return {step_, private_bytes_, network_.link_bytes(), durations_, network_.counts()};
}

void Player::handle(Tag tag) {
  const std::uint64_t subject = tag & ((Tag{1} << 56) - 1);
  const auto meeting = static_cast<std::uint32_t>(subject);
  const auto task = static_cast<std::uint32_t>(subject);
  const auto rank = static_cast<int>(subject >> 32);
  switch (static_cast<Kind>(tag >> 56)) {
    case Kind::lane: advance(rank, static_cast<Stream>(task)); break;
    case Kind::over: end_meeting(meeting); break;
    case Kind::wire: start_wire(meeting); break;
    case Kind::arrived:
      if (--meetings_[meeting].transfers_left == 0) end_meeting(meeting);
      break;
    case Kind::send_wire: send_wire(rank, task); break;
    case Kind::send_over: send_over(rank, task); break;
  }
}

void Player::work_off_ready() {
  while (!ready_.empty()) {
    const auto [rank, task] = ready_.front();
    ready_.pop_front();
    ready(rank, task);
  }
}

void Player::ready(int rank, std::uint32_t index) {
  const Task& task = script_.program(rank).tasks[index];
  Span& when = span(rank, index);
  when.ready = when.begin = network_.now();
  switch (task.kind) {
    case TaskKind::run:
      lane(rank, task.stream) = {index, 0, 0};
      run_segment(rank, task);
      break;
    case TaskKind::collective:
      lane(rank, task.stream) = {index, 0, 0};
      if (script_.talks(static_cast<std::int32_t>(task.index)))
        arrive(meeting_of(script_.of_collective(task.index), task.stream, rank), false, task.index);
      else
        complete(rank, index);
      break;
    case TaskKind::send: send(rank, index); break;
    case TaskKind::receive:
      if (when.end >= 0) complete(rank, index);  // it has arrived before
      break;
  }
}

void Player::complete(int rank, std::uint32_t task) {
  const double now = network_.now();
  span(rank, task).end = now;
  step_ = std::max(step_, now);
  if (++done_ % progress_every == 0 && options_.progress)
    options_.progress(static_cast<double>(done_) / static_cast<double>(spans_.size()));
  const Script::Order& order = script_.order(rank);
  std::uint16_t* const waits = waits_.data() + first_task_[at(rank)];
  for (std::uint32_t i = order.first_next[task]; i < order.first_next[task + 1]; ++i)
    if (--waits[order.next[i]] == 0) ready_.emplace_back(rank, order.next[i]);
}

// Segments ----------------------------------------------------------------------------------

void Player::run_segment(int rank, const Task& task) {
  const int of_segment = script_.of_segment(task.index);
  if (of_segment >= 0) {
    const std::uint32_t group = script_.communicators()[at(of_segment)].group_of[at(rank)];
    if (together(task.index, group).mode == Together::Mode::together) {
      arrive(meeting_of(of_segment, task.stream, rank), true, task.index);
      return;
    }
  }
  advance(rank, task.stream);
}

/// Goes on with a segment piece by piece: kernels up to the next collective are one duration.
void Player::advance(int rank, Stream stream) {
  Lane& here = lane(rank, stream);
  const Task& task = script_.program(rank).tasks[here.task];
  const std::vector<Piece>& pieces = graph_.segments[task.index].pieces;
  double kernels = 0;
  for (; here.piece < pieces.size(); ++here.piece) {
    const Piece& piece = pieces[here.piece];
    if (!script_.talks(piece.collective)) {
      kernels += piece.compute.s();
      continue;
    }
    if (kernels > 0) break;
    ++here.piece;
    here.until = network_.now() + piece.compute.s();
    const auto use = static_cast<std::uint32_t>(piece.collective);
    arrive(meeting_of(script_.of_collective(use), stream, rank), false, use);
    return;
  }
  if (kernels > 0) {
    ++durations_;
    network_.at(network_.now() + kernels,
                tag(Kind::lane, rank_task(rank, static_cast<std::uint32_t>(stream))));
    return;
  }
  complete(rank, here.task);
}

Player::Together& Player::together(std::uint32_t segment, std::uint32_t group) {
  std::vector<Together>& of_segment = together_[segment];
  if (of_segment.empty())
    of_segment.resize(script_.communicators()[at(script_.of_segment(segment))].groups());
  Together& found = of_segment[group];
  if (found.mode == Together::Mode::unknown) found = decide(segment, group);
  return found;
}

/// Whether the ranks of the union of a segment's groups can run it as one duration, and how long.
/// Exact when they run equal programs and pay equal prices: after its first collective along an
/// axis a rank is level with all ranks along that axis, so once every axis has had one, all are
/// level with the last to come; kernels before it take all of them equally long. Their ends are
/// therefore (readiness of the last) + (sum of the pieces), which is what this says.
Player::Together Player::decide(std::uint32_t segment, std::uint32_t group) const {
  Together by_piece{Together::Mode::by_piece, 0, 0};
  if (!options_.private_as_durations || !options_.coalesce) return by_piece;
  const Script::Communicators& all = script_.communicators()[at(script_.of_segment(segment))];
  const std::span<const int> members = all.members_of(group);
  for (const int rank : members)
    if (script_.program_of(rank) != script_.program_of(members.front())) return by_piece;

  Together sum{Together::Mode::together, 0, 0};
  for (const Piece& piece : graph_.segments[segment].pieces) {
    double time = piece.compute.s();
    if (script_.talks(piece.collective)) {
      const auto use = static_cast<std::uint32_t>(piece.collective);
      const CollectiveUse& what = graph_.collectives[use];
      const std::vector<std::uint32_t>& group_of =
          script_.communicators()[at(script_.of_collective(use))].group_of;
      const base::Seconds price = script_.cost(use, group_of[at(members.front())]).total.time;
      for (const int rank : members) {
        const std::uint32_t its_group = group_of[at(rank)];
        if (script_.shape(use, its_group).nodes != 1) return by_piece;
        if (script_.cost(use, its_group).total.time != price) return by_piece;
      }
      time = std::max(time, price.s());
      sum.bytes += what.bytes.as_double() * static_cast<double>(members.size()) *
                   calibrate::bus_factor(what.op, graph_.grid.extent(what.axes));
    }
    sum.duration += time;
  }
  return sum;
}

// Collectives -------------------------------------------------------------------------------

std::uint32_t Player::meeting_of(int communicators, Stream stream, int rank) const {
  const Script::Communicators& of_axes = script_.communicators()[at(communicators)];
  return first_meeting_[at(communicators)] + static_cast<std::uint32_t>(stream) * of_axes.groups() +
         of_axes.group_of[at(rank)];
}

void Player::arrive(std::uint32_t index, bool segment, std::uint32_t subject) {
  Meeting& meeting = meetings_[index];
  if (meeting.arrived == 0) {
    meeting.segment = segment;
    meeting.subject = subject;
  }
  CHECK_INVARIANT(meeting.segment == segment && meeting.subject == subject);
  const int extent = script_.communicators()[meeting.communicators].extent;
  if (++meeting.arrived == static_cast<std::uint32_t>(extent)) begin(index);
}

/// The last member has come.
void Player::begin(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  const double now = network_.now();
  for (const int rank : script_.communicators()[meeting.communicators].members_of(meeting.group)) {
    const std::uint32_t task = lane(rank, meeting.stream).task;
    if (meeting.segment || script_.program(rank).tasks[task].kind == TaskKind::collective)
      span(rank, task).begin = now;
  }
  if (meeting.segment) {
    const Together& price = together_[meeting.subject][meeting.group];
    private_bytes_ += price.bytes;
    ++durations_;
    network_.at(now + price.duration, tag(Kind::over, index));
    return;
  }
  const calibrate::CollectiveCost& cost = script_.cost(meeting.subject, meeting.group);
  const bool one_domain = script_.shape(meeting.subject, meeting.group).nodes == 1;
  if ((one_domain && options_.private_as_durations) || wire_time(cost) == 0) {
    const CollectiveUse& use = graph_.collectives[meeting.subject];
    const int ranks = script_.communicators()[meeting.communicators].extent;
    if (one_domain)
      private_bytes_ += use.bytes.as_double() * ranks * calibrate::bus_factor(use.op, ranks);
    ++durations_;
    network_.at(now + cost.total.time.s(), tag(Kind::over, index));
    return;
  }
  network_.at(now + cost.latency.s(), tag(Kind::wire, index));
}

/// The latency is paid: puts the bytes on the links, so fast that alone they take the price.
void Player::start_wire(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  const double time = wire_time(script_.cost(meeting.subject, meeting.group));
  const auto bundles = wires_.of_collective(meeting.subject, meeting.group);
  if (bundles.empty()) {
    network_.at(network_.now() + time, tag(Kind::over, index));
    return;
  }
  meeting.transfers_left = static_cast<std::uint32_t>(bundles.size());
  for (const Wires::Bundle& bundle : bundles)
    network_.start(bundle.path, bundle.bytes, bundle.bytes / time, tag(Kind::arrived, index));
}

void Player::end_meeting(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  meeting.arrived = 0;
  const Meeting over = meeting;  // a member may open the next one while we go through them
  const double now = network_.now();
  for (const int rank : script_.communicators()[over.communicators].members_of(over.group)) {
    Lane& here = lane(rank, over.stream);
    const Task& task = script_.program(rank).tasks[here.task];
    if (over.segment || task.kind == TaskKind::collective)
      complete(rank, here.task);
    else if (here.until > now)
      network_.at(here.until,
                  tag(Kind::lane, rank_task(rank, static_cast<std::uint32_t>(over.stream))));
    else
      advance(rank, over.stream);
  }
}

// Messages ----------------------------------------------------------------------------------

int Player::peer_of(int rank, const Message& message) const {
  return graph_.grid.moved(rank, Axis::pipeline, message.peer_stage);
}

bool Player::same_domain(int a, int b) const {
  return fabric_.domain_of_gpu[gpu_of_rank_[at(a)]] == fabric_.domain_of_gpu[gpu_of_rank_[at(b)]];
}

/// Starts at once, whether or not the receiver is there (eager).
void Player::send(int rank, std::uint32_t task) {
  const Message& message = graph_.messages[script_.program(rank).tasks[task].index];
  const int peer = peer_of(rank, message);
  const double now = network_.now();
  Span& receive = span(peer, script_.receive_of(rank, task, peer));
  if (receive.ready >= 0) receive.begin = now;
  const bool inside = same_domain(rank, peer);
  const calibrate::CollectiveCost& cost = message.cost[inside ? 0 : 1];
  const bool on_wire = wire_time(cost) > 0 && message.bytes.count() > 0 && peer != rank &&
                       !(inside && options_.private_as_durations);
  if (on_wire) {
    network_.at(now + cost.latency.s(), tag(Kind::send_wire, rank_task(rank, task)));
    return;
  }
  if (inside) private_bytes_ += message.bytes.as_double();
  ++durations_;
  network_.at(now + cost.total.time.s(), tag(Kind::send_over, rank_task(rank, task)));
}

void Player::send_wire(int rank, std::uint32_t task) {
  const Message& message = graph_.messages[script_.program(rank).tasks[task].index];
  const int peer = peer_of(rank, message);
  const double time = wire_time(message.cost[same_domain(rank, peer) ? 0 : 1]);
  const double bytes = message.bytes.as_double();
  network_.start(wires_.between(rank, peer), bytes, bytes / time,
                 tag(Kind::send_over, rank_task(rank, task)));
}

void Player::send_over(int rank, std::uint32_t task) {
  const Message& message = graph_.messages[script_.program(rank).tasks[task].index];
  const int peer = peer_of(rank, message);
  const std::uint32_t received = script_.receive_of(rank, task, peer);
  Span& receive = span(peer, received);
  receive.end = network_.now();
  complete(rank, task);
  if (receive.ready >= 0) complete(peer, received);
}

}  // namespace sim::engine
