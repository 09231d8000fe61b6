#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/nccl/tuning.hpp"
#include "calibrate/records.hpp"

/// The table of latencies and bandwidths that NCCL prints of a communicator.
namespace calibrate {

/// "nvls_tree" of "NVLS_TREE", "NVLSTree" or "5"; empty when it is none of NCCL's.
std::string nccl_algorithm(std::string_view text);
/// "ll128" of "LL128" or "1".
std::string nccl_protocol(std::string_view text);

class NcclTable {
 public:
  /// One line with columns of '|', without its prefix. What is wrong with it, if it is a line of
  /// this table; other lines are passed over.
  std::optional<std::string> take(std::string_view line);
  /// Whether it prices the operation, and without doubt: several communicators of one process may
  /// have printed several tables.
  bool known(base::Collective op) const;
  /// NCCL's formula for a record that is complete but for its estimate; nothing where the table has
  /// no such algorithm, or `channels` (0: unknown) is needed.
  std::optional<double> seconds(const CollectiveRecord& record, int channels) const;

 private:
  using Column = std::pair<std::size_t, std::size_t>;  ///< of nccl::Table
  std::optional<std::string> take_row(base::Collective op,
                                      const std::vector<std::string_view>& cells);

  std::vector<std::size_t> algorithms_;  ///< of the columns; in the form with two lines, of three
  std::vector<Column> columns_;
  std::map<base::Collective, nccl::Table> rows_;
  bool doubtful_ = false;
};

}  // namespace calibrate
