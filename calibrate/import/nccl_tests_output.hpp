#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/rank_lines.hpp"
#include "calibrate/records.hpp"

/// Sweeps in the layout of nccl-tests 2.19: as text, row by row while it is measured, and as JSON
/// (version 3). Neither has the environment, which can hold secrets.
namespace calibrate {

/// What is known before the first row.
struct SweepHeader {
  std::string tool;  ///< that measured: "foreshard", "nccl-tests"
  std::string tool_version;
  std::string library;
  std::string library_version;
  std::string algorithm;  ///< that was forced; empty: the library's choice
  std::string protocol;
  base::Collective op = base::Collective::all_reduce;
  SweepOptions options;
  std::vector<RankLine> ranks;
};

/// One size: out of place, in place, or both.
struct SweepRow {
  std::optional<CollectiveRecord> out_of_place;
  std::optional<CollectiveRecord> in_place;
  std::string time_stamp;  ///< "2026-11-28 11:30:00"; printed when the options ask for it
};

/// Name of nccl-tests' program: "alltoall_perf".
std::string nccl_tests_program(base::Collective op);

/// All lines before the first row.
std::string nccl_tests_header(const SweepHeader& header);
/// One line. \pre one side is there
std::string nccl_tests_row(const SweepHeader& header, const SweepRow& row);
/// All lines after the last row.
std::string nccl_tests_footer(const SweepHeader& header, const std::vector<SweepRow>& rows);

/// The same as one line of JSON; times as text that was printed by strftime, empty when unknown.
std::string nccl_tests_json(const SweepHeader& header, const std::vector<SweepRow>& rows,
                            std::string_view started, std::string_view ended);

/// A run as its sweeps: one for each operation, group and library, in the order of the records.
struct SweepOutput {
  SweepHeader header;
  std::vector<SweepRow> rows;
};
std::vector<SweepOutput> sweeps_of(const RunRecords& records);

/// All collectives of a run as text, one sweep after the other; kernels have no place in it.
std::string nccl_tests_text(const RunRecords& records);
/// The same as JSON, one sweep a line.
std::string nccl_tests_json(const RunRecords& records);

}  // namespace calibrate
