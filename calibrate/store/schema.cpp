#include "calibrate/store/schema.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace calibrate::store {

namespace {

constexpr std::int64_t application_id = 0x46534344;  // "FSCD"

constexpr std::string_view version_1 = R"(
CREATE TABLE machine (
  id INTEGER PRIMARY KEY, host TEXT NOT NULL, cpu TEXT NOT NULL, cores INTEGER NOT NULL,
  memory INTEGER NOT NULL, system TEXT NOT NULL,
  UNIQUE (host, cpu, cores, memory, system));
CREATE TABLE run (
  id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE,
  machine INTEGER NOT NULL REFERENCES machine (id),
  tool TEXT NOT NULL, version TEXT NOT NULL, command TEXT NOT NULL, source TEXT NOT NULL,
  started TEXT NOT NULL, ended TEXT NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE device (
  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, place INTEGER NOT NULL,
  name TEXT NOT NULL, identity TEXT NOT NULL, memory INTEGER NOT NULL, PRIMARY KEY (run, place));
CREATE TABLE software (
  run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, place INTEGER NOT NULL,
  name TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (run, place));
CREATE TABLE times (
  id INTEGER PRIMARY KEY, mean REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL,
  p50 REAL NOT NULL, p95 REAL NOT NULL, p99 REAL NOT NULL, deviation REAL NOT NULL,
  iterations INTEGER NOT NULL, warm_up INTEGER NOT NULL, dropped INTEGER NOT NULL);
CREATE TABLE sample (
  times INTEGER NOT NULL REFERENCES times (id) ON DELETE CASCADE, place INTEGER NOT NULL,
  seconds REAL NOT NULL, PRIMARY KEY (times, place)) WITHOUT ROWID;
CREATE TABLE collective (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  times INTEGER NOT NULL REFERENCES times (id),
  operation TEXT NOT NULL, library TEXT NOT NULL, library_version TEXT NOT NULL,
  device TEXT NOT NULL, algorithm TEXT NOT NULL, protocol TEXT NOT NULL, dtype TEXT NOT NULL,
  reduction TEXT NOT NULL, root INTEGER NOT NULL, ranks INTEGER NOT NULL, nodes INTEGER NOT NULL,
  ranks_per_node INTEGER NOT NULL, ranks_per_device INTEGER NOT NULL, stride INTEGER NOT NULL,
  groups INTEGER NOT NULL, bytes INTEGER NOT NULL, count INTEGER NOT NULL,
  in_place INTEGER NOT NULL, wrong INTEGER, own_estimate REAL, transport TEXT NOT NULL,
  convention TEXT NOT NULL, line INTEGER NOT NULL);
CREATE TABLE kernel (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  times INTEGER NOT NULL REFERENCES times (id),
  kind TEXT NOT NULL, dtype TEXT NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL,
  shape TEXT NOT NULL, library TEXT NOT NULL, library_version TEXT NOT NULL, device TEXT NOT NULL,
  variant TEXT NOT NULL, concurrent INTEGER NOT NULL, clock_mhz REAL NOT NULL,
  power_w REAL NOT NULL, temperature_c REAL NOT NULL, line INTEGER NOT NULL);
CREATE TABLE fit (
  id INTEGER PRIMARY KEY, made TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
  parameters TEXT NOT NULL, points INTEGER NOT NULL, residual REAL NOT NULL,
  held_out REAL, valid_from REAL NOT NULL, valid_to REAL NOT NULL, UNIQUE (kind, key));
CREATE INDEX collective_of_run ON collective (run);
CREATE INDEX kernel_of_run ON kernel (run);
)";

constexpr std::string_view version_2 = R"(
CREATE TABLE overlap (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  collective INTEGER NOT NULL REFERENCES collective (id),
  kernel INTEGER NOT NULL REFERENCES kernel (id),
  collective_times INTEGER NOT NULL REFERENCES times (id),
  kernel_times INTEGER NOT NULL REFERENCES times (id));
CREATE INDEX overlap_of_run ON overlap (run);
)";

constexpr std::array<std::string_view, 2> known_steps{version_1, version_2};

base::Diagnostics mistake(const Database& database, std::string message, std::string hint) {
  return {{{database.path()}, std::move(message), std::move(hint)}};
}

/// SQLite's first complaint about the pages of the file; empty when it has none.
std::string damage_of(const Database& database) {
  Statement check = database.prepare("PRAGMA quick_check(1)");
  const std::string answer = check.step() ? check.value<std::string>() : "";
  return answer == "ok" ? "" : answer;
}

/// Whether it is older than what is written now.
base::Result<void> check_for_reading(const Database& database, std::int64_t version,
                                     std::int64_t newest) {
  if (version == 0) return tl::unexpected(mistake(database, "holds nothing yet", ""));
  if (version < newest)
    return tl::unexpected(mistake(
        database, fmt::format("has tables of version {}, this program reads {}", version, newest),
        "a command that writes brings it up to date"));
  return {};
}

}  // namespace

std::span<const std::string_view> schema_steps() { return known_steps; }

base::Result<void> bring_up_to_date(const Database& database, Access access,
                                    std::span<const std::string_view> steps) {
  const auto newest = static_cast<std::int64_t>(steps.size());
  const bool empty = database.pragma("schema_version") == 0;
  if (!empty && database.pragma("application_id") != application_id)
    return tl::unexpected(mistake(database, "is a SQLite database, but no calibration of foreshard",
                                  "give the name of a file that is not there yet"));
  const std::int64_t version = database.pragma("user_version");
  if (version > newest)
    return tl::unexpected(mistake(
        database, fmt::format("has tables of version {}, this program knows {}", version, newest),
        "use a newer foreshard"));
  if (!empty)
    if (const std::string damage = damage_of(database); !damage.empty())
      return tl::unexpected(
          mistake(database, fmt::format("is damaged: {}", damage),
                  "restore a copy, or save what can be read: sqlite3 FILE .recover"));
  if (access == Access::read) return check_for_reading(database, version, newest);
  database.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
  if (version == newest) return {};
  database.write_ahead();
  database.transaction([&] {
    // Another process may have been quicker.
    for (auto from = static_cast<std::size_t>(database.pragma("user_version")); from < steps.size();
         ++from)
      database.execute(std::string(steps[from]));
    database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                 application_id, newest));
  });
  return {};
}

}  // namespace calibrate::store
