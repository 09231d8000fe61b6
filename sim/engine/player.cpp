#include "sim/engine/player.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::engine {

namespace {

using strategies::Axis;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

constexpr std::uint64_t progress_every = 1U << 15;

}  // namespace

Player::Player(const StepGraph& graph, const Script& script, const Traffic& traffic,
               const Cast& cast, const PlayOptions& options, std::span<Span> spans,
               Network& network)
    : graph_(graph),
      script_(script),
      traffic_(traffic),
      cast_(cast),
      options_(options),
      spans_(spans),
      network_(network),
      client_(network.join({[this](Tag tag) { go_on(tag); }, [this](Tag tag) { go_on(tag); }})),
      wires_(traffic, cast, network_),
      current_(cast.actors() * stream_count, 0),
      send_parts_(cast.actors(), 0),
      compute_(cast.actors()),
      together_(graph.segments.size()) {
  std::size_t tasks = 0;
  for (const int rank : cast.rank_of_actor) {
    first_task_.push_back(tasks);
    tasks += script.program(rank).tasks.size();
  }
  CHECK_INVARIANT(tasks == spans_.size() && cast.actors() < (1U << 24));
  waits_.reserve(tasks);
  for (std::uint32_t c = 0; c < cast.groups.size(); ++c) {
    first_meeting_.push_back(static_cast<std::uint32_t>(meetings_.size()));
    for (std::uint32_t group = 0; group < cast.groups[c].count(); ++group) {
      meetings_.emplace_back();
      meetings_.back().communicators = c;
      meetings_.back().group = group;
    }
  }
}

void Player::begin_step() {
  done_ = 0;
  outcome_.begin = outcome_.end = network_.now();
  std::fill(spans_.begin(), spans_.end(), Span{-1, -1, -1});
  waits_.clear();
  for (const int rank : cast_.rank_of_actor) {
    const std::vector<std::uint16_t>& waits = script_.order(rank).waits;
    waits_.insert(waits_.end(), waits.begin(), waits.end());
  }
  for (Actor actor = 0; actor < cast_.actors(); ++actor) {
    const std::vector<std::uint16_t>& waits = script_.order(rank_of(actor)).waits;
    for (std::uint32_t task = 0; task < waits.size(); ++task)
      if (waits[task] == 0) ready_.emplace_back(actor, task);
  }
  work_off_ready();
}

void Player::go_on(Tag tag) {
  if (over()) return;  // what was to happen in a step that had no need of it
  handle(tag);
  work_off_ready();
  if (over() && options_.over) options_.over();
}

void Player::handle(Tag tag) {
  const std::uint64_t subject = tag & ((Tag{1} << 56) - 1);
  const auto lower = static_cast<std::uint32_t>(subject);
  const auto upper = static_cast<std::uint32_t>(subject >> 32);
  switch (static_cast<Kind>(tag >> 56)) {
    case Kind::compute:
      if ((compute_[upper].generation) != lower) break;
      kernels_over(upper);
      break;
    case Kind::over:
      if ((meetings_[lower].generation & 0xffffffU) != upper) break;
      meetings_[lower].held.on ? look_at_held(lower) : end_meeting(lower);
      break;
    case Kind::wire: start_wire(lower); break;
    case Kind::arrived:
      if (--meetings_[lower].transfers_left == 0) arrived(lower);
      break;
    case Kind::send_wire: send_wire(upper, lower); break;
    case Kind::send_arrived:
      if (--send_parts_[upper] == 0) send_over(upper, lower);
      break;
    case Kind::send_over: send_over(upper, lower); break;
    case Kind::copied: complete(upper, lower); break;
  }
}

void Player::work_off_ready() {
  while (!ready_.empty()) {
    const auto [actor, task] = ready_.front();
    ready_.pop_front();
    ready(actor, task);
  }
}

