#pragma once

#include <cstdint>
#include <vector>

#include "strategies/placement/redistribution.hpp"

/// The inside of redistribution.hpp: one exchange between sets of elements.
namespace strategies::placement {

/// How the coordinates of a sender and a receiver relate along a mesh dim.
enum class Relation : std::uint8_t {
  same,    ///< equal: the sender's copy, or contribution, is for this receiver alone
  any,     ///< the senders hold different elements
  reduce,  ///< the senders hold contributions to the same elements
};

struct Exchange {
  std::vector<Relation> relations;           ///< by mesh dim
  std::vector<const ElementSet*> senders;    ///< by rank: what it holds
  std::vector<const ElementSet*> receivers;  ///< by rank: what it wants; null: nothing
};

/// Every message of an exchange, with the collective that it is.
RedistributionStep run_exchange(const Exchange& exchange, const Mesh& mesh);

}  // namespace strategies::placement
