#include "sim/stage.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/buckets.hpp"
#include "sim/step_memory.hpp"

namespace sim {

using base::Bytes;
using base::Collective;
using strategies::Axis;
using strategies::AxisSet;
using strategies::Chunk;
using strategies::FsdpRoot;
using strategies::GradientSync;
using strategies::Plan;
using strategies::ShardedBlock;

namespace {

/// FSDP that reshards to groups of neighbours shards over all copies, whatever HSDP would call
/// replicas.
void choose_shards(const Plan& plan, AxisSet shard, AxisSet replicate, ParameterClass& its) {
  const strategies::RankGrid grid = plan.grid();
  const bool groups = plan.zero == 3 && plan.fsdp.ranks_after_forward > 1;
  its.shard = groups ? shard | replicate : shard;
  its.replicate = groups ? AxisSet{} : replicate;
  its.shards = grid.extent(its.shard);
  its.replicas = grid.extent(its.replicate);
}

/// Copies of the same parameters are ranks that see different tokens.
ParameterClass dense_class(const Plan& plan) {
  ParameterClass dense;
  dense.tensors = &ShardedBlock::parameter_tensors;
  dense.matrices = &ShardedBlock::matrices;
  choose_shards(plan, plan.shard_axes(), Axis::data_replicate, dense);
  dense.group = Axis::data_shard;
  dense.group_size = plan.data_shard();
  return dense;
}

/// Experts are copied over other ranks. They are gathered from all their shards even where the rest
/// lies in groups.
ParameterClass expert_class(const Plan& plan) {
  ParameterClass experts;
  experts.tensors = &ShardedBlock::expert_tensors;
  experts.matrices = &ShardedBlock::expert_matrices;
  choose_shards(plan, Axis::expert_shard, Axis::expert_replicate, experts);
  experts.group = experts.shard;
  experts.group_size = experts.shards;
  experts.shard_stream = Stream::expert_data_comm;
  experts.replica_stream = Stream::expert_replica_comm;
  return experts;
}

/// FSDP unit of each layer of the model.
std::vector<int> units_of_layers(const std::vector<int>& layers_per_unit, std::size_t layers) {
  std::vector<int> units;
  for (int unit = 0; units.size() < layers; ++unit) {
    const std::size_t row = std::min(static_cast<std::size_t>(unit), layers_per_unit.size() - 1);
    for (int i = 0; i < layers_per_unit[row] && units.size() < layers; ++i) units.push_back(unit);
  }
  return units;
}

}  // namespace

Stage::Stage(const Plan& plan, const strategies::ShardedGraph& sharded,
             const std::vector<Chunk>& chunks)
    : plan_(plan), sharded_(sharded), classes_{dense_class(plan)} {
  const auto has_experts = [](const ShardedBlock& block) { return !block.expert_tensors.empty(); };
  if (std::any_of(sharded.blocks.begin(), sharded.blocks.end(), has_experts))
    classes_.push_back(expert_class(plan));
  for (const ParameterClass& its : classes_) {
    copies_ = copies_ || its.copies() > 1;
    shards_ = shards_ || its.shards > 1;
  }
  for (const Chunk& chunk : chunks) {
    ChunkUnits& made = chunks_.emplace_back();
    if (chunk.embedding) made.blocks.push_back(sharded.embedding_block);
    for (int layer = chunk.first_layer; layer < chunk.end_layer; ++layer)
      made.blocks.push_back(sharded.layer_block[static_cast<std::size_t>(layer)]);
    if (chunk.head) made.blocks.push_back(sharded.head_block);
    if (!copies()) continue;
    if (fully_sharded())
      cut_fsdp_units(made, chunk);
    else
      fill_buckets(made);
  }
}

std::int64_t Stage::elements(const ChunkUnits& chunk, int of_class, int unit) const {
  const ShardedBlock& block =
      sharded_.blocks[static_cast<std::size_t>(chunk.blocks[static_cast<std::size_t>(unit)])];
  const auto& tensors = block.*classes_[static_cast<std::size_t>(of_class)].tensors;
  return std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0});
}

