#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/diagnostic.hpp"
#include "calibrate/backend.hpp"
#include "topology/nccl_graph.hpp"

namespace calibrate {

struct NcclOptions {
  std::string version = "2.28";
  std::string algorithms;  ///< as in NCCL_ALGO; empty: NCCL's choice
  std::string protocols;   ///< as in NCCL_PROTO
  /// Of one communicator, as NCCL dumped them: used for groups with as many GPUs a node that cross
  /// nodes, or do not, as it did. Graphs of other groups are searched.
  std::optional<topology::NcclGraphs> graphs;
  /// Where collectives.yaml is: fits of how much longer collectives take, see
  /// nccl/measured_ramp.hpp. Empty: NCCL's own predictions.
  std::string hardware_folder;
};

/// NCCL's own cost model over the graphs that its search would find: the time that NCCL predicts,
/// with the algorithm, protocol and channels that it would choose. Scale-up domains count as NCCL's
/// nodes. NCCL's corrections for small sizes make some messages cheaper than smaller ones; here a
/// message costs no more than any larger one, with the choice made for that one. Where fits of
/// published sweeps serve the group, they stretch that time, latency and wire alike.
///
/// A shape without a machine is taken as one with NVSwitches of the generation that its rates
/// suggest, and one NIC a rank up to eight. On AMD GPUs the formulas and constants of Ampere are
/// used with the rates of the mesh. Where `algorithms` and `protocols` leave nothing on a machine,
/// NCCL would stop; here the price is that of NCCL's own choice, and `obeys` says so.
///
/// Mistakes in version, algorithms and protocols at once.
base::Result<std::unique_ptr<CollectiveBackend>> make_nccl_backend(const NcclOptions& options);

}  // namespace calibrate
