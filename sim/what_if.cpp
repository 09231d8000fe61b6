#include "sim/what_if.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.hpp"
#include "sim/analytic.hpp"
#include "sim/collectives/price.hpp"
#include "sim/step_graph.hpp"
#include "topology/upgrade.hpp"

namespace sim {

namespace {

using base::Seconds;
using calibrate::CollectiveCost;
using calibrate::GroupShape;

constexpr double link_factor = 2;
constexpr double kernel_factor = 1.1;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

void scale_wire(CollectiveCost& cost, double factor) {
  const double wire = cost.wire_time();
  cost.total.time = cost.latency + Seconds::from_s(wire * factor);
  if (factor > 0) cost.bus_rate = cost.bus_rate * (1 / factor);
}

/// What faster links make of the time in which the bytes of a collective move.
class FasterLinks {
 public:
  FasterLinks(Change change, const StepGraph& graph, const topology::Cluster& cluster,
              const std::vector<topology::GpuId>& gpu_of_rank)
      : network_(change == Change::faster_network),
        graph_(graph),
        cluster_(cluster),
        gpu_of_rank_(gpu_of_rank) {}

  double of(const CollectiveUse& use, std::size_t shape) {
    const StepGraph::Groups& groups = graph_.groups_of(use.axes);
    const GroupShape& where = groups.shapes[shape];
    if (where.nodes == 1) return network_ ? 1 : 1 / link_factor;
    const CollectiveCost& cost = use.cost[shape];
    if (cost.wire_time() <= 0) return 1;
    const auto key = std::tuple(use.op, use.axes, shape, cost.algorithm, use.shares);
    const auto [known, fresh] = factors_.try_emplace(key, 1);
    if (!fresh) return known->second;
    const std::vector<collectives::Member> members = members_of(groups, shape);
    const auto wire = [&](const GroupShape& links) {
      return collectives::price(collectives::algorithm(cost.algorithm),
                                {use.op, use.bytes, use.shares}, members, links)
          .wire_time();
    };
    GroupShape faster = where;
    base::BytesPerSecond& rate = network_ ? faster.network_rate : faster.scale_up_rate;
    rate = rate * link_factor;
    const double before = wire(where);
    if (before > 0) known->second = wire(faster) / before;
    return known->second;
  }

 private:
  /// Of the first group of this shape.
  std::vector<collectives::Member> members_of(const StepGraph::Groups& groups, std::size_t shape) {
    const auto first = std::find(groups.shape_of_group.begin(), groups.shape_of_group.end(), shape);
    const auto group = static_cast<int>(first - groups.shape_of_group.begin());
    std::vector<collectives::Member> members;
    for (const int rank : graph_.grid.members(group, groups.axes)) {
      const topology::GpuId gpu = gpu_of_rank_[at(rank)];
      const topology::NodeInfo& node = cluster_.nodes()[at(cluster_.node_of(gpu))];
      members.push_back({node.accelerator_domain, cluster_.rail_of(gpu)});
    }
    return members;
  }

  using Key = std::tuple<base::Collective, strategies::AxisSet, std::size_t,
                         base::CollectiveAlgorithm, std::vector<double>>;

