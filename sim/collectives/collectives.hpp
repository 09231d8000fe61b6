#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "calibrate/profile.hpp"

/// Collective algorithms as sets of concurrent flows. Each is one file and one row here.
namespace sim::collectives {

/// Bytes from one member to another, by position in the group. All flows of a collective run
/// concurrently: a pipelined ring keeps every hop busy all the time.
struct Flow {
  int from = 0;
  int to = 0;
  base::Bytes bytes;

  bool operator==(const Flow&) const = default;
};

struct Algorithm {
  std::string_view name;
  /// Whether it can do `op`.
  bool (*supports)(calibrate::Collective op);
  /// Flows of `op` over the members of a group; `bytes` in the nccl-tests convention.
  /// `domain_of_member[i]` says in which scale-up domain (node) member i sits.
  std::vector<Flow> (*expand)(calibrate::Collective op, base::Bytes bytes,
                              std::span<const int> domain_of_member);
};

bool ring_supports(calibrate::Collective op);
std::vector<Flow> expand_ring(calibrate::Collective op, base::Bytes bytes,
                              std::span<const int> domain_of_member);
bool direct_supports(calibrate::Collective op);
std::vector<Flow> expand_direct(calibrate::Collective op, base::Bytes bytes,
                                std::span<const int> domain_of_member);

inline constexpr std::array algorithms{
    Algorithm{"ring", ring_supports, expand_ring},
    Algorithm{"direct", direct_supports, expand_direct},
};

/// The first algorithm of the table that can do `op`.
const Algorithm& algorithm_for(calibrate::Collective op);

}  // namespace sim::collectives