void Stage::cut_fsdp_units(ChunkUnits& chunk, const Chunk& layers) const {
  const strategies::Fsdp& fsdp = plan_.fsdp;
  const std::vector<int> unit_of_layer =
      units_of_layers(fsdp.layers_per_unit, sharded_.layer_block.size());
  const bool one_root = fsdp.root == FsdpRoot::embedding_and_head;
  const bool keeps_all = fsdp.ranks_after_forward == 1;
  const auto open = [&](bool kept) {
    chunk.fsdp_units.push_back({{}, {}, kept || keeps_all});
    return static_cast<int>(chunk.fsdp_units.size()) - 1;
  };
  int root = -1;
  if (layers.embedding) chunk.fsdp_unit_of.push_back(root = open(one_root));
  for (int layer = layers.first_layer; layer < layers.end_layer; ++layer) {
    const auto i = static_cast<std::size_t>(layer);
    const bool fresh = layer == layers.first_layer || unit_of_layer[i] != unit_of_layer[i - 1];
    chunk.fsdp_unit_of.push_back(fresh ? open(false) : chunk.fsdp_unit_of.back());
  }
  if (layers.head)
    chunk.fsdp_unit_of.push_back(one_root && root >= 0 ? root : open(fsdp.root != FsdpRoot::none));
  for (int unit = 0; unit < static_cast<int>(chunk.fsdp_unit_of.size()); ++unit) {
    Range& span = chunk
                      .fsdp_units[static_cast<std::size_t>(
                          chunk.fsdp_unit_of[static_cast<std::size_t>(unit)])]
                      .units;
    if (span.end == 0) span.first = unit;
    span.end = unit + 1;
  }
  for (int number = 0; number < static_cast<int>(chunk.fsdp_units.size()); ++number) {
    FsdpUnit& unit = chunk.fsdp_units[static_cast<std::size_t>(number)];
    unit.buckets.first = static_cast<int>(chunk.buckets.size());
    for (int c = 0; c < static_cast<int>(classes_.size()); ++c) {
      Bucket bucket{c, 0, unit.units};
      for (int i = unit.units.first; i < unit.units.end; ++i)
        if (chunk.fsdp_unit_of[static_cast<std::size_t>(i)] == number)
          bucket.elements += elements(chunk, c, i);
      if (bucket.elements == 0 || class_of(bucket).copies() == 1) continue;
      chunk.buckets.push_back(bucket);
    }
    unit.buckets.end = static_cast<int>(chunk.buckets.size());
  }
}

void Stage::fill_buckets(ChunkUnits& chunk) const {
  chunk.buckets = bucket_tensors(chunk, /*backward=*/true);
  if (!gathers_shards()) return;
  if (plan_.gather_bucket.count() > 0)
    chunk.gather_buckets = bucket_tensors(chunk, /*backward=*/false);
  else
    chunk.gather_buckets.assign(chunk.buckets.rbegin(), chunk.buckets.rend());
  std::vector<Bucket>& gathered = chunk.gather_buckets;
  const auto whole = [&](const Bucket& bucket) { return class_of(bucket).shards == 1; };
  gathered.erase(std::remove_if(gathered.begin(), gathered.end(), whole), gathered.end());
}

