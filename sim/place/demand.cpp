#include "sim/place/demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "sim/analytic.hpp"
#include "sim/collectives/collectives.hpp"
#include "sim/engine/script.hpp"

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Where the growth of the step is looked at.
constexpr std::array stretches{1.25, 1.5, 2.0, 3.0, 5.0, 9.0, 17.0, 65.0};

/// A number that ranks agree on is not on the network for its bytes' sake: see engine::Traffic.
constexpr std::int64_t scalar_bytes = 4;

/// Messages are told apart by their names, for they go opposite ways; collectives have none here.
using Key = std::tuple<CommKind, strategies::AxisSet, std::string>;

/// A demand while it is gathered.
struct Gathered {
  std::map<std::tuple<int, int, int>, double> edges;  // stage of the sender, slots
  std::map<int, double> rails;
  std::vector<double> alone;  // by rank
  std::vector<std::uint32_t> uses;
  std::vector<std::uint32_t> messages;
};

class Gathering {
 public:
  Gathering(const StepGraph& graph, const topology::Cluster& cluster,
            const std::vector<topology::GpuId>& gpu_of_rank, int ranks_per_slot)
      : graph_(graph),
        cluster_(cluster),
        gpu_of_rank_(gpu_of_rank),
        ranks_per_slot_(ranks_per_slot),
        script_(graph),
        timeline_(analyse(graph, cluster, gpu_of_rank)) {
    for (const topology::NodeInfo& node : cluster.nodes())
      rails_ = std::max(rails_, node.type->nics);
    for (std::uint32_t use = 0; use < graph.collectives.size(); ++use) note_use(use);
    for (auto& [pattern, bytes] : patterns_) add_pattern(pattern, bytes);
    for (int rank = 0; rank < graph.grid.size(); ++rank) add_messages(rank);
  }

  StepDemand take() {
    StepDemand all;
    all.step = timeline_.step.s();
    all.slots = (graph_.grid.size() + ranks_per_slot_ - 1) / ranks_per_slot_;
    for (auto& [key, gathered] : demands_)
      if (!gathered.edges.empty()) all.demands.push_back(demand(key, gathered, all.step));
    return all;
  }

 private:
  /// Collectives of a group that send the same shares of their bytes along the same ways.
  struct Pattern {
    Key key;
    int communicators = 0;
    std::uint32_t group = 0;
    calibrate::Collective op{};
    calibrate::CollectiveAlgorithm algorithm{};
    const std::vector<double>* shares = nullptr;
    auto order() const { return std::tie(key, communicators, group, op, algorithm, *shares); }
    bool operator<(const Pattern& other) const { return order() < other.order(); }
  };

  int slot_of(int rank) const { return rank / ranks_per_slot_; }

  void note_use(std::uint32_t use) {
    const CollectiveUse& what = graph_.collectives[use];
    if (!script_.talks(static_cast<std::int32_t>(use)) || what.bytes.count() <= scalar_bytes)
      return;
    const Key key{what.kind, what.axes, ""};
    Gathered& gathered = demands_[key];
    gathered.uses.push_back(use);
    gathered.alone.resize(at(graph_.grid.size()), 0);
    const engine::Script::Communicators& groups =
        script_.communicators()[at(script_.of_collective(use))];
    for (std::uint32_t group = 0; group < groups.groups(); ++group) {
      const std::span<const int> members = groups.members_of(group);
      const double times = script_.times_run(members.front(), use);
      if (times == 0) continue;
      const calibrate::CollectiveCost& cost = script_.cost(use, group);
      for (const int rank : members) gathered.alone[at(rank)] += times * cost.wire_time();
      if (slot_of(members.front()) == slot_of(members.back())) continue;
      patterns_[{key, script_.of_collective(use), group, what.op, cost.algorithm, &what.shares}] +=
          times * what.bytes.as_double();
    }
  }

