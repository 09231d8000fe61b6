#include "sim/stage.hpp"

#include "sim/step_memory.hpp"

namespace sim {

using base::Bytes;
using base::Collective;
using strategies::Axis;
using strategies::Chunk;

Stage::Stage(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
             const std::vector<Chunk>& chunks)
    : plan_(plan), sharded_(sharded) {
  for (const Chunk& chunk : chunks) {
    std::vector<int>& units = units_.emplace_back();
    if (chunk.embedding) units.push_back(sharded.embedding_block);
    for (int layer = chunk.first_layer; layer < chunk.end_layer; ++layer)
      units.push_back(sharded.layer_block[static_cast<std::size_t>(layer)]);
    if (chunk.head) units.push_back(sharded.head_block);
  }
}

std::int64_t Stage::parameters(int chunk, Range range) const {
  std::int64_t sum = 0;
  for (int unit = range.first; unit < range.end; ++unit) sum += block(chunk, unit).parameters;
  return sum;
}

std::int64_t Stage::all_parameters() const {
  std::int64_t sum = 0;
  for (int chunk = 0; chunk < chunks(); ++chunk) sum += parameters(chunk, whole(chunk));
  return sum;
}

Bytes Stage::gradient_bytes(std::int64_t parameters) const {
  return tensor_bytes(parameters, plan_.precision.gradients);
}

Bytes Stage::parameter_bytes(std::int64_t parameters) const {
  return tensor_bytes(parameters, plan_.precision.parameters);
}

std::vector<Range> Stage::buckets(int chunk, bool backward) const {
  std::vector<Range> ranges;
  const int units = whole(chunk).end;
  for (int count = 0; count < units;) {
    Bytes size;
    int length = 0;
    do {
      const int unit = backward ? units - 1 - count - length : count + length;
      size += gradient_bytes(block(chunk, unit).parameters);
      ++length;
    } while (!fully_sharded() && size < plan_.bucket && count + length < units);
    ranges.push_back(backward ? Range{units - count - length, units - count}
                              : Range{count, count + length});
    count += length;
  }
  return ranges;
}

std::vector<DataCollective> Stage::reduction(int chunk, Range range) const {
  const Bytes bytes = gradient_bytes(parameters(chunk, range));
  if (bytes.count() == 0) return {};
  if (plan_.zero == 0 || shards() == 1)
    return {{Stream::data_comm,
             "all-reduce gradients",
             {Collective::all_reduce, plan_.shard_axes() | Axis::data_replicate, bytes}}};
  std::vector<DataCollective> both{{Stream::data_comm,
                                    "reduce-scatter gradients",
                                    {Collective::reduce_scatter, plan_.shard_axes(), bytes}}};
  if (plan_.data_replicate > 1)
    both.push_back({Stream::replica_comm,
                    "all-reduce gradient shards",
                    {Collective::all_reduce, Axis::data_replicate, ceil_div(bytes, shards())}});
  return both;
}

DataCollective Stage::gathering(int chunk, Range range) const {
  return {Stream::data_comm,
          "all-gather parameters",
          {Collective::all_gather, plan_.shard_axes(), parameter_bytes(parameters(chunk, range))}};
}

Bytes Stage::optimizer_traffic() const {
  const std::int64_t count =
      sharded_state() ? (all_parameters() + shards() - 1) / shards() : all_parameters();
  const strategies::Precision& p = plan_.precision;
  const double bytes = base::bytes_of(p.gradients) + 2 * base::bytes_of(p.master) +
                       4 * base::bytes_of(p.moments) +
                       (p.master == p.parameters ? 0 : base::bytes_of(p.parameters));
  return Bytes::from_double(static_cast<double>(count) * bytes);
}

}  // namespace sim
