#include "calibrate/store/collective_table.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "calibrate/store/stored_name.hpp"

namespace calibrate::store {

namespace {

CollectiveRecord record_of(const Database& database, const Statement& row, TimesTable& times) {
  CollectiveRecord record;
  Placement& place = record.placement;
  std::string op;
  std::string convention;
  const int next = times.read(row, record.times);
  row.read(next, op, record.library, record.library_version, record.device, record.algorithm,
           record.protocol, record.dtype, record.reduction, record.root, place.ranks, place.nodes,
           place.ranks_per_node, place.ranks_per_device, place.stride, place.groups, record.bytes,
           record.count, record.in_place, record.wrong, record.own_estimate, record.transport,
           convention, record.line);
  record.op = stored_value(database, base::collective_names, op);
  record.convention = stored_value(database, size_convention_names, convention);
  if (!sound(record)) database.damaged("a collective's numbers make no sense");
  return record;
}

}  // namespace

bool sound(const CollectiveRecord& record) {
  const Placement& place = record.placement;
  const double estimate = record.own_estimate.value_or(0);
  return sound(record.times) && std::isfinite(estimate) && estimate >= 0 &&
         record.bytes.count() >= 0 && record.count >= 0 && place.ranks >= 0 && place.nodes >= 0;
}

CollectiveTable::CollectiveTable(const Database& database)
    : database_(&database),
      times_(database),
      insert_(database.prepare(
          "INSERT INTO collective (run, times, operation, library, library_version, device, "
          "algorithm, protocol, dtype, reduction, root, ranks, nodes, ranks_per_node, "
          "ranks_per_device, stride, groups, bytes, count, in_place, wrong, own_estimate, "
          "transport, convention, line) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {}

std::int64_t CollectiveTable::insert(std::int64_t run, const CollectiveRecord& record) {
  CHECK_INVARIANT(sound(record));
  const Placement& place = record.placement;
  insert_
      .bind(run, times_.insert(record.times), base::name_of(record.op), record.library,
            record.library_version, record.device, record.algorithm, record.protocol, record.dtype,
            record.reduction, record.root, place.ranks, place.nodes, place.ranks_per_node,
            place.ranks_per_device, place.stride, place.groups, record.bytes, record.count,
            int{record.in_place}, record.wrong, record.own_estimate, record.transport,
            base::name_in(size_convention_names, record.convention), record.line)
      .run();
  return database_->last_row();
}

std::vector<CollectiveRecord> CollectiveTable::of_run(std::int64_t run) {
  // A left join: a row whose times are gone is damage, and must not vanish.
  Statement row = database_->prepare(fmt::format(
      "SELECT {}, operation, library, library_version, device, algorithm, protocol, "
      "dtype, reduction, root, ranks, nodes, ranks_per_node, ranks_per_device, stride, "
      "groups, bytes, count, in_place, wrong, own_estimate, transport, convention, line "
      "FROM collective LEFT JOIN times ON times.id = collective.times "
      "WHERE run = ? ORDER BY collective.id",
      TimesTable::columns));
  row.bind(run);
  std::vector<CollectiveRecord> records;
  while (row.step()) records.push_back(record_of(*database_, row, times_));
  return records;
}

}  // namespace calibrate::store
