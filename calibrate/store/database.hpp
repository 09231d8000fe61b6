#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/diagnostic.hpp"

struct sqlite3;
struct sqlite3_stmt;

/// SQLite, as the store uses it. What fails while a database is in use (full disk, a lock that does
/// not open, pages that are damaged) throws base::EnvironmentError with the file's name.
namespace calibrate::store {

enum class Access { read, write };

class Database;

/// One statement; parameters are bound from 1, columns read from 0.
class Statement {
 public:
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, double value);
  Statement& bind(int at, std::string_view value);
  Statement& bind_blob(int at, std::string_view value);
  Statement& bind_null(int at);
  /// Whether there is a row.
  bool step();
  /// Runs a statement without rows, and makes it ready for the next.
  void run();
  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;
  bool null(int column) const;

 private:
  friend class Database;
  Statement(const Database& database, std::string_view sql);
  void check(int code) const;
  const Database* database_;
  std::shared_ptr<sqlite3_stmt> statement_;
};

class Database {
 public:
  /// Opens a file; `write` makes one where there is none. Whatever keeps it from being used as a
  /// SQLite database is a mistake.
  static base::Result<Database> open(const std::string& path, Access access);

  const std::string& path() const { return path_; }
  void execute(const std::string& sql) const;
  Statement prepare(std::string_view sql) const { return Statement(*this, sql); }
  std::int64_t last_row() const;
  std::int64_t pragma(const std::string& name) const;
  /// All of `body` or nothing of it; takes the writer's lock at once.
  void transaction(const std::function<void()>& body) const;

 private:
  friend class Statement;
  Database(std::string path, std::shared_ptr<sqlite3> handle)
      : path_(std::move(path)), handle_(std::move(handle)) {}
  void check(int code) const;
  std::string path_;
  std::shared_ptr<sqlite3> handle_;
};

}  // namespace calibrate::store
