#include "sim/estimate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "sim/beside.hpp"
#include "sim/cell_work.hpp"
#include "sim/gradient_exchange.hpp"
#include "sim/groups.hpp"
#include "sim/memory_floor.hpp"
#include "sim/offload.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage_clock.hpp"
#include "strategies/shard.hpp"

namespace sim {

namespace {

using calibrate::Collective;
using schedule::Cell;
using strategies::Axis;
using strategies::AxisSet;
using strategies::Plan;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Where groups of ranks sit, for one grid of ranks.
struct Places {
  std::map<AxisSet, StepGraph::Groups> groups;
  std::map<std::pair<int, int>, int> near;  ///< of stages: 0 all in one domain, 1 none, 2 some
};

/// Prices of a collective: the least and the first over the shapes of its groups.
struct Price {
  double least = 0;
  double first = 0;
  calibrate::CollectiveCost cost;  ///< the first, for what it takes from kernels and loses to them
};

}  // namespace

struct Estimator::Impl {
  const strategies::ModelSpec& model;
  const topology::Cluster& cluster;
  const calibrate::Profile& profile;
  std::vector<topology::GpuId> gpus;
  std::vector<std::pair<base::Kernel, double>> kernels;
  std::map<std::vector<std::int64_t>, Cut> cuts;
  std::map<std::vector<int>, Places> places;
  std::map<std::tuple<const StepGraph::Groups*, Collective, std::int64_t, int>, Price> prices;
  std::map<std::pair<std::int64_t, int>, double> messages;
  std::map<std::tuple<strategies::ScheduleKind, int, int, int, bool>, schedule::ScheduleTable>
      tables;
  double slowdown = 1;  ///< of collectives between nodes

  double kernel(const base::Kernel& wanted) {
    const auto known = std::find_if(kernels.begin(), kernels.end(),
                                    [&](const auto& entry) { return entry.first == wanted; });
    if (known != kernels.end()) return known->second;
    kernels.emplace_back(wanted, profile.kernel(wanted).time.s());
    return kernels.back().second;
  }

  static std::vector<int> grid_key(const Plan& plan) {
    const strategies::RankGrid::Views views = plan.views();
    std::vector<int> key{plan.tensor,          plan.pipeline,       plan.data,
                         plan.data_replicate,  plan.context.degree, views.ulysses,
                         views.expert,         views.expert_tensor, views.expert_inner,
                         plan.expert.own_axis, plan.data_shard()};
    for (const Axis axis : plan.order) key.push_back(static_cast<int>(axis));
    return key;
  }

  const StepGraph::Groups& groups(const Plan& plan, Places& of, AxisSet axes) {
    const auto known = of.groups.find(axes);
    if (known != of.groups.end()) return known->second;
    return of.groups.emplace(axes, group_shapes(plan.grid(), axes, cluster, gpus)).first->second;
  }

  Price collective(const Plan& plan, Places& of, const strategies::Communication& what) {
    const StepGraph::Groups& there = groups(plan, of, what.axes);
    const auto [known, fresh] =
        prices.try_emplace({&there, what.op, what.bytes.count(), what.parts});
    if (!fresh || there.shapes.front().ranks == 1) return known->second;
    double least = std::numeric_limits<double>::infinity();
    for (const calibrate::GroupShape& shape : there.shapes) {
      calibrate::CollectiveCost cost = cost_in_plan(profile, what, shape, plan.execution);
      const double time = cost.total.time.s() * (shape.nodes > 1 ? slowdown : 1);
      least = std::min(least, time);
      if (&shape != &there.shapes.front()) continue;
      set_shares(cost, what.op, what.bytes, shape);
      known->second.first = time;
      known->second.cost = cost;
    }
    known->second.least = least;
    return known->second;
  }