void Player::ready(Actor actor, std::uint32_t index) {
  const Task& task = tasks(actor)[index];
  Span& when = span(actor, index);
  when.ready = when.begin = network_.now();
  switch (task.kind) {
    case TaskKind::run:
      current(actor, task.stream) = index;
      compute_[actor].piece = 0;
      compute_[actor].slowed = 0;
      run_segment(actor, task);
      break;
    case TaskKind::collective:
      current(actor, task.stream) = index;
      if (script_.talks(static_cast<std::int32_t>(task.index)))
        arrive(meeting_of(script_.of_collective(task.index), actor), task.stream, false,
               task.index);
      else
        complete(actor, index);
      break;
    case TaskKind::copy:
      appoint(when.begin + graph_.copies[task.index].cost.time.s(),
              tag(Kind::copied, pair(actor, index)));
      break;
    case TaskKind::send: send(actor, index); break;
    case TaskKind::receive:
      if (when.end >= 0) complete(actor, index);  // it has arrived before
      break;
  }
}

void Player::complete(Actor actor, std::uint32_t task) {
  const double now = network_.now();
  span(actor, task).end = now;
  outcome_.end = now;
  if (++done_ % progress_every == 0 && options_.progress)
    options_.progress(static_cast<double>(done_) / static_cast<double>(spans_.size()));
  const Script::Order& order = script_.order(rank_of(actor));
  std::uint16_t* const waits = waits_.data() + first_task_[actor];
  for (std::uint32_t i = order.first_next[task]; i < order.first_next[task + 1]; ++i)
    if (--waits[order.next[i]] == 0) ready_.emplace_back(actor, order.next[i]);
}

// Collectives -------------------------------------------------------------------------------

std::uint32_t Player::meeting_of(int communicators, Actor actor) const {
  const std::uint32_t group =
      script_.communicators()[at(communicators)].group_of[at(rank_of(actor))];
  return first_meeting_[at(communicators)] + cast_.groups[at(communicators)].class_of[group];
}

void Player::arrive(std::uint32_t index, Stream stream, bool segment, std::uint32_t subject) {
  Meeting& meeting = meetings_[index];
  if (meeting.arrived == 0) {
    meeting.stream = stream;
    meeting.segment = segment;
    meeting.subject = subject;
  }
  CHECK_INVARIANT(meeting.stream == stream && meeting.segment == segment &&
                  meeting.subject == subject);
  if (++meeting.arrived == members(meeting).size()) begin(index);
}

/// The last member has come.
void Player::begin(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  const double now = network_.now();
  ++meeting.generation;
  for (const Actor actor : members(meeting)) {
    const std::uint32_t task = current(actor, meeting.stream);
    if (meeting.segment || tasks(actor)[task].kind == TaskKind::collective)
      span(actor, task).begin = now;
  }
  if (meeting.segment) {
    for (const Actor actor : members(meeting)) compute_[actor].meeting = index + 1;
    const std::vector<Progress::Part>& parts = together_[meeting.subject][meeting.group].parts;
    meeting.progress.start(parts, now);
    meeting.full_end = meeting.progress.end();
    meeting.progress.set_speed(now, speed_of_group(meeting));
    ++outcome_.durations;
    await_segment(index);
    for (const Actor actor : members(meeting)) work_on_held_by(actor);
    return;
  }
  const calibrate::CollectiveCost& cost = script_.cost(meeting.subject, real_group(meeting));
  if (meeting.stream != Stream::compute) {
    take(meeting, 1);
    if (cost.is_held_up()) hold(index, cost.total.time.s());
  }
  const int pattern = traffic_.pattern_of(meeting.subject, real_group(meeting));
  if (pattern >= 0 && !wires_.of_collective(pattern, meeting.group).empty()) {
    appoint(now + cost.latency.s(), tag(Kind::wire, index));
    return;
  }
  ++(pattern >= 0 ? outcome_.calm : outcome_.durations);
  if (!meeting.held.on)
    appoint(now + cost.total.time.s(), tag(Kind::over, pair(meeting.generation, index)));
}

