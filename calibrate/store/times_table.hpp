#pragma once

#include "calibrate/records.hpp"
#include "calibrate/store/database.hpp"

namespace calibrate::store {

/// Whether they can be kept: finite, none below 0.
bool sound(const Times& times);

/// Times and their samples, which rows of collectives and kernels point to.
class TimesTable {
 public:
  explicit TimesTable(const Database& database);

  /// The row's id. \pre sound(times)
  std::int64_t insert(const Times& times);
  Times at(std::int64_t id);

  /// What `read` wants first of a row, of a table joined with this one.
  static constexpr std::string_view columns =
      "times.id, times.mean, times.min, times.max, times.p50, times.p95, times.p99, "
      "times.deviation, times.iterations, times.warm_up, times.dropped";
  /// Reads them with their samples; the column after them.
  int read(const Statement& row, Times& times);

 private:
  const Database* database_;
  Statement insert_;
  Statement insert_sample_;
  Statement samples_;
  Statement one_;
};

}  // namespace calibrate::store
