#pragma once

#include "calibrate/records.hpp"
#include "calibrate/store/times_table.hpp"

namespace calibrate::store {

/// Whether its numbers can be kept.
bool sound(const KernelRecord& record);

class KernelTable {
 public:
  explicit KernelTable(const Database& database);

  /// The row's id. \pre sound(record)
  std::int64_t insert(std::int64_t run, const KernelRecord& record);
  /// In the order in which they came.
  std::vector<KernelRecord> of_run(std::int64_t run);

 private:
  const Database* database_;
  TimesTable times_;
  Statement insert_;
};

}  // namespace calibrate::store
