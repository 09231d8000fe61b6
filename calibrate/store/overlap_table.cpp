#include "calibrate/store/overlap_table.hpp"

#include <fmt/format.h>

#include "base/check.hpp"

namespace calibrate::store {

bool sound(const OverlapRecord& record) {
  return sound(record.collective_times) && sound(record.kernel_times);
}

OverlapTable::OverlapTable(const Database& database)
    : database_(&database),
      times_(database),
      insert_(database.prepare("INSERT INTO overlap (run, collective, kernel, collective_times, "
                               "kernel_times) VALUES (?, ?, ?, ?, ?)")) {}

void OverlapTable::insert(std::int64_t run, std::int64_t collective, std::int64_t kernel,
                          const OverlapRecord& record) {
  CHECK_INVARIANT(sound(record));
  insert_
      .bind(run, collective, kernel, times_.insert(record.collective_times),
            times_.insert(record.kernel_times))
      .run();
}

/// Rows of a run are numbered in the order in which they came.
std::size_t OverlapTable::number_of(std::string_view table, std::int64_t run,
                                    std::int64_t row) const {
  Statement before = database_->prepare(fmt::format(
      "SELECT count(*), coalesce(max(id), 0) FROM {} WHERE run = ? AND id <= ?", table));
  before.bind(run, row);
  if (!before.step() || before.value<std::int64_t>(1) != row)
    database_->damaged(fmt::format("the {} of an overlap is none of its run", table));
  return static_cast<std::size_t>(before.value<std::int64_t>(0) - 1);
}

std::vector<OverlapRecord> OverlapTable::of_run(std::int64_t run) {
  Statement row = database_->prepare(
      "SELECT collective, kernel, collective_times, kernel_times FROM overlap WHERE run = ? "
      "ORDER BY id");
  row.bind(run);
  std::vector<OverlapRecord> records;
  while (row.step())
    records.push_back({number_of("collective", run, row.value<std::int64_t>(0)),
                       number_of("kernel", run, row.value<std::int64_t>(1)),
                       times_.at(row.value<std::int64_t>(2)),
                       times_.at(row.value<std::int64_t>(3))});
  return records;
}

}  // namespace calibrate::store
