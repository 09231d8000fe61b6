#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/profile.hpp"
#include "topology/hardware.hpp"

/// How much longer collectives take than NCCL's tuning model says. The model chooses between
/// algorithms, and is nearly right for large messages; published sweeps are up to several times
/// slower below. Fitted by calibrate/nccl/fit_ramp.py, kept in scenarios/hardware/collectives.yaml.
namespace calibrate::nccl {

/// One fit. With L the model's time of nothing and W what it adds for the bytes,
///   time = start L + W / share + fill L W / (W + fill_half L) + hop (nodes - 1).
/// - start: launch, meeting of the ranks and hops, against those of the model;
/// - share: of the model's rate, for very large messages;
/// - fill: pipelines that are not full. What is lost grows with the message until a steady state
///   and with the hops, of which L is the measure.
/// - hop: of each node that all-gathers and reduce-scatters go to round a ring, beyond the model's.
/// It grows with W, so that more bytes still never cost less.
struct Ramp {
  // Inside a scale-up domain of NVLinks a fit is for an architecture, across nodes for a kind of
  // NIC.
  std::string architecture;  ///< empty across nodes
  topology::NicKind nic_kind = topology::NicKind::verbs;
  std::vector<Collective> operations;  ///< measured ones
  int nodes = 1;                       ///< of the largest group measured
  std::string source;
  int points = 0;
  double start = 1;
  double share = 1;
  double fill = 0;
  double fill_half = 1;
  base::Seconds hop;
  double start_spread = 0;  ///< of points that start for more than half of their time
  double wire_spread = 0;   ///< of the others

  /// From the model's time of the message and of nothing, for so many nodes. \pre 0 < least <= time
  base::Seconds time(base::Seconds model, base::Seconds least, int on_nodes) const;
  /// Relative standard deviation of that time.
  double spread(base::Seconds model, base::Seconds least, int on_nodes) const;
};

struct Ramps {
  std::vector<Ramp> all;

  /// That of the group's place and of the operation; an operation of NCCL's table that was not
  /// measured there borrows from all-gathers, else from all-reduces. nullptr: none is known.
  const Ramp* find(Collective op, const GroupShape& shape) const;
};

/// Whether points of this operation on groups as large as this one went into the fit.
bool covers(const Ramp& ramp, Collective op, const GroupShape& shape);

/// Parser of the file, for tests and fuzzers.
base::Result<Ramps> read_ramps(std::string_view yaml, const std::string& file);

/// `FOLDER/collectives.yaml`; none where there is no such file.
base::Result<Ramps> load_ramps(const std::string& hardware_folder);

}  // namespace calibrate::nccl
