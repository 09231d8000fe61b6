#include "sim/analytic.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "base/check.hpp"
#include "sim/engine/fabric.hpp"

/// Why this is a lower bound: the times of a class bound those of each of its ranks from below.
/// Kernels take the same; a collective or message takes at least its least price over the shapes
/// that occur; and what a task waits for here, every rank of the class waits for (a message or a
/// collective of another stage only where that stage is one class).
namespace sim {

namespace {

using strategies::Axis;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

double least(const std::vector<calibrate::CollectiveCost>& costs) {
  double time = costs.empty() ? 0 : costs.front().total.time.s();
  for (const calibrate::CollectiveCost& cost : costs) time = std::min(time, cost.total.time.s());
  return time;
}

class Analysis {
 public:
  Analysis(const StepGraph& graph, const std::vector<int>& domain_of_gpu,
           const std::vector<topology::GpuId>& gpu_of_rank);
  Timeline run();

 private:
  /// Ranks with the same program on the same pipeline stage.
  struct Class {
    const Program* program = nullptr;
    int stage = 0;
    std::uint32_t first_node = 0;
  };
  /// A task of a class.
  struct Node {
    const Task* task = nullptr;
    std::uint32_t of_class = 0;
    std::uint32_t waits = 0;
    double sent = 0;     // receive: when the sender was ready
    double arrived = 0;  // receive: when the last byte came
    double duration = 0;
  };
  /// A collective whose groups span stages: over the classes that have come to it.
  struct Meeting {
    std::vector<std::uint32_t> nodes;
    double begin = 0;
  };
  using MessageKey = std::tuple<std::string_view, int, int, int, int>;

  void find_classes();
  void price_collectives();
  void price_messages();
  double duration_of(const Task& task, int stage) const;
  void add_nodes();
  void link();
  void link_messages();
  bool spans_stages(const Task& task) const;
  void free_node(std::uint32_t node);
  void meet(std::uint32_t node);
  void end(std::uint32_t node, double begin, double time);