  void add_pattern(const Pattern& pattern, double bytes) {
    const std::span<const int> members =
        script_.communicators()[at(pattern.communicators)].members_of(pattern.group);
    std::vector<collectives::Member> places;
    for (const int rank : members) {
      const topology::GpuId gpu = gpu_of_rank_[at(rank)];
      const auto node = at(cluster_.node_of(gpu));
      places.push_back({cluster_.nodes()[node].accelerator_domain, cluster_.rail_of(gpu)});
    }
    const collectives::Expansion expansion =
        collectives::algorithm(pattern.algorithm)
            .expand({pattern.op, base::Bytes::from_double(bytes), *pattern.shares}, places);
    for (const collectives::Flow& flow : expansion.flows)
      add(demands_[pattern.key], members[at(flow.from)], members[at(flow.to)],
          flow.bytes.as_double());
  }

  void add_messages(int rank) {
    for (const std::uint32_t index : script_.messages_sent(rank)) {
      const Message& message = graph_.messages[index];
      const int peer = graph_.grid.moved(rank, strategies::Axis::pipeline, message.peer_stage);
      if (peer == rank) continue;
      Gathered& gathered = demands_[{CommKind::pipeline, strategies::Axis::pipeline, message.name}];
      if (std::find(gathered.messages.begin(), gathered.messages.end(), index) ==
          gathered.messages.end())
        gathered.messages.push_back(index);
      gathered.alone.resize(at(graph_.grid.size()), 0);
      const double times = script_.times_sent(rank, index);
      gathered.alone[at(rank)] += times * message.cost[1].wire_time();
      add(gathered, rank, peer, std::round(times * message.bytes.as_double()));
    }
  }

  void add(Gathered& gathered, int from, int to, double bytes) {
    if (slot_of(from) == slot_of(to) || bytes == 0) return;
    const int stage = graph_.grid.coordinate(from, strategies::Axis::pipeline);
    gathered.edges[{stage, slot_of(from), slot_of(to)}] += bytes;
    gathered.rails[cluster_.rail_of(gpu_of_rank_[at(to)])] += bytes;
  }

  Demand demand(const Key& key, const Gathered& gathered, double step) const {
    Demand made;
    const auto& [kind, axes, message] = key;
    made.kind = kind;
    made.axes = axes;
    made.name = fmt::format("{} over {}{}{}", name_of(kind), strategies::name_of(axes),
                            message.empty() ? "" : ": ", message);
    made.chained = !message.empty();
    const std::vector<int> part_of_stage =
        made.chained ? senders(gathered.alone) : parts_in_time(gathered.uses);
    made.parts = 1 + *std::max_element(part_of_stage.begin(), part_of_stage.end());
    std::map<std::tuple<int, int, int>, double> edges;
    for (const auto& [ends, bytes] : gathered.edges)
      edges[{part_of_stage[at(std::get<0>(ends))], std::get<1>(ends), std::get<2>(ends)}] += bytes;
    for (const auto& [ends, bytes] : edges)
      made.edges.push_back({std::get<1>(ends), std::get<2>(ends), bytes, std::get<0>(ends)});
    double busiest = 0;
    for (const auto& [rail, bytes] : gathered.rails) busiest = std::max(busiest, bytes);
    made.skew = busiest * rails_ / made.bytes();
    made.alone = *std::max_element(gathered.alone.begin(), gathered.alone.end());
    made.growth.push_back({1, 0});
    StepGraph slower = graph_;
    for (const double stretch : stretches) {
      for (const std::uint32_t use : gathered.uses)
        for (std::size_t i = 0; i < slower.collectives[use].cost.size(); ++i)
          slower.collectives[use].cost[i] = slowed(graph_.collectives[use].cost[i], stretch);
      for (const std::uint32_t sent : gathered.messages)
        for (std::size_t i = 0; i < slower.messages[sent].cost.size(); ++i)
          slower.messages[sent].cost[i] = slowed(graph_.messages[sent].cost[i], stretch);
      const double longer = analyse(slower, cluster_, gpu_of_rank_).step.s() - step;
      made.growth.push_back({stretch, std::max(longer, made.growth.back().seconds)});
    }
    return made;
  }

  /// Numbers of the stages that send anything.
  std::vector<int> senders(const std::vector<double>& alone) const {
    std::vector<int> part(at(graph_.grid.extent(strategies::Axis::pipeline)), -1);
    for (int rank = 0; rank < graph_.grid.size(); ++rank)
      if (alone[at(rank)] > 0)
        part[at(graph_.grid.coordinate(rank, strategies::Axis::pipeline))] = 0;
    int parts = 0;
    for (int& one : part)
      if (one == 0) one = parts++;
    return part;
  }

