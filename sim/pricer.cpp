#include "sim/pricer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/quantity.hpp"
#include "sim/beside.hpp"
#include "sim/collectives/collectives.hpp"
#include "sim/collectives/price.hpp"
#include "sim/groups.hpp"
#include "sim/offload.hpp"

namespace sim {

namespace {

/// Hosts differ: the same framework was seen at two thirds and at one and a half times its median.
constexpr float host_spread = 0.3F;

/// Pinned memory reaches nearly the rate of the link; sockets and NICs that share it take some.
constexpr double copy_spread = 0.1;

/// What the ranks of a block say to each other: experts, context ranks, or else tensor ranks.
CommKind kind_of(strategies::AxisSet axes) {
  using strategies::Axis;
  for (const Axis axis :
       {Axis::expert, Axis::expert_tensor, Axis::expert_inner, Axis::expert_outer})
    if (axes.has(axis)) return CommKind::expert;
  for (const Axis axis : {Axis::context, Axis::ulysses, Axis::ring})
    if (axes.has(axis)) return CommKind::context;
  return CommKind::tensor;
}

Phase phase_of(strategies::WorkPhase phase) {
  switch (phase) {
    case strategies::WorkPhase::forward: return Phase::forward;
    case strategies::WorkPhase::backward: return Phase::backward;
    case strategies::WorkPhase::recompute: return Phase::recompute;
  }
  return Phase::forward;
}

}  // namespace

void Pricer::append(Segment& segment, const std::string& text, Phase phase,
                    const base::Kernel& kernel) {
  const calibrate::Duration& duration = price(kernel);
  Piece piece;
  piece.label = label(text);
  piece.phase = phase;
  piece.compute = duration.time;
  if (std::holds_alternative<base::MemoryBound>(kernel)) piece.streaming = duration.time;
  piece.spread = static_cast<float>(duration.spread);
  piece.source = static_cast<std::int16_t>(duration.source);
  piece.first_kernel = static_cast<std::uint32_t>(graph_.kernels.size());
  piece.kernel_count = 1;
  graph_.kernels.push_back(kernel);
  segment.pieces.push_back(piece);
  segment.compute += duration.time;
}

void Pricer::append(Segment& segment, const strategies::Work& work) {
  const Phase phase = phase_of(work.phase);
  const std::size_t first = segment.pieces.size();
  for (const base::Kernel& kernel : work.kernels) append(segment, work.label, phase, kernel);
  operators_ += (work.kernels.empty() ? 0 : work.operators) + (work.communication ? 1 : 0);
  if (!work.communication) return;
  // Side by side with the collective, the kernels of the work count as one piece.
  Piece piece;
  piece.label = label(work.label);
  piece.phase = work.kernels.empty() ? Phase::communication : phase;
  piece.kernel_count = static_cast<std::uint32_t>(segment.pieces.size() - first);
  piece.first_kernel = static_cast<std::uint32_t>(graph_.kernels.size()) - piece.kernel_count;
  double weighted_spread = 0;
  base::Seconds largest;
  for (std::size_t i = first; i < segment.pieces.size(); ++i) {
    const Piece& part = segment.pieces[i];
    piece.compute += part.compute;
    piece.streaming += part.streaming;
    weighted_spread += part.compute.s() * static_cast<double>(part.spread);
    if (part.compute >= largest) {
      largest = part.compute;
      piece.source = part.source;
    }
  }
  if (piece.compute > base::Seconds{})
    piece.spread = static_cast<float>(weighted_spread / piece.compute.s());
  segment.pieces.resize(first);
  const Kernels alone{(piece.compute - piece.streaming).s(), piece.streaming.s()};
  piece.collective = static_cast<std::int32_t>(
      collective(work.label, kind_of(work.communication->axes), *work.communication, alone));
  const calibrate::CollectiveCost& cost =
      graph_.collectives[static_cast<std::size_t>(piece.collective)].cost.front();
  const double kernels =
      at_once(alone.arithmetic, alone.streaming, (cost.total.time - cost.held_up).s(), cost)
          .kernels;
  const auto more = base::Seconds::from_s(kernels - (alone.arithmetic + alone.streaming));
  piece.compute += more;
  segment.compute += more;
  segment.pieces.push_back(piece);
}

void Pricer::append_on_host(Segment& segment, const std::string& text, Phase phase,
                            base::Seconds time, const std::string& source_name) {
  Piece piece;
  piece.label = label(text);
  piece.phase = phase;
  piece.compute = time;
  piece.spread = host_spread;
  piece.source = static_cast<std::int16_t>(source(source_name));
  segment.pieces.push_back(piece);
  segment.compute += time;
}

void Pricer::append_exchange(Segment& segment, int messages,
                             const std::optional<strategies::Communication>& gathered) {
  const base::Seconds wait = input_.plan.execution.exchange_dispatch;
  if (messages > 0 && wait > base::Seconds{})
    append_on_host(segment, "exchange", Phase::host, wait,
                   fmt::format("host dispatch ({:.0f} us a message between stages)", wait.us()));
  for (int i = 0; gathered && i < messages; ++i) {
    Piece piece;
    piece.label = label("all-gather message");
    piece.phase = Phase::communication;
    piece.collective =
        static_cast<std::int32_t>(collective("all-gather message", CommKind::tensor, *gathered));
    segment.pieces.push_back(piece);
  }
  exchange_ = segment.pieces.size();
}

void Pricer::close(Segment& segment) {
  base::Seconds busy;
  for (std::size_t i = exchange_; i < segment.pieces.size(); ++i) {
    const Piece& piece = segment.pieces[i];
    base::Seconds wire;
    if (piece.collective >= 0)
      wire = graph_.collectives[static_cast<std::size_t>(piece.collective)].cost.front().total.time;
    busy += std::max(piece.compute, wire);
  }
  const base::Seconds host = input_.plan.execution.operator_dispatch * operators_;
  operators_ = 0;
  exchange_ = 0;
  if (host <= busy) return;
  if (host_source_ < 0)
    host_source_ = static_cast<std::int16_t>(source(fmt::format(
        "host dispatch ({:.0f} us an operator)", input_.plan.execution.operator_dispatch.us())));
  Piece wait;
  wait.label = label("host dispatch");
  wait.phase = Phase::host;
  wait.compute = host - busy;
  wait.spread = host_spread;
  wait.source = host_source_;
  segment.pieces.push_back(wait);
  segment.compute += wait.compute;
}

std::uint32_t Pricer::collective(const std::string& name, CommKind kind,
                                 const strategies::Communication& communication) {
  return collective(name, kind, communication, {});
}

std::uint32_t Pricer::collective(const std::string& name, CommKind kind,
                                 const strategies::Communication& communication,
                                 const Kernels& beside) {
  const UseKey key(name, static_cast<int>(communication.op), communication.axes.bits(),
                   communication.bytes.count(), communication.parts);
  const auto [alone, unknown] = uses_.try_emplace(key);
  if (unknown) {
    CollectiveUse& use = alone->second;
    use.name = name;
    use.op = communication.op;
    use.kind = kind;
    use.axes = communication.axes;
    use.bytes = communication.bytes;
    use.parts = communication.parts;
    for (std::size_t shape = 0; shape < groups(communication.axes).shapes.size(); ++shape)
      use.cost.push_back(cost_of(use, shape));
  }
  const auto [entry, fresh] =
      collectives_.try_emplace({key, alone->second.is_held_up() ? beside : Kernels{}},
                               static_cast<std::uint32_t>(graph_.collectives.size()));
  if (!fresh) return entry->second;
  CollectiveUse& use = graph_.collectives.emplace_back(alone->second);
  const Kernels& kernels = entry->first.second;
  for (calibrate::CollectiveCost& cost : use.cost) {
    const double time = cost.total.time.s();
    cost.held_up = base::Seconds::from_s(
        at_once(kernels.arithmetic, kernels.streaming, time, cost).collective - time);
    cost.total.time += cost.held_up;
  }
  return entry->second;
}

calibrate::CollectiveCost Pricer::cost_of(const CollectiveUse& use, std::size_t shape) {
  const calibrate::GroupShape& where = groups(use.axes).shapes[shape];
  const auto forced = input_.forced.find(use.op);
  calibrate::CollectiveCost cost =
      forced == input_.forced.end() || where.ranks == 1
          ? cost_in_plan(input_.profile, {use.op, use.axes, use.bytes, use.parts}, where,
                         input_.plan.execution)
          : forced_cost(use, shape, forced->second);
  set_shares(cost, use.op, use.bytes, where);
  return cost;
}

/// No backend has a price for what the user sets: the links of one such group say what it takes.
calibrate::CollectiveCost Pricer::forced_cost(const CollectiveUse& use, std::size_t shape,
                                              base::CollectiveAlgorithm algorithm) {
  const StepGraph::Groups& there = groups(use.axes);
  const auto first = std::find(there.shape_of_group.begin(), there.shape_of_group.end(), shape);
  std::vector<collectives::Member> members;
  for (const int rank :
       graph_.grid.members(static_cast<int>(first - there.shape_of_group.begin()), use.axes)) {
    const topology::GpuId gpu = input_.gpu_of_rank[static_cast<std::size_t>(rank)];
    const auto node = static_cast<std::size_t>(input_.cluster.node_of(gpu));
    members.push_back(
        {input_.cluster.nodes()[node].accelerator_domain, input_.cluster.rail_of(gpu)});
  }
  calibrate::CollectiveCost cost = collectives::price(
      collectives::algorithm(algorithm), {use.op, use.bytes, {}}, members, there.shapes[shape]);
  cost.total.source = source(fmt::format("{} {} as set, priced by its links",
                                         base::name_of(algorithm), base::name_of(use.op)));
  return cost;
}

int Pricer::source(const std::string& text) {
  const auto known = std::find(graph_.sources.begin(), graph_.sources.end(), text);
  const auto index = static_cast<int>(known - graph_.sources.begin());
  if (known == graph_.sources.end()) graph_.sources.push_back(text);
  return index;
}

std::uint32_t Pricer::message(const std::string& name, int peer_stage, int sender_chunk,
                              base::Bytes bytes) {
  const auto [entry, fresh] =
      messages_.try_emplace(std::tuple(name, peer_stage, sender_chunk),
                            static_cast<std::uint32_t>(graph_.messages.size()));
  if (!fresh) return entry->second;
  Message message{name, peer_stage, sender_chunk, bytes, {}};
  // Between a GPU and its neighbour inside a domain, and across the network.
  for (const bool across : {false, true})
    message.cost.push_back(
        input_.profile.collective(calibrate::Collective::send_receive, bytes,
                                  pair_shape(input_.cluster, input_.gpu_of_rank[0], across)));
  graph_.messages.push_back(std::move(message));
  return entry->second;
}

std::uint32_t Pricer::host_copy(const std::string& name, CommKind kind, base::Bytes bytes) {
  const auto [entry, fresh] = copies_.try_emplace(std::pair(name, bytes.count()),
                                                  static_cast<std::uint32_t>(graph_.copies.size()));
  if (!fresh) return entry->second;
  const topology::GpuId gpu = input_.gpu_of_rank.front();
  graph_.copies.push_back(
      {name,
       kind,
       bytes,
       {host_copy_time(bytes, input_.cluster, gpu), copy_spread, calibrate::Evidence::model,
        source(fmt::format("copies to and from the host at {}",
                           base::format_gbyte(host_copy_rate(input_.cluster, gpu))))}});
  return entry->second;
}

std::uint32_t Pricer::label(const std::string& text) {
  const auto [entry, fresh] =
      labels_.try_emplace(text, static_cast<std::uint32_t>(graph_.labels.size()));
  if (fresh) graph_.labels.push_back(text);
  return entry->second;
}

const calibrate::Duration& Pricer::price(const base::Kernel& kernel) {
  const auto known = std::find_if(prices_.begin(), prices_.end(),
                                  [&](const auto& entry) { return entry.first == kernel; });
  if (known != prices_.end()) return known->second;
  prices_.emplace_back(kernel, input_.profile.kernel(kernel));
  return prices_.back().second;
}

const StepGraph::Groups& Pricer::groups(strategies::AxisSet axes) {
  for (const StepGraph::Groups& known : graph_.groups)
    if (known.axes == axes) return known;
  graph_.groups.push_back(group_shapes(graph_.grid, axes, input_.cluster, input_.gpu_of_rank));
  return graph_.groups.back();
}

}  // namespace sim
