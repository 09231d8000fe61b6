#include "calibrate/store/kernel_table.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/check.hpp"
#include "calibrate/store/kernel_shape.hpp"
#include "calibrate/store/stored_name.hpp"

namespace calibrate::store {

namespace {

KernelRecord record_of(const Database& database, const Statement& row, TimesTable& times) {
  KernelRecord record;
  std::string dtype;
  std::string shape;
  const int next = times.read(row, record.times);
  row.read(next, record.kind, dtype, record.rows, record.columns, shape, record.library,
           record.library_version, record.device, record.variant, record.concurrent,
           record.clock_mhz, record.power_w, record.temperature_c, record.line);
  record.dtype = stored_value(database, base::dtype_names, dtype);
  const auto kernel = kernel_of_shape(shape);
  if (!kernel) database.damaged(fmt::format("nobody wrote the shape '{}'", shape));
  record.kernel = *kernel;
  if (!sound(record)) database.damaged("a kernel's numbers make no sense");
  return record;
}

}  // namespace

bool sound(const KernelRecord& record) {
  return sound(record.times) && record.rows >= 0 && record.columns >= 0 &&
         std::isfinite(record.clock_mhz) && std::isfinite(record.power_w) &&
         std::isfinite(record.temperature_c);
}

KernelTable::KernelTable(const Database& database)
    : database_(&database),
      times_(database),
      insert_(database.prepare(
          "INSERT INTO kernel (run, times, kind, dtype, rows, columns, shape, library, "
          "library_version, device, variant, concurrent, clock_mhz, power_w, temperature_c, "
          "line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {}

std::int64_t KernelTable::insert(std::int64_t run, const KernelRecord& record) {
  CHECK_INVARIANT(sound(record));
  insert_
      .bind(run, times_.insert(record.times), record.kind, base::name_of(record.dtype), record.rows,
            record.columns, shape_text(record.kernel), record.library, record.library_version,
            record.device, record.variant, record.concurrent, record.clock_mhz, record.power_w,
            record.temperature_c, record.line)
      .run();
  return database_->last_row();
}

std::vector<KernelRecord> KernelTable::of_run(std::int64_t run) {
  Statement row = database_->prepare(
      fmt::format("SELECT {}, kind, dtype, rows, columns, shape, library, library_version, device, "
                  "variant, concurrent, clock_mhz, power_w, temperature_c, line "
                  "FROM kernel LEFT JOIN times ON times.id = kernel.times "
                  "WHERE run = ? ORDER BY kernel.id",
                  TimesTable::columns));
  row.bind(run);
  std::vector<KernelRecord> records;
  while (row.step()) records.push_back(record_of(*database_, row, times_));
  return records;
}

}  // namespace calibrate::store
