#include "calibrate/store/times_table.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/check.hpp"

namespace calibrate::store {

namespace {

bool is_time(double seconds) { return std::isfinite(seconds) && seconds >= 0; }

}  // namespace

bool sound(const Times& times) {
  for (const double value :
       {times.mean, times.min, times.max, times.p50, times.p95, times.p99, times.deviation})
    if (!is_time(value)) return false;
  for (const double sample : times.samples)
    if (!is_time(sample)) return false;
  return true;
}

TimesTable::TimesTable(const Database& database)
    : database_(&database),
      insert_(database.prepare(
          "INSERT INTO times (mean, min, max, p50, p95, p99, deviation, iterations, warm_up, "
          "dropped) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      insert_sample_(database.prepare("INSERT INTO sample VALUES (?, ?, ?)")),
      samples_(database.prepare("SELECT seconds FROM sample WHERE times = ? ORDER BY place")),
      one_(database.prepare(fmt::format("SELECT {} FROM times WHERE id = ?", columns))) {}

std::int64_t TimesTable::insert(const Times& times) {
  CHECK_INVARIANT(sound(times));
  insert_
      .bind(times.mean, times.min, times.max, times.p50, times.p95, times.p99, times.deviation,
            times.iterations, times.warm_up, times.dropped)
      .run();
  const std::int64_t id = database_->last_row();
  std::int64_t place = 0;
  for (const double sample : times.samples) insert_sample_.bind(id, place++, sample).run();
  return id;
}

Times TimesTable::at(std::int64_t id) {
  one_.reset();
  if (!one_.bind(id).step()) database_->damaged("times of a row are gone");
  Times times;
  read(one_, times);
  return times;
}

int TimesTable::read(const Statement& row, Times& times) {
  std::int64_t id = 0;
  const int next =
      row.read(0, id, times.mean, times.min, times.max, times.p50, times.p95, times.p99,
               times.deviation, times.iterations, times.warm_up, times.dropped);
  samples_.bind(id);
  while (samples_.step()) times.samples.push_back(samples_.value<double>());
  samples_.reset();
  if (!sound(times)) database_->damaged("a time is negative or infinite");
  return next;
}

}  // namespace calibrate::store
