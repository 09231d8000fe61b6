#include "sim/estimate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

#include "base/check.hpp"
#include "sim/data_parallel_clock.hpp"
#include "sim/groups.hpp"
#include "sim/offload.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "strategies/shard.hpp"

namespace sim {

namespace {

using calibrate::Collective;
using schedule::Cell;
using strategies::Axis;
using strategies::AxisSet;
using strategies::Plan;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// One block, one micro-batch, forward or backward.
struct WorkCost {
  double time = 0;  ///< kernels and what of their collectives they do not hide
  double busy = 0;  ///< the same by the first group's prices, which the host is compared with
  int operators = 0;
};

struct BlockCost {
  WorkCost forward;
  WorkCost backward;
};

/// A model cut in one way, priced.
struct Cut {
  strategies::ShardedGraph sharded;
  std::vector<BlockCost> blocks;
};

/// Where groups of ranks sit, for one grid of ranks.
struct Places {
  std::map<AxisSet, StepGraph::Groups> groups;
  std::map<std::pair<int, int>, int> near;  ///< of stages: 0 all in one domain, 1 none, 2 some
};

/// Prices of a collective: the least and the first over the shapes of its groups.
struct Price {
  double least = 0;
  double first = 0;
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
  std::map<std::tuple<const StepGraph::Groups*, Collective, std::int64_t>, Price> prices;
  std::map<std::pair<std::int64_t, int>, double> messages;
  std::map<std::tuple<strategies::ScheduleKind, int, int, int>, std::vector<std::vector<Cell>>>
      cells;

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
    const auto [known, fresh] = prices.try_emplace({&there, what.op, what.bytes.count()});
    if (!fresh || there.shapes.front().ranks == 1) return known->second;
    double least = std::numeric_limits<double>::infinity();
    for (const calibrate::GroupShape& shape : there.shapes) {
      const double time = profile.collective(what.op, what.bytes, shape).total.time.s();
      if (&shape == &there.shapes.front()) known->second.first = time;
      least = std::min(least, time);
    }
    known->second.least = least;
    return known->second;
  }

  WorkCost cost_of(const Plan& plan, Places& of, const std::vector<strategies::Work>& works) {
    WorkCost sum;
    for (const strategies::Work& work : works) {
      double time = 0;
      for (const base::Kernel& one : work.kernels) time += kernel(one);
      Price beside;
      if (work.communication) beside = collective(plan, of, *work.communication);
      sum.time += std::max(time, beside.least);
      sum.busy += std::max(time, beside.first);
      sum.operators += (work.kernels.empty() ? 0 : 1) + (work.communication ? 1 : 0);
    }
    return sum;
  }

  /// Plans that differ in other ways only share a cut.
  Cut& cut(const Plan& plan, Places& of) {
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
                                  plan.overlap.tensor,
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
    for (const strategies::OpKind kind : plan.recompute_operators)
      key.push_back(static_cast<std::int64_t>(kind));
    // Where tensor-parallel groups sit decides their prices.
    for (const int extent : grid_key(plan)) key.push_back(extent);
    const auto [known, fresh] = cuts.try_emplace(std::move(key));
    Cut& made = known->second;
    if (!fresh) return made;
    made.sharded = strategies::shard(model, plan);
    for (const strategies::ShardedBlock& block : made.sharded.blocks)
      made.blocks.push_back({cost_of(plan, of, block.forward), cost_of(plan, of, block.backward)});
    return made;
  }

