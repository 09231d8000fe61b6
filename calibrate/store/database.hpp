#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "base/units.hpp"

struct sqlite3;
struct sqlite3_stmt;

/// SQLite, as the store uses it. What fails while a database is in use (full disk, a lock that does
/// not open, pages that are damaged) throws base::EnvironmentError with the file's name.
namespace calibrate::store {

enum class Access { read, write };

/// How long another process may hold the file before that is a failure.
inline constexpr std::chrono::milliseconds lock_wait_default{10'000};

class Database;

/// One statement; it must not outlive its database.
class Statement {
 public:
  /// Binds all parameters, in their order: numbers, texts, base::Bytes, and optionals of them.
  template <class... Values>
  Statement& bind(const Values&... values) {
    int at = 0;
    (bind_at(++at, values), ...);
    return *this;
  }
  /// Whether there is a row.
  bool step();
  /// Runs a statement without rows, and makes it ready for the next.
  void run();
  void reset();

  /// Columns of the row from `first` on, into values of the kinds that `bind` takes; the column
  /// after them. A null where no optional is wanted is damage, as is a number beyond its type.
  template <class... Values>
  int read(int first, Values&... values) const {
    (read_at(first++, values), ...);
    return first;
  }
  template <class T>
  T value(int column = 0) const {
    T value{};
    read_at(column, value);
    return value;
  }

 private:
  friend class Database;
  Statement(const Database& database, std::string_view sql);
  void check(int code) const;
  bool null(int column) const;

  void bind_at(int at, int value) { bind_at(at, std::int64_t{value}); }
  void bind_at(int at, std::int64_t value);
  void bind_at(int at, double value);
  void bind_at(int at, std::string_view value);
  void bind_at(int at, const std::string& value) { bind_at(at, std::string_view(value)); }
  void bind_at(int at, base::Bytes value) { bind_at(at, value.count()); }
  void bind_null(int at);
  template <class T>
  void bind_at(int at, const std::optional<T>& value) {
    value ? bind_at(at, *value) : bind_null(at);
  }

  void read_at(int column, int& value) const;
  void read_at(int column, std::int64_t& value) const;
  void read_at(int column, double& value) const;
  void read_at(int column, bool& value) const;
  void read_at(int column, std::string& value) const;
  void read_at(int column, base::Bytes& value) const;
  template <class T>
  void read_at(int column, std::optional<T>& value) const {
    value.reset();
    if (!null(column)) read_at(column, value.emplace());
  }

  const Database* database_;
  std::shared_ptr<sqlite3_stmt> statement_;
};

class Database {
 public:
  /// Opens a file; `write` makes one where there is none. Whatever keeps it from being used as a
  /// SQLite database is a mistake.
  static base::Result<Database> open(const std::string& path, Access access,
                                     std::chrono::milliseconds lock_wait = lock_wait_default);

  const std::string& path() const { return path_; }
  void execute(const std::string& sql) const;
  /// Keeps a write-ahead log from now on, as readers beside a writer need it.
  void write_ahead() const;
  Statement prepare(std::string_view sql) const { return Statement(*this, sql); }
  std::int64_t last_row() const;
  std::int64_t pragma(const std::string& name) const;
  /// All of `body` or nothing of it; takes the writer's lock at once.
  void transaction(const std::function<void()>& body) const { within("BEGIN IMMEDIATE", body); }
  /// What `body` reads is of one moment, whatever others write.
  void snapshot(const std::function<void()>& body) const { within("BEGIN", body); }
  /// What is in the file cannot have been written by this program.
  [[noreturn]] void damaged(const std::string& how) const;

 private:
  friend class Statement;
  Database(std::string path, std::shared_ptr<sqlite3> handle, std::chrono::milliseconds lock_wait)
      : path_(std::move(path)), handle_(std::move(handle)), lock_wait_(lock_wait) {}
  void check(int code) const;
  void within(const char* begin, const std::function<void()>& body) const;
  std::string path_;
  std::shared_ptr<sqlite3> handle_;
  std::chrono::milliseconds lock_wait_;
};

}  // namespace calibrate::store
