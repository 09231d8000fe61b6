#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "calibrate/profile.hpp"

/// Collective algorithms as data: what bytes go from whom to whom. Each is one file and one row of
/// `algorithms()`. How long they take is somebody else's business: alone, the price of the backend;
/// on shared links, what SimGrid leaves them.
namespace sim::collectives {

using base::CollectiveAlgorithm;

/// Where a member of a group sits, in order of rank.
struct Member {
  int domain = 0;  ///< scale-up domain (node)
  int rail = 0;    ///< NIC that its GPU uses, counted in its node

  bool operator==(const Member&) const = default;
};

/// What is asked for. Rooted operations have member 0 as root.
struct Demand {
  base::Collective op = base::Collective::all_reduce;
  base::Bytes bytes;  ///< nccl-tests convention, see base::Collective
  /// Unequal counts (all-gather-v and the like): share of each member in the whole buffer, n of
  /// them; of all_to_all: share of each (from, to) in all that is sent, n x n, row by row, the
  /// diagonal included. They add up to 1. Empty: equal counts.
  std::span<const double> shares;
};

/// Bytes from one member to another, by position in the group.
struct Flow {
  int from = 0;
  int to = 0;
  base::Bytes bytes;

  bool operator==(const Flow&) const = default;
};

/// All flows run concurrently, for a pipelined algorithm keeps every hop busy all the time; the
/// rounds are hops that a first byte has to make one after the other.
struct Expansion {
  std::vector<Flow> flows;
  int rounds_inside = 0;  ///< over NVLink
  int rounds_across = 0;  ///< over the network
};

struct Algorithm {
  CollectiveAlgorithm id = CollectiveAlgorithm::ring;
  bool (*supports)(base::Collective op);
  Expansion (*expand)(const Demand& demand, std::span<const Member> members);
};

std::span<const Algorithm> algorithms();

const Algorithm& algorithm(CollectiveAlgorithm id);

}  // namespace sim::collectives