  const std::vector<std::vector<Cell>>& cells_of(const Plan& plan) {
    const schedule::Shape shape{plan.pipeline, plan.virtual_stages, plan.micro_batches()};
    const auto [known, fresh] =
        cells.try_emplace({plan.schedule, shape.stages, shape.virtual_stages, shape.micro_batches});
    if (fresh)
      for (int stage = 0; stage < plan.pipeline; ++stage)
        known->second.push_back(schedule::schedule_for(plan.schedule).cells(shape, stage));
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
};

namespace {

/// When the input of each cell is there, below 0 while that is not known: by [forward][virtual
/// stage of the receiver][micro-batch].
using Arrivals = std::array<std::vector<std::vector<double>>, 2>;

/// Goes through the cells of one stage as far as messages allow.
class StageClock {
 public:
  /// What a stage asks of the prices.
  struct Prices {
    std::function<double(const strategies::Communication&)> collective;
    std::function<double(int to)> message;  ///< to a stage
    std::function<double(const Stage&)> optimizer;
    std::function<double(base::Bytes)> host_copy;
  };

  StageClock(const Plan& plan, const Cut& cut, const std::vector<strategies::Chunk>& chunks,
             int index, const std::vector<Cell>& cells, Prices prices)
      : plan_(plan),
        cut_(cut),
        stage_(plan, cut.sharded, chunks),
        index_(index),
        cells_(cells),
        prices_(std::move(prices)),
        data_(plan, stage_, {prices_.collective, prices_.host_copy}, cells),
        last_backward_(chunks.size(), -1),
        seen_forward_(chunks.size(), false),
        parts_(chunks.size()) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      if (!cells[i].forward) last_backward_[at(cells[i].chunk)] = static_cast<int>(i);
  }

  bool done() const { return next_ == cells_.size(); }
  /// Whether it got on.
  bool advance(Arrivals& arrivals) {
    const std::size_t before = next_;
    for (; next_ < cells_.size(); ++next_) {
      const Cell& cell = cells_[next_];
      const int here = cell.chunk * plan_.pipeline + index_;
      const int last = plan_.pipeline * plan_.virtual_stages - 1;
      double ready = 0;
      if (cell.forward ? here > 0 : here < last) {
        const double arrival = arrivals[cell.forward ? 1 : 0][at(here)][at(cell.micro_batch)];
        if (arrival < 0) return next_ > before;
        // The receive is posted when the one before is over.
        received_ = std::max(received_, arrival);
        ready = received_;
      }
      cell.forward ? forward(cell, ready) : backward(cell, ready);
      const int to = here + (cell.forward ? 1 : -1);
      if (to < 0 || to > last) continue;
      send_ = std::max(compute_, send_) + prices_.message(to % plan_.pipeline);
      arrivals[cell.forward ? 1 : 0][at(to)][at(cell.micro_batch)] = send_;
      if (!plan_.overlap.point_to_point) blocked_ = send_;
    }
    return next_ > before;
  }

  double finish() {
    compute_ = std::max({compute_, blocked_, data_.finish(compute_)}) + prices_.optimizer(stage_);
    data_.after_optimizer(compute_);
    return std::max({compute_, data_.end(), send_, received_});
  }

 private:
  struct TimedPart {
    Part part;
    double time = 0;
  };
  using TimedParts = std::vector<TimedPart>;

  /// The parts of a cell with their times; `cut` as Stage::forward_parts and backward_parts take
  /// it.
  const TimedParts& parts(int chunk, bool forward, bool cut) {
    TimedParts& known = parts_[at(chunk)][(forward ? 2U : 0U) + (cut ? 1U : 0U)];
    if (!known.empty()) return known;
    for (Part& part :
         forward ? stage_.forward_parts(chunk, cut) : stage_.backward_parts(chunk, cut)) {
      const double time = time_of(chunk, part.units, forward);
      known.push_back({std::move(part), time});
    }
    return known;
  }

  double time_of(int chunk, Range range, bool forward) const {
    WorkCost sum;
    for (int unit = range.first; unit < range.end; ++unit) {
      const BlockCost& block = cut_.blocks[at(stage_.block_index(chunk, unit))];
      const WorkCost& one = forward ? block.forward : block.backward;
      sum.time += one.time;
      sum.busy += one.busy;
      sum.operators += one.operators;
    }
    return sum.time + std::max(0.0, plan_.operator_dispatch.s() * sum.operators - sum.busy);
  }

