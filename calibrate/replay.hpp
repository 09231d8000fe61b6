#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibrate/fit/collective_fit.hpp"
#include "topology/hardware.hpp"

/// A measured sweep played again in the simulator.
namespace calibrate {

/// The price of a measured collective by its fit, for the simulator to play on such a group: round
/// a ring or straight, or through NVSwitches that reduce, which alone carry what is measured there.
CollectiveCost replay_cost(const fit::CollectiveFit& fit, Collective op, base::Bytes bytes,
                           const GroupShape& shape);

/// Nodes on which a sweep can be played.
struct ReplayMachine {
  topology::NodeType node;
  bool made_up = false;  ///< links as fast as what was measured, since nobody knows them
};

/// The smallest node type of the registry with that GPU and enough of them, or a made-up one where
/// there is none. Nothing when the ranks do not sit evenly on their nodes, are alone, or did not
/// have the machine to themselves.
std::optional<ReplayMachine> machine_of(const fit::CollectiveKey& key,
                                        const fit::CollectiveFit& fit,
                                        const topology::HardwareRegistry& registry);

/// What was measured and what the simulator says, side by side.
struct ReplayedSweep {
  struct Row {
    double bytes = 0;
    double measured_s = 0;
    double simulated_s = 0;
    double difference() const { return simulated_s / measured_s - 1; }
  };
  std::string name;     ///< as describe()
  std::string machine;  ///< name of the node type; "made-up links"
  std::vector<Row> rows;
};

/// Something that was not played, and why.
struct NotReplayed {
  std::string name;
  std::string reason;
};

struct Replay {
  std::vector<ReplayedSweep> sweeps;
  std::vector<NotReplayed> left_out;
};

}  // namespace calibrate
