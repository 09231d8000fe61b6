#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/records.hpp"

/// The ranks of a job as nccl-tests lists them.
namespace calibrate {

struct RankLine {
  int rank = 0;
  int group = 0;
  int pid = 0;
  std::string host;
  int index = 0;         ///< of the device on its host
  std::string identity;  ///< PCI address, as it stands
  std::string device;    ///< name of the device

  bool operator==(const RankLine&) const = default;
};

/// "#  Rank  0 Group  0 Pid   1234 on   host device  0 [0000:1b:00] NVIDIA H100 80GB HBM3", and the
/// forms without a group or with "[0x1b]". Nothing when the line is no such line.
std::optional<RankLine> read_rank_line(std::string_view line);

/// The group of the first rank: how many there are, on how many hosts.
Placement placement_of(const std::vector<RankLine>& ranks);

/// Host of the first rank, devices of all, name of the device where all have the same.
void describe(const std::vector<RankLine>& ranks, Run& run);
std::string common_device(const std::vector<RankLine>& ranks);

/// "2.28.3" of 22803, as NCCL codes versions; empty for what is none.
std::string version_of_code(std::int64_t code);
/// The code of "2.28.3", "2.28.3-1", "2.18.5+cuda12.2"; 0 when it is no such version.
std::int64_t code_of_version(std::string_view version);

}  // namespace calibrate