std::vector<Bucket> Stage::bucket_tensors(const ChunkUnits& chunk, bool backward) const {
  const int units = static_cast<int>(chunk.blocks.size());
  std::vector<Bucket> all;
  for (int c = 0; c < static_cast<int>(classes_.size()); ++c) {
    if (classes_[static_cast<std::size_t>(c)].copies() == 1) continue;
    std::vector<Bytes> sizes;
    std::vector<Bucket> tensors;
    for (int i = 0; i < units; ++i) {
      const int unit = backward ? units - 1 - i : i;
      const ShardedBlock& block =
          sharded_.blocks[static_cast<std::size_t>(chunk.blocks[static_cast<std::size_t>(unit)])];
      const auto& of_block = block.*classes_[static_cast<std::size_t>(c)].tensors;
      for (std::size_t t = 0; t < of_block.size(); ++t) {
        const std::int64_t count = of_block[backward ? of_block.size() - 1 - t : t];
        tensors.push_back({c, count, {unit, unit + 1}});
        sizes.push_back(backward ? gradient_bytes(count) : parameter_bytes(count));
      }
    }
    const std::vector<int> bucket_of =
        backward ? assign_buckets(sizes, plan_.ddp.buckets, {plan_.ddp.first_bucket, plan_.bucket})
                 : assign_buckets(sizes, strategies::BucketPolicy::deepspeed,
                                  {plan_.gather_bucket, plan_.gather_bucket});
    const std::size_t first = all.size();
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const std::size_t bucket = first + static_cast<std::size_t>(bucket_of[t]);
      if (bucket >= all.size()) all.resize(bucket + 1);
      Bucket& into = all[bucket];
      const Range& here = tensors[t].units;
      into.units = into.elements == 0 ? here
                                      : Range{std::min(into.units.first, here.first),
                                              std::max(into.units.end, here.end)};
      into.of_class = c;
      into.elements += tensors[t].elements;
    }
  }
  if (classes_.size() > 1)
    std::stable_sort(all.begin(), all.end(), [backward](const Bucket& a, const Bucket& b) {
      return backward ? a.units.first > b.units.first : a.units.first < b.units.first;
    });
  return all;
}

std::int64_t Stage::parameters(int of_class) const {
  std::int64_t sum = 0;
  for (const ChunkUnits& chunk : chunks_)
    for (int unit = 0; unit < static_cast<int>(chunk.blocks.size()); ++unit)
      sum += elements(chunk, of_class, unit);
  return sum;
}

std::int64_t Stage::updated_parameters() const {
  std::int64_t sum = 0;
  for (int c = 0; c < static_cast<int>(classes_.size()); ++c) {
    const int shards = plan_.zero >= 1 ? classes_[static_cast<std::size_t>(c)].shards : 1;
    sum += base::ceil_div(parameters(c), shards);
  }
  return sum;
}

Bytes Stage::gradient_bytes(std::int64_t elements) const {
  const bool units = fully_sharded() && plan_.fsdp.reduce_dtype;
  return tensor_bytes(elements, units ? *plan_.fsdp.reduce_dtype : plan_.precision.gradients);
}

Bytes Stage::parameter_bytes(std::int64_t elements) const {
  const bool units = fully_sharded() && plan_.fsdp.gather_dtype;
  return tensor_bytes(elements, units ? *plan_.fsdp.gather_dtype : plan_.precision.parameters);
}

Bytes Stage::parameter_shard_bytes(const Bucket& bucket) const {
  const int shards = class_of(bucket).shards;
  return tensor_bytes(base::ceil_div(bucket.elements, shards), plan_.precision.master);
}

Bytes Stage::gradient_shard_bytes(const Bucket& bucket) const {
  const int shards = plan_.zero >= 1 ? class_of(bucket).shards : 1;
  return tensor_bytes(base::ceil_div(bucket.elements, shards), plan_.precision.gradients);
}

bool Stage::reduces(bool last_backward) const {
  if (!copies()) return false;
  switch (plan_.gradient_sync()) {
    case GradientSync::last: return last_backward;
    case GradientSync::every: return true;
    case GradientSync::none: return false;
  }
  return false;
}

std::vector<Part> Stage::forward_parts(int chunk, bool waits_for_parameters) const {
  const ChunkUnits& here = of(chunk);
  const int units = static_cast<int>(here.blocks.size());
  std::vector<Part> parts;
  if (fully_sharded()) {
    for (int unit = 0; unit < units; ++unit) {
      const int fsdp_unit = here.fsdp_unit_of[static_cast<std::size_t>(unit)];
      if (parts.empty() || parts.back().fsdp_unit != fsdp_unit)
        parts.push_back({{unit, unit}, {}, {}, fsdp_unit});
      parts.back().units.end = unit + 1;
    }
    return parts;
  }
  parts.push_back({whole(chunk), {}, {}, -1});
  if (!waits_for_parameters) return parts;
  for (int b = 0; b < static_cast<int>(here.gather_buckets.size()); ++b) {
    const int first = here.gather_buckets[static_cast<std::size_t>(b)].units.first;
    if (first > parts.back().units.first) {
      parts.back().units.end = first;
      parts.push_back({{first, units}, {b, b}, {}, -1});
    }
    parts.back().needs.end = b + 1;
  }
  return parts;
}