/// The latency is paid: puts the bytes on the links, so fast that alone they take the price.
void Player::start_wire(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  const std::uint32_t group = real_group(meeting);
  const int pattern = traffic_.pattern_of(meeting.subject, group);
  const double scale = traffic_.scale(meeting.subject, pattern);
  const double time = script_.cost(meeting.subject, group).wire_time();
  const auto flows = wires_.of_collective(pattern, meeting.group);
  meeting.transfers_left = static_cast<std::uint32_t>(flows.size());
  for (const Wires::Flow& flow : flows)
    network_.start(flow.path, flow.bytes * scale, flow.bytes * scale / time, client_,
                   tag(Kind::arrived, index));
}

void Player::end_meeting(std::uint32_t index) {
  Meeting& meeting = meetings_[index];
  meeting.arrived = 0;
  ++meeting.generation;
  const Meeting over = meeting;  // a member may open the next one while we go through them
  if (over.held.on) release(index);
  if (!over.segment && over.stream != Stream::compute) take(over, -1);
  for (const Actor actor : members(over)) {
    const std::uint32_t task = current(actor, over.stream);
    if (over.segment) {
      compute_[actor].meeting = 0;
      span(actor, task).slowed = std::max(0.0, network_.now() - over.full_end);
    }
    if (over.held.on) span(actor, task).slowed = network_.now() - over.held.free_end;
    if (over.segment || tasks(actor)[task].kind == TaskKind::collective)
      complete(actor, task);
    else
      await_kernels(actor);
  }
}

// Messages ----------------------------------------------------------------------------------

const Message& Player::message_of(Actor actor, std::uint32_t task) const {
  return graph_.messages[tasks(actor)[task].index];
}

int Player::peer_of(Actor actor, const Message& message) const {
  return graph_.grid.moved(rank_of(actor), Axis::pipeline, message.peer_stage);
}

const calibrate::CollectiveCost& Player::message_cost(Actor actor, const Message& message) const {
  return message.cost[traffic_.same_domain(rank_of(actor), peer_of(actor, message)) ? 0 : 1];
}

/// Starts at once, whether or not the receiver is there (eager).
void Player::send(Actor actor, std::uint32_t task) {
  const Message& message = message_of(actor, task);
  const int peer = peer_of(actor, message);
  const double now = network_.now();
  const std::uint32_t received = script_.receive_of(rank_of(actor), task, peer);
  Span& receive = span(cast_.actor_of_rank[at(peer)], received);
  if (receive.ready >= 0) receive.begin = now;
  const calibrate::CollectiveCost& cost = message_cost(actor, message);
  const bool on_network = cost.wire_time() > 0 && message.bytes.count() > 0 &&
                          !traffic_.message_flows(rank_of(actor), peer).empty();
  if (on_network && !wires_.of_message(rank_of(actor), peer).empty()) {
    appoint(now + cost.latency.s(), tag(Kind::send_wire, pair(actor, task)));
    return;
  }
  ++(on_network ? outcome_.calm : outcome_.durations);
  appoint(now + cost.total.time.s(), tag(Kind::send_over, pair(actor, task)));
}

void Player::send_wire(Actor actor, std::uint32_t task) {
  const Message& message = message_of(actor, task);
  const double time = message_cost(actor, message).wire_time();
  const auto flows = wires_.of_message(rank_of(actor), peer_of(actor, message));
  CHECK_INVARIANT(flows.size() < 256);
  send_parts_[actor] = static_cast<std::uint8_t>(flows.size());
  for (const Wires::Flow& flow : flows) {
    const double bytes = flow.bytes * message.bytes.as_double();
    network_.start(flow.path, bytes, bytes / time, client_,
                   tag(Kind::send_arrived, pair(actor, task)));
  }
}

void Player::send_over(Actor actor, std::uint32_t task) {
  const int peer = peer_of(actor, message_of(actor, task));
  const std::uint32_t received = script_.receive_of(rank_of(actor), task, peer);
  const Actor receiver = cast_.actor_of_rank[at(peer)];
  Span& receive = span(receiver, received);
  receive.end = network_.now();
  complete(actor, task);
  if (receive.ready >= 0) complete(receiver, received);
}

}  // namespace sim::engine
