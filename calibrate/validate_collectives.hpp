#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv.hpp"
#include "base/diagnostic.hpp"
#include "base/score.hpp"
#include "calibrate/profile.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

/// One measured collective of a published table; the README of the table describes the columns.
struct CollectiveRow {
  std::string id;
  std::string source;
  std::string collective;
  std::string gpu;
  std::string fabric;  ///< in words: "EFA 3200 Gbps/node (p5.48xlarge)"
  std::string trust;   ///< "low": the source itself doubts the row
  int ranks = 0;
  int nodes = 0;
  double nic_gbps_per_node = 0;  ///< 0: not stated
  double size_bytes = 0;
  double time_us = 0;
};

/// A collective by its name in such tables; nothing when there is none of that name.
std::optional<Collective> operation_of(std::string_view name);

/// Rows of a table; columns that are not there and cells that do not read are mistakes.
base::Result<std::vector<CollectiveRow>> read_collective_rows(const base::Csv& table);

/// Where the ranks of a row sit: equally many on every node.
struct CollectiveSetting {
  topology::NodeType node;  ///< with NICs of the rate that the row states
  int nodes = 1;
  int ranks_per_node = 1;
};

/// On the node type of the registry with the row's GPU that its fabric names, or else whose NICs
/// are nearest to what it states.
/// Nothing when there is no such type or the ranks do not spread evenly.
std::optional<CollectiveSetting> setting_of(const CollectiveRow& row,
                                            const topology::HardwareRegistry& registry);

/// The ranks of a setting as one group; the setting and the registry must outlive it.
GroupShape shape_of(const CollectiveSetting& setting, const topology::HardwareRegistry& registry);

/// Durations of collectives of all ranks of a setting, each alone; one for each row.
using CollectivePlayer = std::function<std::vector<Duration>(
    const CollectiveSetting& setting, std::span<const CollectiveRow* const> rows)>;

/// Plays every row and compares.
base::Score validate_collectives(const std::vector<CollectiveRow>& rows,
                                 const topology::HardwareRegistry& registry,
                                 const CollectivePlayer& play);

}  // namespace calibrate