  /// When a stage's tasks of some collectives run, in the order of their beginnings.
  using Times = std::vector<std::pair<double, double>>;

  /// For each stage the number of a part. Stages whose collectives run at the same time are one
  /// part; so are all where collectives run inside segments, or there are none.
  std::vector<int> parts_in_time(const std::vector<std::uint32_t>& uses) const {
    const int stages = graph_.grid.extent(strategies::Axis::pipeline);
    std::vector<int> part(at(stages), 0);
    if (uses.empty() || runs_in_segments(uses)) return part;
    std::vector<Times> times(at(stages));
    for (int stage = 0; stage < stages; ++stage) {
      const int rank = graph_.grid.moved(0, strategies::Axis::pipeline, stage);
      const Program& program = script_.program(rank);
      for (std::uint32_t task = 0; task < program.tasks.size(); ++task) {
        if (program.tasks[task].kind != TaskKind::collective ||
            std::find(uses.begin(), uses.end(), program.tasks[task].index) == uses.end())
          continue;
        const Span& span = timeline_.span(rank, task);
        if (span.end > span.begin) times[at(stage)].emplace_back(span.begin, span.end);
      }
      std::sort(times[at(stage)].begin(), times[at(stage)].end());
    }
    // A stage joins the first part of which one stage is at work when it is.
    int parts = 0;
    for (int stage = 0; stage < stages; ++stage) {
      int found = parts;
      for (int before = 0; before < stage && found == parts; ++before)
        if (overlap(times[at(stage)], times[at(before)])) found = part[at(before)];
      part[at(stage)] = found;
      parts = std::max(parts, found + 1);
    }
    return part;
  }

  bool runs_in_segments(const std::vector<std::uint32_t>& uses) const {
    for (const Segment& segment : graph_.segments)
      for (const Piece& piece : segment.pieces)
        if (piece.collective >= 0 &&
            std::find(uses.begin(), uses.end(), static_cast<std::uint32_t>(piece.collective)) !=
                uses.end())
          return true;
    return false;
  }

  /// Whether the less busy of both is at it together with the other for more than a tenth.
  static bool overlap(const Times& a, const Times& b) {
    const auto busy = [](const Times& times) {
      double sum = 0;
      for (const auto& [begin, end] : times) sum += end - begin;
      return sum;
    };
    double both = 0;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
      both += std::max(0.0, std::min(a[i].second, b[j].second) - std::max(a[i].first, b[j].first));
      a[i].second < b[j].second ? ++i : ++j;
    }
    return both > 0.1 * std::min(busy(a), busy(b));
  }

  static calibrate::CollectiveCost slowed(calibrate::CollectiveCost cost, double stretch) {
    cost.total.time += base::Seconds::from_s(cost.wire_time() * (stretch - 1));
    return cost;
  }

  const StepGraph& graph_;
  const topology::Cluster& cluster_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  int ranks_per_slot_;
  int rails_ = 1;
  engine::Script script_;
  Timeline timeline_;
  std::map<Key, Gathered> demands_;
  std::map<Pattern, double> patterns_;
};

}  // namespace

double Demand::growth_at(double stretch) const {
  if (stretch <= 1) return 0;
  std::size_t i = 1;
  while (i + 1 < growth.size() && growth[i].stretch < stretch) ++i;
  const Growth& a = growth[i - 1];
  const Growth& b = growth[i];
  return a.seconds + (b.seconds - a.seconds) * (stretch - a.stretch) / (b.stretch - a.stretch);
}

double Demand::bytes() const {
  double sum = 0;
  for (const Edge& edge : edges) sum += edge.bytes;
  return sum;
}

StepDemand demand_of(const StepGraph& graph, const topology::Cluster& cluster,
                     const std::vector<topology::GpuId>& gpu_of_rank, int ranks_per_slot) {
  CHECK_INVARIANT(ranks_per_slot > 0 && gpu_of_rank.size() == at(graph.grid.size()));
  return Gathering(graph, cluster, gpu_of_rank, ranks_per_slot).take();
}

}  // namespace sim::place