  const StepGraph& graph_;
  const std::vector<int>& domain_of_gpu_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  int stages_;
  std::vector<Class> classes_;
  std::vector<std::uint32_t> class_of_rank_;
  std::vector<int> classes_on_stage_;
  std::vector<double> collective_time_;
  std::vector<double> segment_time_;
  std::vector<int> near_;  // by stages of sender and receiver: 0 all in one domain, 1 none, 2 some
  std::vector<Node> nodes_;
  std::vector<Span> spans_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges_;
  std::vector<std::uint32_t> first_next_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> receive_of_send_;
  std::vector<std::uint32_t> free_;
  std::map<std::tuple<std::uint32_t, unsigned, int>, std::uint32_t> met_;  // class, axes, stream
  std::map<std::tuple<unsigned, int, std::uint32_t>, Meeting> meetings_;   // axes, stream, number
};

constexpr std::uint32_t nobody = ~0U;

Analysis::Analysis(const StepGraph& graph, const std::vector<int>& domain_of_gpu,
                   const std::vector<topology::GpuId>& gpu_of_rank)
    : graph_(graph),
      domain_of_gpu_(domain_of_gpu),
      gpu_of_rank_(gpu_of_rank),
      stages_(graph.grid.extent(Axis::pipeline)) {
  find_classes();
  price_collectives();
  price_messages();
  add_nodes();
  link();
}

void Analysis::find_classes() {
  std::vector<std::uint32_t> known(graph_.programs.size() * at(stages_), nobody);
  classes_on_stage_.assign(at(stages_), 0);
  for (int rank = 0; rank < graph_.grid.size(); ++rank) {
    const std::size_t program = graph_.program_of_rank[at(rank)];
    const int stage = graph_.grid.coordinate(rank, Axis::pipeline);
    std::uint32_t& found = known[program * at(stages_) + at(stage)];
    if (found == nobody) {
      found = static_cast<std::uint32_t>(classes_.size());
      classes_.push_back({&graph_.programs[program], stage, 0});
      ++classes_on_stage_[at(stage)];
    }
    class_of_rank_.push_back(found);
  }
}

void Analysis::price_collectives() {
  for (const CollectiveUse& use : graph_.collectives)
    collective_time_.push_back(graph_.grid.extent(use.axes) > 1 ? least(use.cost) : 0);
  for (const Segment& segment : graph_.segments) {
    double time = 0;
    for (const Piece& piece : segment.pieces)
      time += std::max(piece.compute.s(),
                       piece.collective < 0 ? 0.0 : collective_time_[at(piece.collective)]);
    segment_time_.push_back(time);
  }
}

void Analysis::price_messages() {
  near_.assign(at(stages_) * at(stages_), -1);
  std::vector<std::vector<int>> peers(at(stages_));
  for (const Class& one : classes_)
    for (const Task& task : one.program->tasks)
      if (task.kind == TaskKind::send) {
        const int peer = graph_.messages[task.index].peer_stage;
        int& seen = near_[at(one.stage) * at(stages_) + at(peer)];
        if (seen < 0) peers[at(one.stage)].push_back(peer);
        seen = 3;
      }
  for (int rank = 0; rank < graph_.grid.size(); ++rank) {
    const int stage = graph_.grid.coordinate(rank, Axis::pipeline);
    for (const int peer_stage : peers[at(stage)]) {
      int& near = near_[at(stage) * at(stages_) + at(peer_stage)];
      if (near == 2) continue;
      const int peer = graph_.grid.moved(rank, Axis::pipeline, peer_stage);
      const bool inside =
          domain_of_gpu_[gpu_of_rank_[at(rank)]] == domain_of_gpu_[gpu_of_rank_[at(peer)]];
      const int this_pair = inside ? 0 : 1;
      near = near == 3 || near == this_pair ? this_pair : 2;
    }
  }
}

double Analysis::duration_of(const Task& task, int stage) const {
  switch (task.kind) {
    case TaskKind::run: return segment_time_[task.index];
    case TaskKind::collective: return collective_time_[task.index];
    case TaskKind::copy: return graph_.copies[task.index].cost.time.s();
    case TaskKind::receive: return 0;
    case TaskKind::send: break;
  }
  const Message& message = graph_.messages[task.index];
  const int near = near_[at(stage) * at(stages_) + at(message.peer_stage)];
  return near == 2 ? least(message.cost) : message.cost[at(near)].total.time.s();
}

void Analysis::add_nodes() {
  for (std::uint32_t c = 0; c < classes_.size(); ++c) {
    Class& one = classes_[c];
    one.first_node = static_cast<std::uint32_t>(nodes_.size());
    for (const Task& task : one.program->tasks)
      nodes_.push_back({&task, c, 0, 0, 0, duration_of(task, one.stage)});
  }
  spans_.resize(nodes_.size());
}

void Analysis::link() {
  for (const Class& one : classes_) {
    std::array<std::uint32_t, stream_count> last;
    last.fill(nobody);
    for (std::uint32_t i = 0; i < one.program->tasks.size(); ++i) {
      const Task& task = one.program->tasks[i];
      for (std::uint32_t d = 0; d < task.dependency_count; ++d)
        edges_.emplace_back(one.first_node + one.program->dependencies[task.first_dependency + d],
                            one.first_node + i);
      std::uint32_t& previous = last[static_cast<std::size_t>(task.stream)];
      if (previous != nobody) edges_.emplace_back(previous, one.first_node + i);
      previous = one.first_node + i;
    }
  }
  link_messages();
  first_next_.assign(nodes_.size() + 1, 0);
  for (const auto& [before, after] : edges_) {
    ++first_next_[before + 1];
    ++nodes_[after].waits;
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) first_next_[i + 1] += first_next_[i];
  next_.resize(edges_.size());
  std::vector<std::uint32_t> place(first_next_.begin(), first_next_.end() - 1);
  for (const auto& [before, after] : edges_) next_[place[before]++] = after;
}

void Analysis::link_messages() {
  receive_of_send_.assign(nodes_.size(), nobody);
  std::map<MessageKey, std::uint32_t> receives;
  const auto key = [&](const Task& task, int from, int to) {
    const Message& message = graph_.messages[task.index];
    return MessageKey{message.name, task.micro_batch, message.sender_chunk, from, to};
  };
  const auto peer_stage = [&](const Node& node) {
    return graph_.messages[node.task->index].peer_stage;
  };
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.task->kind == TaskKind::receive && classes_on_stage_[at(peer_stage(node))] == 1)
      receives.emplace(key(*node.task, peer_stage(node), classes_[node.of_class].stage), i);
  }
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.task->kind != TaskKind::send) continue;
    const auto found =
        receives.find(key(*node.task, classes_[node.of_class].stage, peer_stage(node)));
    if (found == receives.end() || classes_on_stage_[at(peer_stage(node))] != 1) continue;
    receive_of_send_[i] = found->second;
    edges_.emplace_back(i, found->second);
  }
}

