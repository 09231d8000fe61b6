#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/store/database.hpp"

/// A calibration file: runs with all that they measured, and the fits made of it. Each row is safe
/// on the disk when the call that adds it returns.
namespace calibrate::store {

/// What was fitted, as `foreshard calibrate fit` found it.
struct FitRow {
  std::string made;        ///< when, UTC
  std::string kind;        ///< "collective", "gemm", …
  std::string key;         ///< of what, for people
  std::string parameters;  ///< JSON
  int points = 0;
  double residual = 0;             ///< relative spread about the fit
  std::optional<double> held_out;  ///< median relative error of halves predicted from the others
  double valid_from = 0;           ///< bytes, or Flop
  double valid_to = 0;

  bool operator==(const FitRow&) const = default;
};

class Store {
 public:
  using RunKey = std::int64_t;

  static base::Result<Store> open(const std::string& path, Access access,
                                  std::chrono::milliseconds lock_wait = lock_wait_default);
  const std::string& path() const { return database_.path(); }

  /// A run whose rows are to come. \pre no run of this id is there
  RunKey begin(const Run& run);
  /// Times that are not numbers, infinite or below 0 are refused: false.
  bool add(RunKey run, const CollectiveRecord& record);
  bool add(RunKey run, const KernelRecord& record);
  /// A collective and a kernel alone, and both at once; the numbers in `overlap` do not count.
  bool add(RunKey run, const CollectiveRecord& collective, const KernelRecord& kernel,
           const OverlapRecord& overlap);
  void finish(RunKey run, RunState state, const std::string& ended);
  /// A whole run or nothing of it; false when a run of this id is there, or one of the same tool
  /// from the same source with the same rows. \pre all rows are sound, and
  /// overlaps are of rows that are there
  bool add(const RunRecords& records) { return add_all({&records, 1}) == 1; }
  /// All of these runs that are not there yet, or none of them; how many were added.
  int add_all(std::span<const RunRecords> runs);

  /// The newest run that is not complete of this tool, command and machine, to go on with.
  std::optional<RunKey> unfinished(const Run& like);
  RunRecords records(RunKey run) const;
  std::vector<RunKey> runs() const;  ///< in the order in which they came
  std::vector<RunRecords> all() const;

  /// Takes the place of one of the same kind and key.
  void put(const FitRow& fit);
  std::vector<FitRow> fits() const;

 private:
  explicit Store(Database database) : database_(std::move(database)) {}
  RunRecords read(RunKey run) const;
  bool has(const RunRecords& records) const;

  Database database_;
};

/// Whether a fit may rest on it: data was right, and something was timed.
bool usable(const CollectiveRecord& record);
bool usable(const KernelRecord& record);
bool usable(const RunRecords& of, const OverlapRecord& record);

}  // namespace calibrate::store
