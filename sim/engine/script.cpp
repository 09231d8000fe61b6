#include "sim/engine/script.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "base/check.hpp"

namespace sim::engine {

namespace {

using strategies::Axis;
using strategies::AxisSet;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

Script::Order order_of(const Program& program) {
  const std::size_t count = program.tasks.size();
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  std::array<int, stream_count> last;
  last.fill(-1);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Task& task = program.tasks[i];
    for (std::uint32_t d = 0; d < task.dependency_count; ++d)
      edges.emplace_back(program.dependencies[task.first_dependency + d], i);
    int& previous = last[static_cast<std::size_t>(task.stream)];
    if (previous >= 0) edges.emplace_back(previous, i);
    previous = static_cast<int>(i);
  }
  std::sort(edges.begin(), edges.end());
  Script::Order order;
  order.waits.assign(count, 0);
  order.first_next.assign(count + 1, 0);
  for (const auto& [before, after] : edges) {
    CHECK_INVARIANT(order.waits[after] < std::numeric_limits<std::uint16_t>::max());
    ++order.waits[after];
    ++order.first_next[before + 1];
    order.next.push_back(after);
  }
  for (std::size_t i = 0; i < count; ++i) order.first_next[i + 1] += order.first_next[i];
  return order;
}

/// How often each collective runs in a program.
std::vector<double> executions(const StepGraph& graph, const Program& program) {
  std::vector<double> segments(graph.segments.size(), 0);
  std::vector<double> counts(graph.collectives.size(), 0);
  for (const Task& task : program.tasks) {
    if (task.kind == TaskKind::collective) counts[task.index] += 1;
    if (task.kind == TaskKind::run) segments[task.index] += 1;
  }
  for (std::size_t s = 0; s < segments.size(); ++s)
    if (segments[s] > 0)
      for (const Piece& piece : graph.segments[s].pieces)
        if (piece.collective >= 0) counts[at(piece.collective)] += segments[s];
  return counts;
}

}  // namespace

Script::Script(const StepGraph& graph) : graph_(&graph), matches_(graph.programs.size()) {
  for (const Program& program : graph.programs) orders_.push_back(order_of(program));
  for (const CollectiveUse& use : graph.collectives)
    of_collective_.push_back(communicators_of(use.axes));
  for (std::uint32_t use = 0; use < graph.collectives.size(); ++use)
    communicators_[at(of_collective_[use])].uses.push_back(use);
  for (const Program& program : graph.programs) {
    std::vector<double> times(graph.messages.size(), 0);
    for (const Task& task : program.tasks)
      if (task.kind == TaskKind::send) times[task.index] += 1;
    messages_sent_.emplace_back();
    for (std::uint32_t message = 0; message < times.size(); ++message)
      if (times[message] > 0) messages_sent_.back().push_back(message);
    times_sent_.push_back(std::move(times));
    times_run_.push_back(executions(graph, program));
  }
  for (const Segment& segment : graph.segments) {
    AxisSet axes;
    for (const Piece& piece : segment.pieces)
      if (talks(piece.collective)) axes = axes | graph.collectives[at(piece.collective)].axes;
    of_segment_.push_back(axes == AxisSet{} ? -1 : communicators_of(axes));
  }
}

int Script::communicators_of(AxisSet axes) {
  for (std::size_t i = 0; i < communicators_.size(); ++i)
    if (communicators_[i].axes == axes) return static_cast<int>(i);
  const strategies::RankGrid& grid = graph_->grid;
  Communicators made{axes, grid.extent(axes), {}, {}, nullptr, {}};
  for (int rank = 0; rank < grid.size(); ++rank)
    made.group_of.push_back(static_cast<std::uint32_t>(grid.group_of(rank, axes)));
  for (int group = 0; group < grid.group_count(axes); ++group) {
    std::vector<int> members = grid.members(group, axes);
    std::sort(members.begin(), members.end());
    made.members.insert(made.members.end(), members.begin(), members.end());
  }
  for (const StepGraph::Groups& groups : graph_->groups)
    if (groups.axes == axes) made.shapes = &groups;
  communicators_.push_back(std::move(made));
  return static_cast<int>(communicators_.size() - 1);
}

const calibrate::CollectiveCost& Script::cost(std::uint32_t use, std::uint32_t group) const {
  const StepGraph::Groups* shapes = communicators_[at(of_collective_[use])].shapes;
  return graph_->collectives[use].cost[shapes->shape_of_group[group]];
}

const calibrate::GroupShape& Script::shape(std::uint32_t use, std::uint32_t group) const {
  const StepGraph::Groups* shapes = communicators_[at(of_collective_[use])].shapes;
  return shapes->shapes[shapes->shape_of_group[group]];
}

std::uint32_t Script::receive_of(int sender, std::uint32_t send, int receiver) const {
  const std::uint16_t from = program_of(sender);
  const std::uint16_t to = program_of(receiver);
  const int from_stage = graph_->grid.coordinate(sender, Axis::pipeline);
  const int to_stage = graph_->grid.coordinate(receiver, Axis::pipeline);
  std::vector<Match>& known = matches_[from];
  const auto found = std::find_if(known.begin(), known.end(), [&](const Match& m) {
    return m.receiver == to && m.sender_stage == from_stage && m.receiver_stage == to_stage;
  });
  if (found != known.end()) return found->receive_of_send[send];
  known.push_back(make_match(from, to, from_stage, to_stage));
  return known.back().receive_of_send[send];
}

Script::Match Script::make_match(std::uint16_t sender, std::uint16_t receiver, int from,
                                 int to) const {
  std::map<std::tuple<std::string_view, int, int>, std::uint32_t> receives;
  const std::vector<Task>& receiving = graph_->programs[receiver].tasks;
  for (std::uint32_t i = 0; i < receiving.size(); ++i) {
    if (receiving[i].kind != TaskKind::receive) continue;
    const Message& message = graph_->messages[receiving[i].index];
    if (message.peer_stage == from)
      receives[{message.name, receiving[i].micro_batch, message.sender_chunk}] = i;
  }
  const std::vector<Task>& sending = graph_->programs[sender].tasks;
  Match match{receiver, from, to, std::vector<std::uint32_t>(sending.size(), 0)};
  for (std::uint32_t i = 0; i < sending.size(); ++i) {
    if (sending[i].kind != TaskKind::send) continue;
    const Message& message = graph_->messages[sending[i].index];
    if (message.peer_stage != to) continue;
    const auto found = receives.find({message.name, sending[i].micro_batch, message.sender_chunk});
    CHECK_INVARIANT(found != receives.end());
    match.receive_of_send[i] = found->second;
  }
  return match;
}

}  // namespace sim::engine
