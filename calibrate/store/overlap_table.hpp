#pragma once

#include "calibrate/store/collective_table.hpp"
#include "calibrate/store/kernel_table.hpp"

namespace calibrate::store {

/// Whether its numbers can be kept.
bool sound(const OverlapRecord& record);

/// Collectives beside kernels; each points to rows of both, where they are alone.
class OverlapTable {
 public:
  explicit OverlapTable(const Database& database);

  /// `collective` and `kernel`: ids of the rows that the record means. \pre sound(record)
  void insert(std::int64_t run, std::int64_t collective, std::int64_t kernel,
              const OverlapRecord& record);
  /// In the order in which they came.
  std::vector<OverlapRecord> of_run(std::int64_t run);

 private:
  std::size_t number_of(std::string_view table, std::int64_t run, std::int64_t row) const;

  const Database* database_;
  TimesTable times_;
  Statement insert_;
};

}  // namespace calibrate::store