std::vector<Part> Stage::backward_parts(int chunk, bool reduces) const {
  const ChunkUnits& here = of(chunk);
  std::vector<Part> parts;
  if (fully_sharded()) {
    parts = forward_parts(chunk, true);
    std::reverse(parts.begin(), parts.end());
    for (Part& part : parts) {
      const FsdpUnit& unit = here.fsdp_units[static_cast<std::size_t>(part.fsdp_unit)];
      if (unit.units.first == part.units.first) part.completes = unit.buckets;
    }
    return parts;
  }
  parts.push_back({whole(chunk), {}, {}, -1});
  if (!reduces) return parts;
  for (int b = 0; b < static_cast<int>(here.buckets.size()); ++b) {
    const int first = here.buckets[static_cast<std::size_t>(b)].units.first;
    if (plan_.overlap.gradient_reduce && first > parts.back().units.first &&
        parts.back().completes.end == 0) {
      parts.back().units.first = first;
    } else if (plan_.overlap.gradient_reduce && first < parts.back().units.first) {
      parts.push_back({{first, parts.back().units.first}, {}, {b, b}, -1});
    }
    parts.back().completes.end = b + 1;
  }
  // Units before the last bucket have no parameters.
  if (parts.back().units.first > 0) parts.push_back({{0, parts.back().units.first}, {}, {}, -1});
  return parts;
}

std::vector<DataCollective> Stage::reduction(const Bucket& bucket) const {
  const ParameterClass& its = class_of(bucket);
  const Bytes bytes = gradient_bytes(bucket.elements);
  if (plan_.zero == 0 || its.shards == 1)
    return {{its.shard_stream,
             "all-reduce gradients",
             {Collective::all_reduce, its.shard | its.replicate, bytes}}};
  std::vector<DataCollective> both{{its.shard_stream,
                                    "reduce-scatter gradients",
                                    {Collective::reduce_scatter, its.shard, bytes}}};
  if (sums_replicas(bucket))
    both.push_back({its.replica_stream,
                    "all-reduce gradient shards",
                    {Collective::all_reduce, its.replicate, ceil_div(bytes, its.shards)}});
  return both;
}

int Stage::owners(const Bucket& bucket) const {
  const double share =
      static_cast<double>(bucket.elements) / static_cast<double>(parameters(bucket.of_class));
  return std::max(1, static_cast<int>(std::ceil(share * class_of(bucket).shards)));
}

DataCollective Stage::gathering(const Bucket& bucket, bool from_group) const {
  const ParameterClass& its = class_of(bucket);
  if (plan_.owns_tensors)
    return {its.shard_stream,
            "broadcast parameters",
            {Collective::broadcast, its.shard, parameter_bytes(bucket.elements), owners(bucket)}};
  return {its.shard_stream,
          "all-gather parameters",
          {Collective::all_gather, from_group ? its.group : its.shard,
           parameter_bytes(bucket.elements)}};
}

strategies::OptimizerWork Stage::optimizer_work(const ParameterClass& its) const {
  strategies::ParameterTensors held;
  for (const ChunkUnits& chunk : chunks_)
    for (const int index : chunk.blocks) {
      const ShardedBlock& block = sharded_.blocks[static_cast<std::size_t>(index)];
      const std::vector<std::int64_t>& tensors = block.*its.tensors;
      held.elements += std::accumulate(tensors.begin(), tensors.end(), std::int64_t{0});
      held.tensors += static_cast<std::int64_t>(tensors.size());
      const std::vector<strategies::WeightMatrix>& matrices = block.*its.matrices;
      held.matrices.insert(held.matrices.end(), matrices.begin(), matrices.end());
    }
  return strategies::optimizer_work(plan_.optimizer, plan_.precision, held,
                                    plan_.zero >= 1 ? its.shards : 1, keeps_copy());
}

}  // namespace sim
