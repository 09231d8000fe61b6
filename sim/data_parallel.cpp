#include "sim/data_parallel.hpp"

#include <algorithm>

namespace sim {

using base::Bytes;
using schedule::Cell;
using schedule::CellKind;

namespace {

constexpr const char* gathered_units = "units";
constexpr const char* whole_gradients = "whole gradients";

}  // namespace

std::vector<UnitUse> unit_uses(const Stage& stage, const strategies::Plan& plan,
                               const std::vector<Cell>& cells) {
  enum class State { sharded, in_group, whole };
  std::vector<std::vector<State>> states;
  std::vector<std::vector<Part>> forward;
  std::vector<std::vector<Part>> backward;
  for (int chunk = 0; chunk < stage.chunks(); ++chunk) {
    states.emplace_back(stage.fsdp_units(chunk).size(), State::sharded);
    forward.push_back(stage.forward_parts(chunk, true));
    backward.push_back(stage.backward_parts(chunk, true));
  }
  const bool groups = plan.fsdp.ranks_after_forward > 1;
  std::vector<UnitUse> uses;
  std::size_t most = 0;
  for (const std::vector<Part>& parts : forward) most = std::max(most, parts.size());
  uses.reserve(most * cells.size());
  for (const Cell& cell : cells) {
    if (!cell.needs_parameters()) continue;
    const auto chunk = static_cast<std::size_t>(cell.chunk);
    for (const Part& part : (cell.forward() ? forward : backward)[chunk]) {
      const FsdpUnit& unit = stage.fsdp_units(cell.chunk)[static_cast<std::size_t>(part.fsdp_unit)];
      State& state = states[chunk][static_cast<std::size_t>(part.fsdp_unit)];
      UnitUse use{cell.chunk, cell.micro_batch, part.fsdp_unit};
      if (state == State::sharded) use.gather = UnitUse::Gather::all_shards;
      if (state == State::in_group) use.gather = UnitUse::Gather::group;
      state = State::whole;
      const bool over = cell.forward() ? !unit.kept : part.units.first == unit.units.first;
      if (over) {
        const bool to_group = cell.forward() && groups;
        use.reshard = to_group ? UnitUse::Reshard::to_group : UnitUse::Reshard::to_all;
        state = to_group ? State::in_group : State::sharded;
      }
      uses.push_back(use);
    }
  }
  return uses;
}

DataParallel::DataParallel(const strategies::Plan& plan, const Stage& stage, Pricer& pricer,
                           Program& program, StepMemory& memory)
    : plan_(plan),
      stage_(stage),
      pricer_(pricer),
      program_(program),
      memory_(memory),
      seen_forward_(static_cast<std::size_t>(stage.chunks()), false) {}

void DataParallel::begin(const std::vector<Cell>& cells) {
  if (stage_.fully_sharded()) {
    uses_ = unit_uses(stage_, plan_, cells);
    use_gathers_.reserve(uses_.size());
  }
  if (stage_.gathers_ahead()) gather_ahead();
}

std::vector<Part> DataParallel::parts(const Cell& cell, bool last_backward) const {
  if (!cell.forward())
    return stage_.backward_parts(cell.chunk,
                                 cell.makes_gradients() && stage_.reduces(last_backward));
  // Only the first forward of a chunk waits for parameters that are gathered ahead.
  return stage_.forward_parts(
      cell.chunk, stage_.gathers_ahead() && !seen_forward_[static_cast<std::size_t>(cell.chunk)]);
}

std::vector<std::uint32_t> DataParallel::before(const Cell& cell, const Part& part) {
  std::vector<std::uint32_t> waits = std::move(blocking_);
  blocking_.clear();
  for (int need = part.needs.first; need < part.needs.end; ++need)
    waits.push_back(shard_gathers_.at({cell.chunk, need}));
  if (stage_.fully_sharded() && cell.needs_parameters()) {
    gather_units();
    const std::vector<std::uint32_t>& gathers = use_gathers_[use_runs_.size()];
    waits.insert(waits.end(), gathers.begin(), gathers.end());
  }
  return waits;
}

void DataParallel::after_forward(const Cell& cell, std::uint32_t task) {
  seen_forward_[static_cast<std::size_t>(cell.chunk)] = true;
  if (stage_.fully_sharded()) release_unit(task);
}

void DataParallel::after_input_gradient(std::uint32_t task) {
  if (stage_.fully_sharded()) release_unit(task);
}

void DataParallel::after_backward(const Cell& cell, const Part& part, std::uint32_t task,
                                  bool last_backward) {
  if (stage_.fully_sharded() && cell.needs_parameters()) release_unit(task);
  if (stage_.holds_gradients()) hold_gradients(cell, part, task, last_backward);
  if (!stage_.reduces(last_backward)) return;
  const bool put_off = stage_.puts_off(last_backward);
  for (int index = part.completes.first; index < part.completes.end; ++index)
    if (put_off)
      pending_.push_back({cell, index});
    else
      reduce(cell, index, task, last_backward);
}

std::vector<std::uint32_t> DataParallel::finish(std::uint32_t last_run) {
  for (const Pending& pending : pending_) reduce(pending.cell, pending.bucket, last_run, true);
  pending_.clear();
  return std::move(before_optimizer_);
}

void DataParallel::after_optimizer(std::uint32_t task) {
  if (!stage_.gathers_shards() || stage_.gathers_ahead()) return;
  std::vector<std::uint32_t> gathers;
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk)
    for (const Bucket& bucket : stage_.gather_buckets(chunk))
      gathers.push_back(gather_shards(chunk, bucket, {task}));
  hold_copies(gathers);
}

