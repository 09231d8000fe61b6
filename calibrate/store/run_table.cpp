#include "calibrate/store/run_table.hpp"

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "calibrate/store/stored_name.hpp"

namespace calibrate::store {

namespace {

std::int64_t machine_key(const Database& database, const Machine& machine) {
  database
      .prepare(
          "INSERT OR IGNORE INTO machine (host, cpu, cores, memory, system) "
          "VALUES (?, ?, ?, ?, ?)")
      .bind(machine.host, machine.cpu, machine.cores, machine.memory, machine.system)
      .run();
  Statement found = database.prepare(
      "SELECT id FROM machine WHERE host = ? AND cpu = ? AND cores = ? AND memory = ? AND "
      "system = ?");
  found.bind(machine.host, machine.cpu, machine.cores, machine.memory, machine.system);
  CHECK_INVARIANT(found.step());
  return found.value<std::int64_t>();
}

}  // namespace

std::int64_t insert_run(const Database& database, const Run& run) {
  database
      .prepare(
          "INSERT INTO run (uid, machine, tool, version, command, source, started, ended, "
          "state, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(run.id, machine_key(database, run.machine), run.tool, run.version, run.command,
            run.source, run.started, run.ended, base::name_in(run_state_names, run.state), run.note)
      .run();
  const std::int64_t key = database.last_row();
  Statement device = database.prepare("INSERT INTO device VALUES (?, ?, ?, ?, ?)");
  std::int64_t place = 0;
  for (const Device& one : run.devices)
    device.bind(key, place++, one.name, one.identity, one.memory).run();
  Statement software = database.prepare("INSERT INTO software VALUES (?, ?, ?, ?)");
  place = 0;
  for (const Software& one : run.software) software.bind(key, place++, one.name, one.version).run();
  return key;
}

Run read_run(const Database& database, std::int64_t key) {
  Run run;
  std::string state;
  Machine& machine = run.machine;
  Statement row = database.prepare(
      "SELECT uid, tool, version, command, source, started, ended, state, note, host, cpu, cores, "
      "memory, system FROM run LEFT JOIN machine ON machine.id = run.machine WHERE run.id = ?");
  CHECK_INVARIANT(row.bind(key).step());
  row.read(0, run.id, run.tool, run.version, run.command, run.source, run.started, run.ended, state,
           run.note, machine.host, machine.cpu, machine.cores, machine.memory, machine.system);
  run.state = stored_value(database, run_state_names, state);
  Statement device =
      database.prepare("SELECT name, identity, memory FROM device WHERE run = ? ORDER BY place");
  device.bind(key);
  while (device.step()) {
    Device& one = run.devices.emplace_back();
    device.read(0, one.name, one.identity, one.memory);
  }
  Statement software =
      database.prepare("SELECT name, version FROM software WHERE run = ? ORDER BY place");
  software.bind(key);
  while (software.step()) {
    Software& one = run.software.emplace_back();
    software.read(0, one.name, one.version);
  }
  return run;
}

}  // namespace calibrate::store