  WorkCost cost_of(const Plan& plan, Places& of, const std::vector<strategies::Work>& works) {
    WorkCost sum;
    for (const strategies::Work& work : works) {
      double arithmetic = 0;
      double streaming = 0;
      for (const base::Kernel& one : work.kernels)
        (std::holds_alternative<base::MemoryBound>(one) ? streaming : arithmetic) += kernel(one);
      Price beside;
      if (work.communication) beside = collective(plan, of, *work.communication);
      const AtOnce both = at_once(arithmetic, streaming, beside.first, beside.cost);
      sum.time += std::max(both.kernels, beside.least);
      sum.busy += std::max(both.kernels, both.collective);
      sum.operators += (work.kernels.empty() ? 0 : work.operators) + (work.communication ? 1 : 0);
    }
    return sum;
  }

  /// Of cells that run at once, or one behind the other where something is gathered or reduced in
  /// between: both take at least their kernels.
  double kernels_of(const std::vector<strategies::Work>& works) {
    double sum = 0;
    for (const strategies::Work& work : works)
      for (const base::Kernel& one : work.kernels) sum += kernel(one);
    return sum;
  }

  /// Plans that differ in other ways only share a cut.
  Cut& cut(const Plan& plan) {
    const strategies::Precision& p = plan.precision;
    std::vector<std::int64_t> key{plan.sequence_parallel,
                                  plan.micro_batch,
                                  plan.sequence,
                                  static_cast<std::int64_t>(plan.recompute),
                                  plan.recompute_every,
                                  plan.flash_attention,
                                  plan.fused_projections,
                                  plan.reduce_per_linear,
                                  plan.gather_logits,
                                  plan.scatters_messages,
                                  static_cast<std::int64_t>(plan.overlap.tensor),
                                  plan.accumulates(),
                                  plan.execution.fused_accumulation,
                                  std::bit_cast<std::int64_t>(plan.execution.elementwise_traffic),
                                  plan.ends_apart(),
                                  static_cast<std::int64_t>(plan.context.attention),
                                  plan.context.expand_kv,
                                  static_cast<std::int64_t>(plan.expert.dispatcher),
                                  plan.expert.nodes_per_token,
                                  static_cast<std::int64_t>(plan.expert.dispatch),
                                  plan.expert.backward_exchange,
                                  static_cast<std::int64_t>(plan.expert.load),
                                  std::bit_cast<std::int64_t>(plan.expert.load_parameter),
                                  plan.expert.load_seed,
                                  static_cast<std::int64_t>(p.scaling),
                                  static_cast<std::int64_t>(p.compute),
                                  static_cast<std::int64_t>(p.parameters),
                                  static_cast<std::int64_t>(p.gradients)};
    const strategies::ShardingCopies copies = strategies::sharding_copies(plan);
    for (const double bytes :
         {copies.forward, copies.backward, copies.backward_of_head, copies.gradients})
      key.push_back(std::bit_cast<std::int64_t>(bytes));
    for (const std::string& word : plan.recompute_operators)
      key.push_back(static_cast<std::int64_t>(std::hash<std::string>{}(word)));
    // Where tensor-parallel groups sit decides their prices.
    for (const int extent : grid_key(plan)) key.push_back(extent);
    const auto [known, fresh] = cuts.try_emplace(std::move(key));
    Cut& made = known->second;
    if (!fresh) return made;
    made.sharded = strategies::shard(model, plan);
    return made;
  }

  void price(const Plan& plan, Places& of, Cut& cut, const Cell& cell) {
    std::vector<WorkCost>& costs = cut.blocks[static_cast<std::size_t>(cell.kind)];
    if (!costs.empty()) return;
    for (const strategies::ShardedBlock& block : cut.sharded.blocks)
      costs.push_back(cost_of(plan, of, work_of(block, cell.kind)));
  }

  /// The user's own table is the plan's; ours are made once.
  const schedule::ScheduleTable& table_of(const Plan& plan) {
    if (plan.schedule == strategies::ScheduleKind::table) return plan.written->table;
    const auto [known, fresh] =
        tables.try_emplace({plan.schedule, plan.pipeline, plan.virtual_stages, plan.micro_batches(),
                            plan.overlap.expert});
    if (fresh) known->second = schedule::table_of(plan);
    return known->second;
  }

