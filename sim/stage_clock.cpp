#include "sim/stage_clock.hpp"

#include <algorithm>
#include <utility>

#include "sim/cell_work.hpp"

namespace sim {

using schedule::Cell;
using strategies::Plan;

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

double with_host(const Plan& plan, const WorkCost& cost) {
  return cost.time +
         std::max(0.0, plan.execution.operator_dispatch.s() * cost.operators - cost.busy);
}

double time_of_units(const Plan& plan, const Cut& cut, const Stage& stage, const Cell& cell,
                     Range units) {
  const std::vector<WorkCost>& blocks = cut.blocks[static_cast<std::size_t>(cell.kind)];
  WorkCost sum;
  for (int unit = units.first; unit < units.end; ++unit) {
    const WorkCost& one = blocks[at(stage.block_index(cell.chunk, unit))];
    sum.time += one.time;
    sum.busy += one.busy;
    sum.operators += one.operators;
  }
  return with_host(plan, sum);
}

StageClock::StageClock(const Plan& plan, const Cut& cut, const strategies::PipelineShape& shape,
                       const std::vector<strategies::Chunk>& chunks, int index,
                       const std::vector<Cell>& cells, Prices prices)
    : plan_(plan),
      cut_(cut),
      shape_(shape),
      stage_(plan, cut.sharded, chunks),
      index_(index),
      cells_(cells),
      prices_(std::move(prices)),
      data_(plan, stage_, {prices_.collective, prices_.host_copy}, cells),
      last_backward_(chunks.size(), -1),
      seen_forward_(chunks.size(), false),
      parts_(chunks.size()) {
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i].makes_gradients()) last_backward_[at(cells[i].chunk)] = static_cast<int>(i);
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk) {
    const strategies::Place here{index_, chunk};
    hops_.push_back({shape_.virtual_stage(here), {hop(here, false), hop(here, true)}});
  }
}

bool StageClock::advance(Arrivals& arrivals) {
  const std::size_t before = next_;
  while (next_ < cells_.size()) {
    const std::size_t first = next_;
    const std::size_t count = cells_[first].overlapped ? 2 : 1;
    for (std::size_t i = first; i < first + count; ++i)
      if (arrival(arrivals, cells_[i]) < 0) return next_ > before;
    if (count == 2 && in_one_piece(first) && in_one_piece(first + 1)) {
      double ready = receive(arrivals, cells_[first]);
      ready = std::max(ready, receive(arrivals, cells_[first + 1]));
      overlapped_cells(first, ready);
      for (std::size_t i = first; i < first + 2; ++i) send(arrivals, cells_[i]);
    } else {
      for (std::size_t i = first; i < first + count; ++i) {
        const double ready = receive(arrivals, cells_[i]);
        cells_[i].forward() ? forward(i, ready) : backward(i, ready);
        send(arrivals, cells_[i]);
      }
    }
    next_ += count;
  }
  return next_ > before;
}

double StageClock::send_gradients(const GradientExchange& exchange) {
  finish_gradients();
  send_ =
      std::max({send_, compute_, reduced_}) + prices_.message(exchange.bytes, exchange.peer_stage);
  exchanged_ = std::max(exchanged_, send_);
  return send_;
}

void StageClock::receive_gradients(double arrival) {
  received_ = std::max({received_, compute_, reduced_, arrival});
  exchanged_ = std::max(exchanged_, received_);
}

void StageClock::begin_update() {
  finish_gradients();
  compute_ = std::max({compute_, blocked_, reduced_, exchanged_});
  links_ = sim::update_links(plan_, stage_);
}

void StageClock::update(const UpdateLink& link, double others) {
  compute_ = std::max(compute_, others) + prices_.update(link);
}

double StageClock::finish() {
  data_.after_optimizer(compute_);
  return std::max({compute_, data_.end(), send_, received_});
}

StageClock::Hop StageClock::hop(strategies::Place here, bool forward) const {
  const auto to = shape_.next(here, forward);
  if (!to || to->stage == index_) return {};
  return {to->stage, shape_.virtual_stage(*to)};
}

/// When the message that a cell needs is there; 0 if it needs none, below 0 if that is not known.
double StageClock::arrival(const Arrivals& arrivals, const Cell& cell) const {
  const Hops& hops = hops_[at(cell.chunk)];
  if (!cell.passes_on() || hops.to[cell.forward() ? 0 : 1].stage < 0) return 0;
  return arrivals[cell.forward() ? 1 : 0][at(hops.virtual_stage)][at(cell.micro_batch)];
}

