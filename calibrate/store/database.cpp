#include "calibrate/store/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <limits>
#include <thread>

#include "base/check.hpp"

namespace calibrate::store {

namespace {

constexpr std::string_view damage_hint =
    "restore a copy, or save what can be read: sqlite3 FILE .recover";

std::string_view hint_for(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another process holds it; try again when that has ended";
    case SQLITE_FULL:
    case SQLITE_IOERR: return "look whether the disk is full; what was stored before is safe";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return "look at the permissions of the file and of its folder";
    case SQLITE_NOTADB: return "give the name of a calibration, or of a file that is not there yet";
    case SQLITE_CORRUPT: return damage_hint;
    default: return "";
  }
}

struct Opened {
  std::shared_ptr<sqlite3> handle;
  int code = SQLITE_OK;
  std::string message;
};

/// The first statement reads the file's header.
Opened open_file(const std::string& name, int flags, std::chrono::milliseconds lock_wait) {
  sqlite3* made = nullptr;
  Opened opened;
  opened.code = sqlite3_open_v2(name.c_str(), &made, flags, nullptr);
  opened.handle = std::shared_ptr<sqlite3>(made, sqlite3_close_v2);
  if (opened.code == SQLITE_OK) {
    sqlite3_busy_timeout(made, static_cast<int>(lock_wait.count()));
    sqlite3_extended_result_codes(made, 1);
    opened.code = sqlite3_exec(made, "PRAGMA schema_version", nullptr, nullptr, nullptr);
  }
  if (opened.code != SQLITE_OK) opened.message = sqlite3_errmsg(made);
  return opened;
}

/// As a URI that promises SQLite that nobody writes.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string())
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02X}", static_cast<unsigned char>(c))
                                            : std::string(1, c);
  return uri + "?immutable=1";
}

/// A reader, too, keeps a file beside a database in WAL mode. Where it can make none (a folder
/// that is read-only, a medium) nobody can be writing, as long as no log was left behind.
Opened open_to_read(const std::string& path, std::chrono::milliseconds lock_wait) {
  std::error_code ignored;
  Opened opened = open_file(path, SQLITE_OPEN_READWRITE, lock_wait);
  const int code = opened.code & 0xff;
  if ((code == SQLITE_CANTOPEN || code == SQLITE_READONLY) &&
      !std::filesystem::exists(path + "-wal", ignored))
    opened = open_file(immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, lock_wait);
  if (opened.code == SQLITE_OK)
    sqlite3_exec(opened.handle.get(), "PRAGMA query_only = ON", nullptr, nullptr, nullptr);
  return opened;
}

}  // namespace

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* made = nullptr;
  check(sqlite3_prepare_v2(database.handle_.get(), sql.data(), static_cast<int>(sql.size()), &made,
                           nullptr));
  statement_ = std::shared_ptr<sqlite3_stmt>(made, sqlite3_finalize);
}

void Statement::check(int code) const { database_->check(code); }

void Statement::bind_at(int at, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), at, value));
}

void Statement::bind_at(int at, double value) {
  check(sqlite3_bind_double(statement_.get(), at, value));
}

void Statement::bind_at(int at, std::string_view value) {
  // A view without data would be bound as null.
  check(sqlite3_bind_text64(statement_.get(), at, value.empty() ? "" : value.data(), value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind_null(int at) { check(sqlite3_bind_null(statement_.get(), at)); }

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

bool Statement::null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Statement::read_at(int column, std::int64_t& value) const {
  if (sqlite3_column_type(statement_.get(), column) != SQLITE_INTEGER)
    database_->damaged("something else stands where a whole number must");
  value = sqlite3_column_int64(statement_.get(), column);
}

void Statement::read_at(int column, int& value) const {
  std::int64_t wide = 0;
  read_at(column, wide);
  if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max())
    database_->damaged(fmt::format("the number {} is out of range", wide));
  value = static_cast<int>(wide);
}

void Statement::read_at(int column, bool& value) const {
  std::int64_t wide = 0;
  read_at(column, wide);
  value = wide != 0;
}

void Statement::read_at(int column, base::Bytes& value) const {
  std::int64_t count = 0;
  read_at(column, count);
  value = base::Bytes::from_count(count);
}

void Statement::read_at(int column, double& value) const {
  const int type = sqlite3_column_type(statement_.get(), column);
  if (type != SQLITE_FLOAT && type != SQLITE_INTEGER)
    database_->damaged("something else stands where a number must");
  value = sqlite3_column_double(statement_.get(), column);
}

void Statement::read_at(int column, std::string& value) const {
  if (null(column)) database_->damaged("nothing stands where a text must");
  const auto* const data =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (data == nullptr) throw std::bad_alloc();
  value.assign(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

base::Result<Database> Database::open(const std::string& path, Access access,
                                      std::chrono::milliseconds lock_wait) {
  const auto mistake = [&](std::string message, std::string_view hint) {
    return tl::unexpected(base::Diagnostics{{{path}, std::move(message), std::string(hint)}});
  };
  std::error_code ignored;
  if (access == Access::read && !std::filesystem::exists(path, ignored))
    return mistake("no such file", "foreshard calibrate collectives, kernels or import make one");
  if (std::filesystem::is_directory(path, ignored)) return mistake("is a folder", "");
  const Opened opened =
      access == Access::read
          ? open_to_read(path, lock_wait)
          : open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, lock_wait);
  if (opened.code != SQLITE_OK) return mistake(opened.message, hint_for(opened.code));
  if (access == Access::write && sqlite3_db_readonly(opened.handle.get(), "main") == 1)
    return mistake("cannot be written", hint_for(SQLITE_READONLY));
  return Database(path, opened.handle, lock_wait);
}

void Database::check(int code) const {
  if (code == SQLITE_OK) return;
  const std::string_view hint = hint_for(code);
  throw base::EnvironmentError(fmt::format("{}: {}{}", path_, sqlite3_errmsg(handle_.get()),
                                           hint.empty() ? "" : fmt::format(" ({})", hint)));
}

void Database::damaged(const std::string& how) const {
  throw base::EnvironmentError(fmt::format("{}: is damaged: {} ({})", path_, how, damage_hint));
}

void Database::execute(const std::string& sql) const {
  check(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

void Database::write_ahead() const {
  // Of two that change the mode at once each has a reader's lock and wants the other's gone. SQLite
  // sees that waiting would never end and says so at once, busy timeout or not.
  const auto end = std::chrono::steady_clock::now() + lock_wait_;
  const auto change = [&] {
    return sqlite3_exec(handle_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
  };
  int code = change();
  while ((code & 0xff) == SQLITE_BUSY && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    code = change();
  }
  check(code);
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }

std::int64_t Database::pragma(const std::string& name) const {
  Statement statement = prepare("PRAGMA " + name);
  return statement.step() ? statement.value<std::int64_t>() : 0;
}

void Database::within(const char* begin, const std::function<void()>& body) const {
  execute(begin);
  try {
    body();
    execute("COMMIT");
  } catch (...) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);  // may be over already
    throw;
  }
}

}  // namespace calibrate::store