  double message(const Plan& plan, Places& of, base::Bytes bytes, int from, int to) {
    const auto [near, unknown] = of.near.try_emplace({from, to}, 0);
    if (unknown) near->second = near_of(plan, from, to);
    const auto price = [&](int across) {
      const auto [known, fresh] = messages.try_emplace({bytes.count(), across});
      if (fresh)
        known->second = profile
                            .collective(Collective::send_receive, bytes,
                                        pair_shape(cluster, gpus.front(), across != 0))
                            .total.time.s();
      return known->second;
    };
    if (near->second == 2) return std::min(price(0), price(1));
    return price(near->second);
  }

  double update(const Plan& plan, Places& of, const UpdateLink& link) {
    switch (link.kind) {
      case UpdateLink::Kind::collective:
        return collective(plan, of, link.collective.communication).least;
      case UpdateLink::Kind::copy: return host_copy_time(link.bytes, cluster, gpus.front()).s();
      case UpdateLink::Kind::host:
        return host_adam_time(link.parameters, cluster, gpus.front()).s();
      case UpdateLink::Kind::kernels: break;
    }
    double time = 0;
    for (const base::Kernel& one : link.kernels) time += kernel(one);
    return std::max(time, launch_time(link).s());
  }

  int near_of(const Plan& plan, int from, int to) const {
    const strategies::RankGrid grid = plan.grid();
    bool inside = false;
    bool across = false;
    for (int rank = 0; rank < grid.size(); ++rank) {
      if (grid.coordinate(rank, Axis::pipeline) != from) continue;
      const int peer = grid.moved(rank, Axis::pipeline, to);
      (cluster.same_scale_up_domain(gpus[at(rank)], gpus[at(peer)]) ? inside : across) = true;
    }
    return inside && across ? 2 : across ? 1 : 0;
  }