  bool network_;
  const StepGraph& graph_;
  const topology::Cluster& cluster_;
  const std::vector<topology::GpuId>& gpu_of_rank_;
  std::map<Key, double> factors_;
};

/// Messages have a price inside a scale-up domain and one across, in this order.
constexpr std::size_t across = 1;

void hasten_links(Change change, StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank) {
  FasterLinks faster(change, graph, cluster, gpu_of_rank);
  for (CollectiveUse& use : graph.collectives) {
    std::vector<double> factors;  // of all shapes, before the costs change
    for (std::size_t shape = 0; shape < use.cost.size(); ++shape)
      factors.push_back(faster.of(use, shape));
    for (std::size_t shape = 0; shape < use.cost.size(); ++shape)
      scale_wire(use.cost[shape], factors[shape]);
  }
  const std::size_t messages = change == Change::faster_network ? across : 0;
  for (Message& message : graph.messages)
    if (messages < message.cost.size()) scale_wire(message.cost[messages], 1 / link_factor);
}

void drop_latency(CollectiveCost& cost) {
  cost.total.time = Seconds::from_s(cost.wire_time());
  cost.latency = Seconds{};
}

void drop_network_latency(StepGraph& graph) {
  for (CollectiveUse& use : graph.collectives) {
    const StepGraph::Groups& groups = graph.groups_of(use.axes);
    for (std::size_t shape = 0; shape < use.cost.size(); ++shape)
      if (groups.shapes[shape].nodes > 1) drop_latency(use.cost[shape]);
  }
  for (Message& message : graph.messages)
    if (across < message.cost.size()) drop_latency(message.cost[across]);
}

/// A segment in which the GPU waits for the host at the end is as long as its launches: what its
/// kernels save, it waits longer.
void hasten_kernels(Segment& segment) {
  Seconds saved;
  for (Piece& piece : segment.pieces) {
    if (piece.kernel_count == 0) continue;
    saved += piece.compute * (1 - 1 / kernel_factor);
    piece.compute = piece.compute * (1 / kernel_factor);
    piece.streaming = piece.streaming * (1 / kernel_factor);
  }
  segment.compute = segment.compute - saved;
  if (segment.pieces.empty() || segment.pieces.back().phase != Phase::host) return;
  segment.pieces.back().compute += saved;
  segment.compute += saved;
}

void drop_launches(Segment& segment) {
  for (const Piece& piece : segment.pieces)
    if (piece.phase == Phase::host) segment.compute = segment.compute - piece.compute;
  std::erase_if(segment.pieces, [](const Piece& piece) { return piece.phase == Phase::host; });
}

/// Nor do kernels beside it hold it up then.
void drop_shares(CollectiveCost& cost) {
  if (cost.held_up > Seconds{}) cost.stretch_to(cost.total.time - cost.held_up);
  cost.held_up = Seconds{};
  cost.sm_share = cost.memory_share = 0;
  cost.lost_to_products = cost.lost_to_memory = 0;
}

bool has_kernels(const Segment& segment) {
  return std::any_of(segment.pieces.begin(), segment.pieces.end(),
                     [](const Piece& piece) { return piece.kernel_count > 0; });
}

bool waits_for_host(const Segment& segment) {
  return std::any_of(segment.pieces.begin(), segment.pieces.end(),
                     [](const Piece& piece) { return piece.phase == Phase::host; });
}

/// Whether some collective of several ranks has a cost of which `is` holds, in groups inside a node
/// or across.
template <class Is>
bool any_cost(const StepGraph& graph, bool of_several_nodes, const Is& is) {
  for (const CollectiveUse& use : graph.collectives) {
    const StepGraph::Groups& groups = graph.groups_of(use.axes);
    for (std::size_t shape = 0; shape < use.cost.size(); ++shape)
      if (groups.shapes[shape].ranks > 1 && (groups.shapes[shape].nodes > 1) == of_several_nodes &&
          is(use.cost[shape]))
        return true;
  }
  return false;
}

bool changes(Change change, const StepGraph& graph) {
  const auto moves = [](const CollectiveCost& cost) { return cost.wire_time() > 0; };
  const auto late = [](const CollectiveCost& cost) { return cost.latency > Seconds{}; };
  const auto shares = [](const CollectiveCost& cost) {
    return cost.sm_share > 0 || cost.memory_share > 0 || cost.is_held_up();
  };
  switch (change) {
    case Change::faster_network: return !graph.messages.empty() || any_cost(graph, true, moves);
    case Change::faster_scale_up:
      return !graph.messages.empty() || any_cost(graph, false, moves) ||
             any_cost(graph, true, moves);
    case Change::no_network_latency: return !graph.messages.empty() || any_cost(graph, true, late);
    case Change::faster_kernels:
      return std::any_of(graph.segments.begin(), graph.segments.end(), has_kernels);
    case Change::no_launches:
      return std::any_of(graph.segments.begin(), graph.segments.end(), waits_for_host);
    case Change::no_sms: return any_cost(graph, false, shares) || any_cost(graph, true, shares);
  }
  return false;
}

topology::Cluster with(Change change, const topology::Cluster& cluster) {
  if (change == Change::faster_network)
    return with_faster_links(cluster, link_factor, [&](const topology::Link& link) {
      return !is_scale_up(cluster, link);
    });
  if (change == Change::faster_scale_up)
    return with_faster_links(cluster, link_factor, [&](const topology::Link& link) {
      return is_scale_up(cluster, link) || is_inside_node(cluster, link);
    });
  return cluster;
}

}  // namespace

std::string_view name_of(Change change) {
  switch (change) {
    case Change::faster_network: return "links between nodes twice as fast";
    case Change::faster_scale_up: return "links inside nodes twice as fast";
    case Change::no_network_latency: return "no latency between nodes";
    case Change::faster_kernels: return "kernels 10 % faster";
    case Change::no_launches: return "launches that cost nothing";
    case Change::no_sms: return "collectives that take no SMs";
  }
  return "?";
}

std::vector<Change> changes_of(const StepGraph& graph) {
  std::vector<Change> found;
  for (const Change change :
       {Change::faster_network, Change::faster_scale_up, Change::no_network_latency,
        Change::faster_kernels, Change::no_launches, Change::no_sms})
    if (changes(change, graph)) found.push_back(change);
  return found;
}

StepGraph with(Change change, const StepGraph& graph, const topology::Cluster& cluster,
               const std::vector<topology::GpuId>& gpu_of_rank) {
  StepGraph changed = graph;
  switch (change) {
    case Change::faster_network:
    case Change::faster_scale_up: hasten_links(change, changed, cluster, gpu_of_rank); break;
    case Change::no_network_latency: drop_network_latency(changed); break;
    case Change::faster_kernels:
      for (Segment& segment : changed.segments) hasten_kernels(segment);
      break;
    case Change::no_launches:
      for (Segment& segment : changed.segments) drop_launches(segment);
      break;
    case Change::no_sms:
      for (CollectiveUse& use : changed.collectives)
        for (CollectiveCost& cost : use.cost) drop_shares(cost);
      break;
  }
  return changed;
}

base::Seconds step_with(Change change, const StepGraph& graph, const topology::Cluster& cluster,
                        const std::vector<topology::GpuId>& gpu_of_rank,
                        const EngineOptions& options) {
  const StepGraph changed = with(change, graph, cluster, gpu_of_rank);
  if (options.fidelity == Fidelity::analytic) return analyse(changed, cluster, gpu_of_rank).step;
  return simulate(changed, with(change, cluster), gpu_of_rank, options).step;
}

}  // namespace sim
