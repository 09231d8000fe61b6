#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/collective.hpp"
#include "strategies/placement/distribution.hpp"

/// From one layout of a tensor to another on the same mesh: who sends how many elements to whom.
namespace strategies::placement {

struct Message {
  int from = 0;
  int to = 0;
  std::int64_t elements = 0;

  bool operator==(const Message&) const = default;
};

/// One collective, run at once by all groups of ranks that differ along `mesh_dims` only.
struct RedistributionStep {
  base::Collective op = base::Collective::all_to_all;
  bool uneven = false;  ///< the ranks' counts differ: the "v" form (all-gather-v, ...)
  bool reduces = false;
  std::vector<int> mesh_dims;
  /// As sent directly, by sender, then receiver; none of size 0, none to oneself. A reducing step
  /// has a message for each contribution.
  std::vector<Message> messages;
  std::vector<std::int64_t> kept;  ///< elements (contributions) that a rank need not receive

  std::int64_t traffic() const;  ///< sum of the messages
  std::vector<std::int64_t> sent(int ranks) const;
  std::vector<std::int64_t> received(int ranks) const;
  std::int64_t max_sent() const;
  std::int64_t max_received() const;
  /// "all_gather_v over mesh dim 0", "reduce_scatter over mesh dims 0, 1".
  std::string describe() const;
};

/// No step: every rank cuts what it needs out of what it has.
struct Redistribution {
  std::vector<RedistributionStep> steps;

  std::int64_t traffic() const;
};

/// The least traffic. Without a reduction that is one step in which a rank receives exactly what it
/// lacks, from the holder nearest on the mesh (the same coordinate wherever the source is
/// replicated). A reduction that ends in shards or a RaggedShard is one reduce-scatter(-v); one
/// that ends in copies is a reduce-scatter and an all-gather, the two halves of an all-reduce; of
/// several ways the one with least traffic, then with fewest steps. To Partial nothing is sent
/// along its mesh dim: a shard becomes a contribution padded with the reduction's neutral element,
/// a copy becomes the contribution of coordinate 0.
base::Result<Redistribution> redistribute(const Layout& from, const Layout& to, const Shape& shape,
                                          const Mesh& mesh, const base::SourceRef& where = {});

}  // namespace strategies::placement