  void run(double time, double ready) {
    compute_ = std::max({compute_, ready, blocked_}) + time;
    blocked_ = 0;
  }

  void forward(const Cell& cell, double ready) {
    const bool waits = stage_.gathers_ahead() && !seen_forward_[at(cell.chunk)];
    seen_forward_[at(cell.chunk)] = true;
    for (const TimedPart& one : parts(cell.chunk, true, waits)) {
      run(one.time, std::max(ready, data_.before(cell.chunk, one.part)));
      data_.after_forward(compute_);
      ready = 0;
    }
  }

  void backward(const Cell& cell, double ready) {
    const bool last = last_backward_[at(cell.chunk)] == static_cast<int>(next_);
    for (const TimedPart& one : parts(cell.chunk, false, stage_.reduces(last))) {
      run(one.time, std::max(ready, data_.before(cell.chunk, one.part)));
      data_.after_backward(cell.chunk, one.part, compute_, last);
      ready = 0;
    }
  }

  const Plan& plan_;
  const Cut& cut_;
  Stage stage_;
  int index_;
  const std::vector<Cell>& cells_;
  Prices prices_;
  DataParallelClock data_;
  std::vector<int> last_backward_;
  std::vector<bool> seen_forward_;
  std::vector<std::array<TimedParts, 4>> parts_;  // by chunk; see `parts`
  std::size_t next_ = 0;
  // When each stream is free.
  double compute_ = 0;
  double send_ = 0;
  double received_ = 0;
  double blocked_ = 0;  // a send that the next computation waits for
};

}  // namespace

Estimator::Estimator(const strategies::ModelSpec& model, const topology::Cluster& cluster,
                     const calibrate::Profile& profile)
    : impl_(std::make_unique<Impl>(Impl{model, cluster, profile, {}, {}, {}, {}, {}, {}, {}})) {
  impl_->gpus.resize(at(cluster.gpu_count()));
  std::iota(impl_->gpus.begin(), impl_->gpus.end(), topology::GpuId{0});
}

Estimator::~Estimator() = default;

base::Seconds Estimator::step(const Plan& plan) {
  Places& places = impl_->places[Impl::grid_key(plan)];
  const Cut& cut = impl_->cut(plan, places);
  const std::vector<std::vector<Cell>>& cells = impl_->cells_of(plan);
  const std::vector<std::vector<strategies::Chunk>> chunks =
      strategies::cut_layers(plan, impl_->model);
  Arrivals arrivals;
  for (auto& direction : arrivals)
    direction.assign(at(plan.pipeline * plan.virtual_stages),
                     std::vector<double>(at(plan.micro_batches()), -1));
  std::vector<StageClock> stages;
  stages.reserve(at(plan.pipeline));
  for (int s = 0; s < plan.pipeline; ++s)
    stages.emplace_back(
        plan, cut, chunks[at(s)], s, cells[at(s)],
        StageClock::Prices{
            [&](const strategies::Communication& what) {
              return impl_->collective(plan, places, what).least;
            },
            [&, s](int to) { return impl_->message(plan, places, cut.sharded.boundary, s, to); },
            [&](const Stage& stage) {
              if (stage.offloads())
                return host_adam_time(stage.updated_parameters(), impl_->cluster,
                                      impl_->gpus.front())
                    .s();
              return impl_->kernel(base::MemoryBound{stage.optimizer_traffic(), 1});
            },
            [&](base::Bytes bytes) {
              return host_copy_time(bytes, impl_->cluster, impl_->gpus.front()).s();
            }});
  for (bool moved = true; moved;) {
    moved = false;
    for (StageClock& stage : stages) moved = stage.advance(arrivals) || moved;
  }
  double step = 0;
  for (StageClock& stage : stages) {
    CHECK_INVARIANT(stage.done());
    step = std::max(step, stage.finish());
  }
  return base::Seconds::from_s(step);
}

}  // namespace sim