void DataParallel::hold_buffers() {
  if (!stage_.copies()) return;
  const auto bytes_of = [&](auto&& bytes_of_bucket, auto&& combine) {
    Bytes all;
    for (int chunk = 0; chunk < stage_.chunks(); ++chunk)
      for (const Bucket& bucket : stage_.buckets(chunk))
        all = combine(all, bytes_of_bucket(bucket));
    return all;
  };
  const auto sum = [](Bytes a, Bytes b) { return a + b; };
  const auto most = [](Bytes a, Bytes b) { return std::max(a, b); };
  const auto gradients = [&](const Bucket& one) { return stage_.gradient_bytes(one.elements); };
  const Bytes largest = bytes_of(gradients, most);
  using strategies::BucketPolicy;
  if (plan_.zero >= 2)
    memory_.hold(MemoryPart::buffers, largest, "gradients of a bucket");
  else if (plan_.ddp.buckets == BucketPolicy::sequential)
    // PyTorch's reducer has gradients in buckets of its own (gradient_as_bucket_view is off), in
    // the format of the parameters.
    memory_.hold(
        MemoryPart::buffers,
        bytes_of([&](const Bucket& one) { return stage_.parameter_bytes(one.elements); }, sum),
        "buckets of all gradients");
  else if (plan_.ddp.buckets == BucketPolicy::deepspeed)
    // One is filled while the other is reduced.
    memory_.hold(MemoryPart::buffers, largest * (plan_.overlap.gradient_reduce ? 2 : 1),
                 "gradient buckets in flight");
}

/// Shards of separate tensors are gathered as one, out of a copy of the shards into one of all
/// tensors; Megatron's and DeepSpeed's tensors lie in their buckets.
void DataParallel::hold_copies(const std::vector<std::uint32_t>& gathers) {
  if (gathers.empty() || plan_.ddp.buckets != strategies::BucketPolicy::sequential) return;
  std::int64_t copies = 0;
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk)
    for (const Bucket& bucket : stage_.gather_buckets(chunk)) {
      const Bytes whole = stage_.parameter_bytes(bucket.elements);
      copies += (whole + ceil_div(whole, stage_.class_of(bucket).shards)).count();
    }
  const std::string what = "copies of gathered parameters";
  memory_.change(gathers.front(), /*at_end=*/false, MemoryPart::buffers, copies, what);
  memory_.change(gathers.back(), /*at_end=*/true, MemoryPart::buffers, -copies, what);
}

std::uint32_t DataParallel::communicate(CommKind kind, const DataCollective& what, const Cell& cell,
                                        const std::vector<std::uint32_t>& dependencies) {
  return add_task(program_,
                  {.kind = TaskKind::collective,
                   .stream = what.stream,
                   .chunk = static_cast<std::int16_t>(cell.chunk),
                   .micro_batch = cell.micro_batch,
                   .index = pricer_.collective(what.name, kind, what.communication)},
                  dependencies);
}

std::uint32_t DataParallel::copy(Stream stream, const char* name, CommKind kind, Bytes bytes,
                                 const Cell& cell, const std::vector<std::uint32_t>& dependencies) {
  return add_task(program_,
                  {.kind = TaskKind::copy,
                   .stream = stream,
                   .chunk = static_cast<std::int16_t>(cell.chunk),
                   .micro_batch = cell.micro_batch,
                   .index = pricer_.host_copy(name, kind, bytes)},
                  dependencies);
}

/// ZeRO-1 and -2: the parameters that the optimizer of the step before has updated in shards.
void DataParallel::gather_ahead() {
  for (int chunk = 0; chunk < stage_.chunks(); ++chunk) {
    int number = 0;
    for (const Bucket& bucket : stage_.gather_buckets(chunk))
      shard_gathers_[{chunk, number++}] = gather_shards(chunk, bucket, {});
  }
}

std::uint32_t DataParallel::gather_shards(int chunk, const Bucket& bucket,
                                          const std::vector<std::uint32_t>& dependencies) {
  return communicate(CommKind::parameter, stage_.gathering(bucket),
                     {.kind = CellKind::forward, .micro_batch = -1, .chunk = chunk}, dependencies);
}

