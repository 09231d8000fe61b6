#pragma once

#include "calibrate/records.hpp"
#include "calibrate/store/times_table.hpp"

namespace calibrate::store {

/// Whether its numbers can be kept.
bool sound(const CollectiveRecord& record);

class CollectiveTable {
 public:
  explicit CollectiveTable(const Database& database);

  /// The row's id. \pre sound(record)
  std::int64_t insert(std::int64_t run, const CollectiveRecord& record);
  /// In the order in which they came.
  std::vector<CollectiveRecord> of_run(std::int64_t run);

 private:
  const Database* database_;
  TimesTable times_;
  Statement insert_;
};

}  // namespace calibrate::store
