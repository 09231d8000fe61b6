#pragma once

#include <functional>
#include <string>
#include <vector>

#include "calibrate/harness/overlap_bench.hpp"
#include "calibrate/store/store.hpp"
#include "cli/ranks.hpp"

namespace cli {

/// A run of this program in a calibration, as rank 0 keeps it: each row is on the disk before the
/// next is measured.
class MeasuredRun {
 public:
  /// Opens the file and begins a run of `command`; with `resume`, goes on with the newest one that
  /// did not come to its end.
  static base::Result<MeasuredRun> open(const std::string& database, const RankHere& here,
                                        const std::string& command, bool resume);

  /// Rows of the run that goes on.
  const calibrate::RunRecords& known() const { return known_; }
  void add(const calibrate::CollectiveRecord& record);
  void add(const calibrate::KernelRecord& record);
  void add(const calibrate::harness::Overlapped& both);
  /// Marks the run complete and tells on stderr how many rows it has, and what was wrong.
  void finish();

 private:
  MeasuredRun(calibrate::store::Store store, calibrate::store::Store::RunKey run,
              calibrate::RunRecords known)
      : store_(std::move(store)), run_(run), known_(std::move(known)) {}
  void count(bool kept, const calibrate::Times& times);

  calibrate::store::Store store_;
  calibrate::store::Store::RunKey run_;
  calibrate::RunRecords known_;
  int rows_ = 0;
  int refused_ = 0;
  int wrong_ = 0;
  int dropped_ = 0;
};

/// Begins a run on rank 0, which keeps it, does `body` with it (null on other ranks) on all ranks,
/// and finishes it. Where it cannot be begun, rank 0 tells why and nothing is done.
/// Ranks that were started with different commands throw base::EnvironmentError, all of them.
void keep_run(const std::string& database, const RankHere& here, const std::string& command,
              bool resume, const std::function<void(MeasuredRun*)>& body);

/// Starts ranks that measure. When one fails, tells so, and that --resume goes on; then the command
/// ends.
void start_measuring(const JobOptions& job, std::vector<std::string> arguments, bool resume,
                     const std::string& database);

/// Whether a calibration can be written, before ranks are started: mistakes are told, and the
/// command ends.
void check_database(const std::string& path);

}  // namespace cli
