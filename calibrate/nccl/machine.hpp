#pragma once

#include "calibrate/nccl/p2p.hpp"
#include "calibrate/profile.hpp"
#include "topology/nccl_search.hpp"

namespace calibrate::nccl {

/// What a group of ranks is to NCCL.
struct Group {
  topology::NcclMachine machine;
  topology::CpuVendor cpu = topology::CpuVendor::unknown;
  Paths paths;

  bool operator==(const Group&) const = default;
};

/// From the machine that the shape names; from its rates alone where it names none.
/// \pre shape.ranks >= 2
Group group_of(const GroupShape& shape);

/// The communicator of a group with these graphs, everything at NCCL's defaults.
Communicator communicator_of(const Group& group, const topology::NcclGraphs& graphs,
                             Version version);

}  // namespace calibrate::nccl
