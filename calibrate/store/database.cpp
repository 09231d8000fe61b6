#include "calibrate/store/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/check.hpp"

namespace calibrate::store {

namespace {

constexpr int lock_wait_ms = 10'000;

std::string hint_for(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another process holds it; try again when that has ended";
    case SQLITE_FULL: return "the disk is full; what was stored before is safe";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return "look at the permissions of the file and of its folder";
    case SQLITE_NOTADB: return "give the name of a calibration, or of a file that is not there yet";
    case SQLITE_CORRUPT: return "restore a copy, or save what can be read: sqlite3 FILE .recover";
    default: return "";
  }
}

}  // namespace

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* made = nullptr;
  check(sqlite3_prepare_v2(database.handle_.get(), sql.data(), static_cast<int>(sql.size()), &made,
                           nullptr));
  statement_ = std::shared_ptr<sqlite3_stmt>(made, sqlite3_finalize);
}

void Statement::check(int code) const { database_->check(code); }

Statement& Statement::bind(int at, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), at, value));
  return *this;
}

Statement& Statement::bind(int at, double value) {
  check(sqlite3_bind_double(statement_.get(), at, value));
  return *this;
}

Statement& Statement::bind(int at, std::string_view value) {
  check(sqlite3_bind_text64(statement_.get(), at, value.data(), value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int at, std::string_view value) {
  check(sqlite3_bind_blob64(statement_.get(), at, value.data(), value.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int at) {
  check(sqlite3_bind_null(statement_.get(), at));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) check(code);
  return false;
}

void Statement::run() {
  step();
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::string Statement::text(int column) const {
  const auto* const data =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::string Statement::blob(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

base::Result<Database> Database::open(const std::string& path, Access access) {
  const auto mistake = [&](std::string message, std::string hint) {
    return tl::unexpected(base::Diagnostics{{{path}, std::move(message), std::move(hint)}});
  };
  std::error_code ignored;
  if (access == Access::read && !std::filesystem::exists(path, ignored))
    return mistake("no such file", "foreshard calibrate collectives or kernels makes one");
  if (std::filesystem::is_directory(path, ignored)) return mistake("is a folder", "");
  sqlite3* made = nullptr;
  const int flags =
      access == Access::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &made, flags, nullptr);
  const std::shared_ptr<sqlite3> handle(made, sqlite3_close_v2);
  if (code != SQLITE_OK) return mistake(sqlite3_errstr(code), hint_for(code));
  sqlite3_busy_timeout(made, lock_wait_ms);
  sqlite3_extended_result_codes(made, 1);
  // The first statement reads the file's header.
  const int read = sqlite3_exec(made, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  if (read != SQLITE_OK) return mistake(sqlite3_errmsg(made), hint_for(read));
  if (access == Access::write && sqlite3_db_readonly(made, "main") == 1)
    return mistake("cannot be written", hint_for(SQLITE_READONLY));
  return Database(path, handle);
}

void Database::check(int code) const {
  if (code == SQLITE_OK) return;
  const std::string hint = hint_for(code);
  throw base::EnvironmentError(fmt::format("{}: {}{}", path_, sqlite3_errmsg(handle_.get()),
                                           hint.empty() ? "" : fmt::format(" ({})", hint)));
}

void Database::execute(const std::string& sql) const {
  check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }

std::int64_t Database::pragma(const std::string& name) const {
  Statement statement = prepare("PRAGMA " + name);
  return statement.step() ? statement.integer(0) : 0;
}

void Database::transaction(const std::function<void()>& body) const {
  execute("BEGIN IMMEDIATE");
  try {
    body();
    execute("COMMIT");
  } catch (...) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);  // may be over already
    throw;
  }
}

}  // namespace calibrate::store
