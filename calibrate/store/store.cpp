#include "calibrate/store/store.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "calibrate/store/kernel_shape.hpp"
#include "calibrate/store/schema.hpp"

namespace calibrate::store {

namespace {

bool sound(const Times& times) {
  for (const double value :
       {times.mean, times.min, times.max, times.p50, times.p95, times.p99, times.deviation})
    if (!std::isfinite(value) || value < 0) return false;
  for (const double sample : times.samples)
    if (!std::isfinite(sample) || sample < 0) return false;
  return true;
}

/// The value of this name; a name that no version wrote is damage.
template <class Table>
auto value_of(const Table& table, const std::string& name) {
  for (const auto& [text, value] : table)
    if (text == name) return value;
  throw base::EnvironmentError(fmt::format("the calibration holds a '{}' that nobody wrote", name));
}

}  // namespace

base::Result<Store> Store::open(const std::string& path, Access access) {
  try {
    base::Result<Database> database = Database::open(path, access);
    if (!database) return tl::unexpected(database.error());
    if (auto ready = bring_up_to_date(*database, access); !ready)
      return tl::unexpected(ready.error());
    return Store(std::move(*database));
  } catch (const base::EnvironmentError& error) {
    // A lock or a damaged page: the user's file, not our machine.
    return tl::unexpected(base::Diagnostics{{{}, error.what()}});
  }
}

Store::RunKey Store::insert(const Run& run) {
  const Machine& machine = run.machine;
  const auto bind = [&](Statement statement) {
    statement.bind(1, std::string_view(machine.host))
        .bind(2, std::string_view(machine.cpu))
        .bind(3, std::int64_t{machine.cores})
        .bind(4, machine.memory.count())
        .bind(5, std::string_view(machine.system));
    return statement;
  };
  bind(database_.prepare("INSERT OR IGNORE INTO machine (host, cpu, cores, memory, system) "
                         "VALUES (?, ?, ?, ?, ?)"))
      .run();
  Statement found =
      bind(database_.prepare("SELECT id FROM machine WHERE host = ? AND cpu = ? AND cores = ? AND "
                             "memory = ? AND system = ?"));
  CHECK_INVARIANT(found.step());
  database_
      .prepare(
          "INSERT INTO run (uid, machine, tool, version, command, source, started, ended, "
          "state, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(1, std::string_view(run.id))
      .bind(2, found.integer(0))
      .bind(3, std::string_view(run.tool))
      .bind(4, std::string_view(run.version))
      .bind(5, std::string_view(run.command))
      .bind(6, std::string_view(run.source))
      .bind(7, std::string_view(run.started))
      .bind(8, std::string_view(run.ended))
      .bind(9, base::name_in(run_state_names, run.state))
      .bind(10, std::string_view(run.note))
      .run();
  const RunKey key = database_.last_row();
  for (std::size_t i = 0; i < run.devices.size(); ++i)
    database_.prepare("INSERT INTO device VALUES (?, ?, ?, ?, ?)")
        .bind(1, key)
        .bind(2, static_cast<std::int64_t>(i))
        .bind(3, std::string_view(run.devices[i].name))
        .bind(4, std::string_view(run.devices[i].identity))
        .bind(5, run.devices[i].memory.count())
        .run();
  for (std::size_t i = 0; i < run.software.size(); ++i)
    database_.prepare("INSERT INTO software VALUES (?, ?, ?, ?)")
        .bind(1, key)
        .bind(2, static_cast<std::int64_t>(i))
        .bind(3, std::string_view(run.software[i].name))
        .bind(4, std::string_view(run.software[i].version))
        .run();
  return key;
}

std::int64_t Store::insert(const Times& times) {
  database_
      .prepare(
          "INSERT INTO times (mean, min, max, p50, p95, p99, deviation, iterations, warm_up, "
          "dropped) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(1, times.mean)
      .bind(2, times.min)
      .bind(3, times.max)
      .bind(4, times.p50)
      .bind(5, times.p95)
      .bind(6, times.p99)
      .bind(7, times.deviation)
      .bind(8, std::int64_t{times.iterations})
      .bind(9, std::int64_t{times.warm_up})
      .bind(10, std::int64_t{times.dropped})
      .run();
  const std::int64_t id = database_.last_row();
  Statement sample = database_.prepare("INSERT INTO sample VALUES (?, ?, ?)");
  for (std::size_t i = 0; i < times.samples.size(); ++i)
    sample.bind(1, id).bind(2, static_cast<std::int64_t>(i)).bind(3, times.samples[i]).run();
  return id;
}

void Store::insert(RunKey run, const CollectiveRecord& record) {
  const Placement& place = record.placement;
  const std::int64_t times = insert(record.times);
  Statement row = database_.prepare(
      "INSERT INTO collective (run, times, operation, library, library_version, device, "
      "algorithm, protocol, dtype, reduction, root, ranks, nodes, ranks_per_node, "
      "ranks_per_device, stride, groups, bytes, count, in_place, wrong, own_estimate, transport, "
      "convention, line) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(1, run)
      .bind(2, times)
      .bind(3, base::name_of(record.op))
      .bind(4, std::string_view(record.library))
      .bind(5, std::string_view(record.library_version))
      .bind(6, std::string_view(record.device))
      .bind(7, std::string_view(record.algorithm))
      .bind(8, std::string_view(record.protocol))
      .bind(9, std::string_view(record.dtype))
      .bind(10, std::string_view(record.reduction))
      .bind(11, std::int64_t{record.root})
      .bind(12, std::int64_t{place.ranks})
      .bind(13, std::int64_t{place.nodes})
      .bind(14, std::int64_t{place.ranks_per_node})
      .bind(15, std::int64_t{place.ranks_per_device})
      .bind(16, std::int64_t{place.stride})
      .bind(17, std::int64_t{place.groups})
      .bind(18, record.bytes.count())
      .bind(19, record.count)
      .bind(20, std::int64_t{record.in_place})
      .bind(23, std::string_view(record.transport))
      .bind(24, base::name_in(size_convention_names, record.convention))
      .bind(25, std::int64_t{record.line});
  if (record.wrong) row.bind(21, *record.wrong);
  if (record.own_estimate) row.bind(22, *record.own_estimate);
  row.run();
}

void Store::insert(RunKey run, const KernelRecord& record) {
  const std::int64_t times = insert(record.times);
  database_
      .prepare(
          "INSERT INTO kernel (run, times, kind, dtype, rows, columns, shape, library, "
          "library_version, device, variant, concurrent, clock_mhz, power_w, temperature_c, "
          "line) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(1, run)
      .bind(2, times)
      .bind(3, std::string_view(record.kind))
      .bind(4, base::name_of(record.dtype))
      .bind(5, record.rows)
      .bind(6, record.columns)
      .bind(7, std::string_view(shape_text(record.kernel)))
      .bind(8, std::string_view(record.library))
      .bind(9, std::string_view(record.library_version))
      .bind(10, std::string_view(record.device))
      .bind(11, std::string_view(record.variant))
      .bind(12, std::int64_t{record.concurrent})
      .bind(13, record.clock_mhz)
      .bind(14, record.power_w)
      .bind(15, record.temperature_c)
      .bind(16, std::int64_t{record.line})
      .run();
}

Store::RunKey Store::begin(const Run& run) {
  RunKey key = 0;
  database_.transaction([&] { key = insert(run); });
  return key;
}

bool Store::add(RunKey run, const CollectiveRecord& record) {
  if (!sound(record.times)) return false;
  database_.transaction([&] { insert(run, record); });
  return true;
}

bool Store::add(RunKey run, const KernelRecord& record) {
  if (!sound(record.times)) return false;
  database_.transaction([&] { insert(run, record); });
  return true;
}

void Store::finish(RunKey run, RunState state, const std::string& ended) {
  database_.prepare("UPDATE run SET state = ?, ended = ? WHERE id = ?")
      .bind(1, base::name_in(run_state_names, state))
      .bind(2, std::string_view(ended))
      .bind(3, run)
      .run();
}

bool Store::insert_new(const RunRecords& records) {
  Statement same = database_.prepare("SELECT 1 FROM run WHERE uid = ?");
  if (same.bind(1, std::string_view(records.run.id)).step()) return false;
  const RunKey run = insert(records.run);
  for (const CollectiveRecord& record : records.collectives) insert(run, record);
  for (const KernelRecord& record : records.kernels) insert(run, record);
  return true;
}

bool Store::add(const RunRecords& records) {
  bool added = false;
  database_.transaction([&] { added = insert_new(records); });
  return added;
}

std::size_t Store::add(const std::vector<RunRecords>& runs) {
  std::size_t added = 0;
  database_.transaction([&] {
    for (const RunRecords& records : runs) added += insert_new(records) ? 1 : 0;
  });
  return added;
}

std::optional<Store::RunKey> Store::unfinished(const Run& like) {
  Statement found = database_.prepare(
      "SELECT run.id FROM run JOIN machine ON machine.id = run.machine "
      "WHERE state != 'complete' AND tool = ? AND command = ? AND host = ? AND cpu = ? "
      "ORDER BY run.id DESC LIMIT 1");
  found.bind(1, std::string_view(like.tool))
      .bind(2, std::string_view(like.command))
      .bind(3, std::string_view(like.machine.host))
      .bind(4, std::string_view(like.machine.cpu));
  if (!found.step()) return {};
  return found.integer(0);
}

Times Store::times(std::int64_t id) const {
  Statement row = database_.prepare(
      "SELECT mean, min, max, p50, p95, p99, deviation, iterations, warm_up, dropped FROM times "
      "WHERE id = ?");
  row.bind(1, id);
  if (!row.step()) throw base::EnvironmentError(fmt::format("{}: times {} lack", path(), id));
  Times times{row.real(0),
              row.real(1),
              row.real(2),
              row.real(3),
              row.real(4),
              row.real(5),
              row.real(6),
              static_cast<int>(row.integer(7)),
              static_cast<int>(row.integer(8)),
              static_cast<int>(row.integer(9)),
              {}};
  Statement sample = database_.prepare("SELECT seconds FROM sample WHERE times = ? ORDER BY place");
  sample.bind(1, id);
  while (sample.step()) times.samples.push_back(sample.real(0));
  return times;
}

RunRecords Store::records(RunKey key) const {
  RunRecords all;
  Run& run = all.run;
  Statement row = database_.prepare(
      "SELECT uid, tool, version, command, source, started, ended, state, note, host, cpu, cores, "
      "memory, system FROM run JOIN machine ON machine.id = run.machine WHERE run.id = ?");
  row.bind(1, key);
  CHECK_INVARIANT(row.step());
  run.id = row.text(0);
  run.tool = row.text(1);
  run.version = row.text(2);
  run.command = row.text(3);
  run.source = row.text(4);
  run.started = row.text(5);
  run.ended = row.text(6);
  run.state = value_of(run_state_names, row.text(7));
  run.note = row.text(8);
  run.machine = {row.text(9), row.text(10), static_cast<int>(row.integer(11)),
                 base::Bytes::from_count(row.integer(12)), row.text(13)};
  Statement device =
      database_.prepare("SELECT name, identity, memory FROM device WHERE run = ? ORDER BY place");
  device.bind(1, key);
  while (device.step())
    run.devices.push_back(
        {device.text(0), device.text(1), base::Bytes::from_count(device.integer(2))});
  Statement software =
      database_.prepare("SELECT name, version FROM software WHERE run = ? ORDER BY place");
  software.bind(1, key);
  while (software.step()) run.software.push_back({software.text(0), software.text(1)});
  Statement c = database_.prepare(
      "SELECT times, operation, library, library_version, device, algorithm, protocol, dtype, "
      "reduction, root, ranks, nodes, ranks_per_node, ranks_per_device, stride, groups, bytes, "
      "count, in_place, wrong, own_estimate, transport, convention, line FROM collective "
      "WHERE run = ? ORDER BY id");
  c.bind(1, key);
  const auto whole = [](const Statement& of, int column) {
    return static_cast<int>(of.integer(column));
  };
  while (c.step()) {
    CollectiveRecord& one = all.collectives.emplace_back();
    one.times = times(c.integer(0));
    one.op = value_of(base::collective_names, c.text(1));
    one.library = c.text(2);
    one.library_version = c.text(3);
    one.device = c.text(4);
    one.algorithm = c.text(5);
    one.protocol = c.text(6);
    one.dtype = c.text(7);
    one.reduction = c.text(8);
    one.root = whole(c, 9);
    one.placement = {whole(c, 10), whole(c, 11), whole(c, 12),
                     whole(c, 13), whole(c, 14), whole(c, 15)};
    one.bytes = base::Bytes::from_count(c.integer(16));
    one.count = c.integer(17);
    one.in_place = c.integer(18) != 0;
    if (!c.null(19)) one.wrong = c.integer(19);
    if (!c.null(20)) one.own_estimate = c.real(20);
    one.transport = c.text(21);
    one.convention = value_of(size_convention_names, c.text(22));
    one.line = whole(c, 23);
  }
  Statement k = database_.prepare(
      "SELECT times, kind, dtype, rows, columns, shape, library, library_version, device, variant, "
      "concurrent, clock_mhz, power_w, temperature_c, line FROM kernel WHERE run = ? ORDER BY id");
  k.bind(1, key);
  while (k.step()) {
    KernelRecord& one = all.kernels.emplace_back();
    one.times = times(k.integer(0));
    one.kind = k.text(1);
    one.dtype = value_of(base::dtype_names, k.text(2));
    one.rows = k.integer(3);
    one.columns = k.integer(4);
    const auto kernel = kernel_of_shape(k.text(5));
    if (!kernel)
      throw base::EnvironmentError(
          fmt::format("{}: a kernel of the shape '{}', which nobody wrote", path(), k.text(5)));
    one.kernel = *kernel;
    one.library = k.text(6);
    one.library_version = k.text(7);
    one.device = k.text(8);
    one.variant = k.text(9);
    one.concurrent = whole(k, 10);
    one.clock_mhz = k.real(11);
    one.power_w = k.real(12);
    one.temperature_c = k.real(13);
    one.line = whole(k, 14);
  }
  return all;
}

std::vector<Store::RunKey> Store::runs() const {
  std::vector<RunKey> keys;
  Statement run = database_.prepare("SELECT id FROM run ORDER BY id");
  while (run.step()) keys.push_back(run.integer(0));
  return keys;
}

std::vector<RunRecords> Store::all() const {
  std::vector<RunRecords> every;
  for (const RunKey run : runs()) every.push_back(records(run));
  return every;
}

void Store::put(const FitRow& fit) {
  Statement row = database_.prepare(
      "INSERT OR REPLACE INTO fit (made, kind, key, parameters, points, residual, held_out, "
      "valid_from, valid_to) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(1, std::string_view(fit.made))
      .bind(2, std::string_view(fit.kind))
      .bind(3, std::string_view(fit.key))
      .bind(4, std::string_view(fit.parameters))
      .bind(5, std::int64_t{fit.points})
      .bind(6, fit.residual)
      .bind(8, fit.valid_from)
      .bind(9, fit.valid_to);
  if (fit.held_out) row.bind(7, *fit.held_out);
  row.run();
}

std::vector<FitRow> Store::fits() const {
  std::vector<FitRow> all;
  Statement row = database_.prepare(
      "SELECT made, kind, key, parameters, points, residual, held_out, valid_from, valid_to "
      "FROM fit ORDER BY kind, key");
  while (row.step()) {
    FitRow& fit = all.emplace_back();
    fit.made = row.text(0);
    fit.kind = row.text(1);
    fit.key = row.text(2);
    fit.parameters = row.text(3);
    fit.points = static_cast<int>(row.integer(4));
    fit.residual = row.real(5);
    if (!row.null(6)) fit.held_out = row.real(6);
    fit.valid_from = row.real(7);
    fit.valid_to = row.real(8);
  }
  return all;
}

bool usable(const CollectiveRecord& record) {
  return record.times.mean > 0 && record.wrong.value_or(0) == 0;
}

bool usable(const KernelRecord& record) { return record.times.mean > 0; }

}  // namespace calibrate::store