std::int64_t DataParallel::unit_bytes(const UnitUse& use, bool in_group) const {
  std::int64_t sum = 0;
  const Range buckets = unit_of(use).buckets;
  for (int index = buckets.first; index < buckets.end; ++index) {
    const Bucket& one = bucket(use.chunk, index);
    if (stage_.class_of(one).shards == 1) continue;
    const Bytes bytes = stage_.parameter_bytes(one.elements);
    sum += (in_group ? ceil_div(bytes, stage_.class_of(one).group_size) : bytes).count();
  }
  return sum;
}

/// Asks for the unit that is computed next and for those that are prefetched meanwhile, before
/// gradients of this unit queue up on the same communicator.
void DataParallel::gather_units() {
  const std::size_t wanted =
      std::min(uses_.size(), use_runs_.size() + static_cast<std::size_t>(plan_.prefetch()) + 1);
  while (use_gathers_.size() < wanted) gather_unit(use_gathers_.size());
}

/// A unit is gathered while those before it are computed, but not so early that more than the one
/// in use and the prefetched ones are held.
void DataParallel::gather_unit(std::size_t index) {
  const UnitUse& use = uses_[index];
  std::vector<std::uint32_t>& gathers = use_gathers_.emplace_back();
  if (use.gather == UnitUse::Gather::nothing) return;
  const auto held = static_cast<std::size_t>(plan_.prefetch()) + 1;
  std::vector<std::uint32_t> waits;
  if (index >= held) waits.push_back(use_runs_[index - held]);
  const bool group = use.gather == UnitUse::Gather::group;
  const Cell cell{.kind = CellKind::forward, .micro_batch = use.micro_batch, .chunk = use.chunk};
  const Range buckets = unit_of(use).buckets;
  for (int number = buckets.first; number < buckets.end; ++number) {
    const Bucket& one = bucket(use.chunk, number);
    if (stage_.class_of(one).shards == 1) continue;
    std::vector<std::uint32_t> ready = waits;
    const Bytes shard = stage_.parameter_shard_bytes(one);
    std::uint32_t first = 0;
    if (stage_.offloads() && !group) {
      first = copy(Stream::host_to_device, "copy parameters in", CommKind::parameter, shard, cell,
                   waits);
      ready = {first};
      memory_.change(first, /*at_end=*/false, MemoryPart::buffers, shard.count(),
                     "shards copied in");
    }
    const std::uint32_t task =
        communicate(CommKind::parameter, stage_.gathering(one, group), cell, ready);
    if (stage_.offloads() && !group)
      memory_.change(task, /*at_end=*/true, MemoryPart::buffers, -shard.count(),
                     "shards copied in");
    gathers.push_back(task);
  }
  if (!gathers.empty())
    memory_.change(gathers.front(), /*at_end=*/false, MemoryPart::gathered,
                   unit_bytes(use, false) - (group ? unit_bytes(use, true) : 0), gathered_units);
}

void DataParallel::release_unit(std::uint32_t task) {
  const UnitUse& use = uses_[use_runs_.size()];
  use_runs_.push_back(task);
  if (use.reshard == UnitUse::Reshard::nothing) return;
  const bool group = use.reshard == UnitUse::Reshard::to_group;
  memory_.change(task, /*at_end=*/true, MemoryPart::gathered,
                 (group ? unit_bytes(use, true) : 0) - unit_bytes(use, false), gathered_units);
}

/// Whole gradients are held from the first backward on, unless that is the last one, too.
void DataParallel::hold_gradients(const Cell& cell, const Part& part, std::uint32_t task,
                                  bool last) {
  if (last) return;  // given back by `reduce`
  for (int index = part.completes.first; index < part.completes.end; ++index)
    if (held_.emplace(cell.chunk, index).second)
      memory_.change(task, /*at_end=*/false, MemoryPart::gradients,
                     stage_.gradient_bytes(bucket(cell.chunk, index).elements).count(),
                     whole_gradients);
}

void DataParallel::reduce(const Cell& cell, int index, std::uint32_t after, bool last) {
  const Bucket& its = bucket(cell.chunk, index);
  const std::vector<DataCollective> reduction = stage_.reduction(its);
  for (const DataCollective& one : reduction) {
    after = communicate(CommKind::data, one, cell, {after});
    if (&one == &reduction.front() && held_.count({cell.chunk, index}) > 0)
      memory_.change(after, /*at_end=*/true, MemoryPart::gradients,
                     -stage_.gradient_bytes(its.elements).count(), whole_gradients);
  }
  if (stage_.updates_on_host())
    after = copy(Stream::device_to_host, "copy gradients out", CommKind::data,
                 stage_.gradient_shard_bytes(its), cell, {after});
  if (last) before_optimizer_.push_back(after);
  if (!plan_.overlap.gradient_reduce) blocking_.push_back(after);
}

}  // namespace sim
