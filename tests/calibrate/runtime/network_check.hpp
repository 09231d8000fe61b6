#pragma once

#include <string>
#include <vector>

#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime {

/// Tries a network from one of its ranks: all operations with data that is checked against the
/// definition of each, groups of ranks, words that are shared. Every rank calls it at once; what is
/// wrong comes back, so that ranks can be threads or processes.
///
/// `compute` has the memory that the network reads; NULL for networks that read the host's.
std::vector<std::string> check_network(const foreshard_network& network,
                                       const foreshard_compute* compute,
                                       const foreshard_rendezvous& rendezvous);

}  // namespace calibrate::runtime