  /// `alone`: what data-parallel ranks say and the update take no time.
  base::Seconds step(const Plan& plan, bool alone);
  base::Seconds busiest(const Plan& plan);
};

namespace {

/// Every stage sends first, then takes in what its peer has sent.
void exchange_gradients(const Plan& plan, const strategies::ModelSpec& model,
                        std::vector<StageClock>& stages) {
  struct Sent {
    int to = 0;
    double at = 0;
  };
  std::vector<Sent> all;
  for (std::size_t s = 0; s < stages.size(); ++s)
    for (const GradientExchange& one :
         gradient_exchanges(plan, model, stages[s].holds(), static_cast<int>(s)))
      all.push_back({one.peer_stage, stages[s].send_gradients(one)});
  for (const Sent& one : all) stages[at(one.to)].receive_gradients(one.at);
}

/// Goes through the links of all stages side by side, so that those which span stages meet.
void update(std::vector<StageClock>& stages) {
  std::size_t links = 0;
  for (StageClock& stage : stages) {
    stage.begin_update();
    links = std::max(links, stage.update_links().size());
  }
  for (std::size_t i = 0; i < links; ++i) {
    double last = 0;
    for (const StageClock& stage : stages) last = std::max(last, stage.updated());
    for (StageClock& stage : stages) {
      if (i >= stage.update_links().size()) continue;
      const UpdateLink& link = stage.update_links()[i];
      const bool meets = link.collective.communication.axes.has(strategies::Axis::pipeline);
      stage.update(link, meets ? last : 0);
    }
  }
}

}  // namespace

Estimator::Estimator(const strategies::ModelSpec& model, const topology::Cluster& cluster,
                     const calibrate::Profile& profile, std::vector<topology::GpuId> gpus)
    : impl_(std::make_unique<Impl>(
          Impl{model, cluster, profile, std::move(gpus), {}, {}, {}, {}, {}, {}, 1})) {}

Estimator::~Estimator() = default;

base::Seconds Estimator::Impl::step(const Plan& plan, bool alone) {
  Places& there = places[grid_key(plan)];
  Cut& made = cut(plan);
  const schedule::ScheduleTable& table = table_of(plan);
  for (const std::vector<Cell>& cells : table.stages)
    for (const Cell& cell : cells) price(plan, there, made, cell);
  const std::vector<std::vector<strategies::Chunk>> chunks = strategies::cut_layers(plan, model);
  Arrivals arrivals;
  for (auto& direction : arrivals)
    direction.assign(at(table.shape.depth()), std::vector<double>(at(plan.micro_batches()), -1));
  std::vector<StageClock> stages;
  stages.reserve(at(plan.pipeline));
  for (int s = 0; s < plan.pipeline; ++s)
    stages.emplace_back(
        plan, made, table.shape, chunks[at(s)], s, table.stages[at(s)],
        StageClock::Prices{
            [&](const strategies::Communication& what) {
              if (alone && what.axes != AxisSet(Axis::tensor)) return 0.0;
              return collective(plan, there, what).least;
            },
            [&](const std::vector<strategies::Work>& works) {
              return alone ? kernels_of(works) : with_host(plan, cost_of(plan, there, works));
            },
            [&, s](base::Bytes bytes, int to) { return message(plan, there, bytes, s, to); },
            [&](const UpdateLink& link) { return alone ? 0.0 : update(plan, there, link); },
            [&](base::Bytes bytes) {
              return alone ? 0.0 : host_copy_time(bytes, cluster, gpus.front()).s();
            }});
  for (bool moved = true; moved;) {
    moved = false;
    for (StageClock& stage : stages) moved = stage.advance(arrivals) || moved;
  }
  for (const StageClock& stage : stages) CHECK_INVARIANT(stage.done());
  if (!alone) exchange_gradients(plan, model, stages);
  sim::update(stages);
  double step = 0;
  for (StageClock& stage : stages) step = std::max(step, stage.finish());
  return base::Seconds::from_s(step);
}

base::Seconds Estimator::Impl::busiest(const Plan& plan) {
  Places& there = places[grid_key(plan)];
  Cut& made = cut(plan);
  const Cell forward{.kind = schedule::CellKind::forward};
  const Cell backward{.kind = schedule::CellKind::backward};
  for (const Cell& cell : {forward, backward}) price(plan, there, made, cell);
  double most = 0;
  for (const std::vector<strategies::Chunk>& chunks : strategies::cut_layers(plan, model)) {
    const Stage stage(plan, made.sharded, chunks);
    double time = 0;
    for (int chunk = 0; chunk < stage.chunks(); ++chunk)
      for (Cell cell : {forward, backward}) {
        cell.chunk = chunk;
        time += time_of_units(plan, made, stage, cell, stage.whole(chunk));
      }
    most = std::max(most, time);
  }
  return base::Seconds::from_s(most * plan.micro_batches());
}

void Estimator::slow_network(double factor) {
  CHECK_INVARIANT(factor >= 1);
  if (factor == impl_->slowdown) return;
  impl_->slowdown = factor;
  impl_->prices.clear();
  for (auto& [key, cut] : impl_->cuts) cut.blocks = {};
}

base::Seconds Estimator::step(const Plan& plan) { return impl_->step(plan, /*alone=*/false); }

base::Seconds Estimator::pipeline(const Plan& plan) {
  Plan undisturbed = plan;  // in one piece wherever nothing is gathered or reduced in between
  undisturbed.overlap.gradient_reduce = false;
  undisturbed.overlap.parameter_gather = false;
  return impl_->step(undisturbed, /*alone=*/true);
}

base::Seconds Estimator::busiest(const Plan& plan) { return impl_->busiest(plan); }

base::Bytes Estimator::memory(const Plan& plan) {
  return memory_floor(plan, impl_->cut(plan).sharded, strategies::cut_layers(plan, impl_->model),
                      impl_->table_of(plan), impl_->cluster.gpu_spec(impl_->gpus.front()));
}

}  // namespace sim
