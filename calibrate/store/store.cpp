#include "calibrate/store/store.hpp"

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "calibrate/store/overlap_table.hpp"
#include "calibrate/store/run_table.hpp"
#include "calibrate/store/schema.hpp"

namespace calibrate::store {

base::Result<Store> Store::open(const std::string& path, Access access,
                                std::chrono::milliseconds lock_wait) {
  try {
    base::Result<Database> database = Database::open(path, access, lock_wait);
    if (!database) return tl::unexpected(database.error());
    if (auto ready = bring_up_to_date(*database, access); !ready)
      return tl::unexpected(ready.error());
    return Store(std::move(*database));
  } catch (const base::EnvironmentError& error) {
    // A lock or a damaged page: the user's file, not our machine.
    return tl::unexpected(base::Diagnostics{{{}, error.what(), ""}});
  }
}

Store::RunKey Store::begin(const Run& run) {
  RunKey key = 0;
  database_.transaction([&] { key = insert_run(database_, run); });
  return key;
}

bool Store::add(RunKey run, const CollectiveRecord& record) {
  if (!sound(record)) return false;
  database_.transaction([&] { CollectiveTable(database_).insert(run, record); });
  return true;
}

bool Store::add(RunKey run, const KernelRecord& record) {
  if (!sound(record)) return false;
  database_.transaction([&] { KernelTable(database_).insert(run, record); });
  return true;
}

bool Store::add(RunKey run, const CollectiveRecord& collective, const KernelRecord& kernel,
                const OverlapRecord& overlap) {
  if (!sound(collective) || !sound(kernel) || !sound(overlap)) return false;
  database_.transaction([&] {
    const std::int64_t first = CollectiveTable(database_).insert(run, collective);
    const std::int64_t second = KernelTable(database_).insert(run, kernel);
    OverlapTable(database_).insert(run, first, second, overlap);
  });
  return true;
}

void Store::finish(RunKey run, RunState state, const std::string& ended) {
  database_.prepare("UPDATE run SET state = ?, ended = ? WHERE id = ?")
      .bind(base::name_in(run_state_names, state), ended, run)
      .run();
}

bool Store::has(const RunRecords& records) const {
  const Run& run = records.run;
  if (database_.prepare("SELECT 1 FROM run WHERE uid = ?").bind(run.id).step()) return true;
  if (run.source.empty()) return false;
  Statement same =
      database_.prepare("SELECT id FROM run WHERE tool = ? AND source = ? AND started = ?");
  same.bind(run.tool, run.source, run.started);
  while (same.step()) {
    const RunRecords there = read(same.value<RunKey>());
    if (there.collectives == records.collectives && there.kernels == records.kernels &&
        there.overlaps == records.overlaps)
      return true;
  }
  return false;
}

int Store::add_all(std::span<const RunRecords> runs) {
  int added = 0;
  database_.transaction([&] {
    CollectiveTable collectives(database_);
    KernelTable kernels(database_);
    OverlapTable overlaps(database_);
    for (const RunRecords& records : runs) {
      if (has(records)) continue;
      const RunKey run = insert_run(database_, records.run);
      std::vector<std::int64_t> collective_rows;
      std::vector<std::int64_t> kernel_rows;
      for (const CollectiveRecord& record : records.collectives)
        collective_rows.push_back(collectives.insert(run, record));
      for (const KernelRecord& record : records.kernels)
        kernel_rows.push_back(kernels.insert(run, record));
      for (const OverlapRecord& record : records.overlaps)
        overlaps.insert(run, collective_rows.at(record.collective), kernel_rows.at(record.kernel),
                        record);
      ++added;
    }
  });
  return added;
}

std::optional<Store::RunKey> Store::unfinished(const Run& like) {
  Statement found = database_.prepare(
      "SELECT run.id FROM run JOIN machine ON machine.id = run.machine "
      "WHERE state != 'complete' AND tool = ? AND command = ? AND host = ? AND cpu = ? "
      "ORDER BY run.id DESC LIMIT 1");
  found.bind(like.tool, like.command, like.machine.host, like.machine.cpu);
  if (!found.step()) return {};
  return found.value<RunKey>();
}

RunRecords Store::read(RunKey run) const {
  return {read_run(database_, run), CollectiveTable(database_).of_run(run),
          KernelTable(database_).of_run(run), OverlapTable(database_).of_run(run)};
}

RunRecords Store::records(RunKey run) const {
  RunRecords records;
  database_.snapshot([&] { records = read(run); });
  return records;
}

std::vector<Store::RunKey> Store::runs() const {
  std::vector<RunKey> keys;
  Statement run = database_.prepare("SELECT id FROM run ORDER BY id");
  while (run.step()) keys.push_back(run.value<RunKey>());
  return keys;
}

std::vector<RunRecords> Store::all() const {
  std::vector<RunRecords> every;
  database_.snapshot([&] {
    for (const RunKey run : runs()) every.push_back(read(run));
  });
  return every;
}

void Store::put(const FitRow& fit) {
  database_
      .prepare(
          "INSERT OR REPLACE INTO fit (made, kind, key, parameters, points, residual, held_out, "
          "valid_from, valid_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(fit.made, fit.kind, fit.key, fit.parameters, fit.points, fit.residual, fit.held_out,
            fit.valid_from, fit.valid_to)
      .run();
}

std::vector<FitRow> Store::fits() const {
  std::vector<FitRow> all;
  Statement row = database_.prepare(
      "SELECT made, kind, key, parameters, points, residual, held_out, valid_from, valid_to "
      "FROM fit ORDER BY kind, key");
  while (row.step()) {
    FitRow& fit = all.emplace_back();
    row.read(0, fit.made, fit.kind, fit.key, fit.parameters, fit.points, fit.residual, fit.held_out,
             fit.valid_from, fit.valid_to);
  }
  return all;
}

bool usable(const CollectiveRecord& record) {
  return record.times.mean > 0 && record.wrong.value_or(0) == 0;
}

bool usable(const KernelRecord& record) { return record.times.mean > 0; }

bool usable(const RunRecords& of, const OverlapRecord& record) {
  return usable(of.collectives[record.collective]) && usable(of.kernels[record.kernel]) &&
         record.collective_times.mean > 0 && record.kernel_times.mean > 0;
}

}  // namespace calibrate::store