/// Whether all stages take part in the collective and each of them is one class.
bool Analysis::spans_stages(const Task& task) const {
  if (task.kind != TaskKind::collective || stages_ == 1) return false;
  if (!graph_.collectives[task.index].axes.has(Axis::pipeline)) return false;
  return std::all_of(classes_on_stage_.begin(), classes_on_stage_.end(),
                     [](int classes) { return classes == 1; });
}

/// All that the task waits for has ended; spans_[node].ready says when.
void Analysis::free_node(std::uint32_t index) {
  const Node& node = nodes_[index];
  const double ready = spans_[index].ready;
  if (spans_stages(*node.task)) {
    meet(index);
  } else if (node.task->kind == TaskKind::receive) {
    end(index, std::max(ready, node.sent), std::max(ready, node.arrived));
  } else {
    end(index, ready, ready + node.duration);
  }
}

void Analysis::meet(std::uint32_t index) {
  const Node& node = nodes_[index];
  const unsigned axes = graph_.collectives[node.task->index].axes.bits();
  const int stream = static_cast<int>(node.task->stream);
  const std::uint32_t number = met_[{node.of_class, axes, stream}]++;
  Meeting& meeting = meetings_[{axes, stream, number}];
  meeting.nodes.push_back(index);
  meeting.begin = std::max(meeting.begin, spans_[index].ready);
  if (meeting.nodes.size() < classes_.size()) return;
  for (const std::uint32_t one : meeting.nodes)
    end(one, meeting.begin, meeting.begin + nodes_[one].duration);
}

void Analysis::end(std::uint32_t index, double begin, double time) {
  spans_[index].begin = begin;
  spans_[index].end = time;
  const std::uint32_t receive = receive_of_send_[index];
  for (std::uint32_t i = first_next_[index]; i < first_next_[index + 1]; ++i) {
    const std::uint32_t after = next_[i];
    if (after == receive) {
      nodes_[after].sent = spans_[index].ready;
      nodes_[after].arrived = time;
    } else {
      spans_[after].ready = std::max(spans_[after].ready, time);
    }
    if (--nodes_[after].waits == 0) free_.push_back(after);
  }
}

Timeline Analysis::run() {
  for (std::uint32_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].waits == 0) free_.push_back(i);
  for (std::size_t done = 0; done < free_.size(); ++done) free_node(free_[done]);
  CHECK_INVARIANT(free_.size() == nodes_.size());
  Timeline timeline;
  double step = 0;
  for (const Span& span : spans_) step = std::max(step, span.end);
  timeline.step = base::Seconds::from_s(step);
  for (const std::uint32_t of_class : class_of_rank_)
    timeline.first_span.push_back(classes_[of_class].first_node);
  timeline.first_span.push_back(static_cast<std::uint32_t>(spans_.size()));
  timeline.spans = std::move(spans_);
  return timeline;
}

}  // namespace

Timeline analyse(const StepGraph& graph, const std::vector<int>& domain_of_gpu,
                 const std::vector<topology::GpuId>& gpu_of_rank) {
  CHECK_INVARIANT(gpu_of_rank.size() == at(graph.grid.size()));
  return Analysis(graph, domain_of_gpu, gpu_of_rank).run();
}

Timeline analyse(const StepGraph& graph, const topology::Cluster& cluster,
                 const std::vector<topology::GpuId>& gpu_of_rank) {
  return analyse(graph, engine::domains_of(cluster), gpu_of_rank);
}

}  // namespace sim