double StageClock::receive(const Arrivals& arrivals, const Cell& cell) {
  if (!cell.passes_on() || hops_[at(cell.chunk)].to[cell.forward() ? 0 : 1].stage < 0) return 0;
  waits_ = plan_.execution.exchange_dispatch.s();
  if (cut_.sharded.behind_message) gathers_ += prices_.collective(*cut_.sharded.behind_message);
  // The receive is posted when the one before is over.
  return received_ = std::max(received_, arrival(arrivals, cell));
}

void StageClock::send(Arrivals& arrivals, const Cell& cell) {
  const Hop& to = hops_[at(cell.chunk)].to[cell.forward() ? 1 : 0];
  if (!cell.passes_on() || to.stage < 0) return;
  send_ = std::max(compute_, send_) + prices_.message(cut_.sharded.boundary, to.stage);
  arrivals[cell.forward() ? 1 : 0][at(to.virtual_stage)][at(cell.micro_batch)] = send_;
  if (!plan_.overlaps_messages()) blocked_ = send_;
}

void StageClock::finish_gradients() {
  if (reduced_ < 0) reduced_ = data_.finish(compute_);
}

/// The parts of a cell with their times.
const StageClock::TimedParts& StageClock::parts(std::size_t index) {
  const Cell& cell = cells_[index];
  const bool cut = cell.forward()
                       ? stage_.gathers_ahead() && !seen_forward_[at(cell.chunk)]
                       : cell.makes_gradients() && stage_.reduces(is_last_backward(index));
  TimedParts& known =
      parts_[at(cell.chunk)][2 * static_cast<std::size_t>(cell.kind) + (cut ? 1U : 0U)];
  if (!known.empty()) return known;
  for (Part& part : cell.forward() ? stage_.forward_parts(cell.chunk, cut)
                                   : stage_.backward_parts(cell.chunk, cut)) {
    const double time = time_of_units(plan_, cut_, stage_, cell, part.units);
    known.push_back({std::move(part), time});
  }
  return known;
}

bool StageClock::is_last_backward(std::size_t index) const {
  return last_backward_[at(cells_[index].chunk)] == static_cast<int>(index);
}

bool StageClock::in_one_piece(std::size_t index) {
  return !stage_.fully_sharded() && parts(index).size() == 1;
}

void StageClock::run(double time, double ready) {
  compute_ = std::max({compute_, ready, blocked_}) + waits_ + gathers_ + time;
  blocked_ = waits_ = gathers_ = 0;
}

void StageClock::forward(std::size_t index, double ready) {
  const Cell& cell = cells_[index];
  const TimedParts& all = parts(index);
  seen_forward_[at(cell.chunk)] = true;
  for (const TimedPart& one : all) {
    run(one.time, std::max(ready, data_.before(cell, one.part)));
    data_.after_forward(compute_);
    ready = 0;
  }
}

void StageClock::backward(std::size_t index, double ready) {
  for (const TimedPart& one : parts(index)) {
    run(one.time, std::max(ready, data_.before(cells_[index], one.part)));
    after_backward(index, one.part);
    ready = 0;
  }
}

void StageClock::after_backward(std::size_t index, const Part& part) {
  if (cells_[index].makes_gradients())
    data_.after_backward(cells_[index], part, compute_, is_last_backward(index));
  else
    data_.after_forward(compute_);
}

/// A forward and a backward that run at once, `first` and the one after it.
void StageClock::overlapped_cells(std::size_t first, double ready) {
  const std::size_t forward_index = cells_[first].forward() ? first : first + 1;
  const std::size_t backward_index = cells_[first].forward() ? first + 1 : first;
  const Cell& forward = cells_[forward_index];
  const Cell& backward = cells_[backward_index];
  const Part& forward_part = parts(forward_index).front().part;
  const Part& backward_part = parts(backward_index).front().part;
  ready = std::max(ready, data_.before(forward, forward_part));
  ready = std::max(ready, data_.before(backward, backward_part));
  const auto [known, fresh] =
      overlapped_times_.try_emplace(std::tuple(backward.kind, forward.chunk, backward.chunk), 0);
  if (fresh)
    known->second =
        prices_.work(overlapped(cell_work(stage_, forward, stage_.whole(forward.chunk)),
                                cell_work(stage_, backward, stage_.whole(backward.chunk))));
  run(known->second, ready);
  seen_forward_[at(forward.chunk)] = true;
  data_.after_forward(compute_);
  after_backward(backward_index, backward_part);
}

}  // namespace sim
