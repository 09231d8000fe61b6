// Files that are no calibrations, or cannot be used: each is told in words, none is touched.

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>

#include "base/check.hpp"
#include "calibrate/store/overlap_table.hpp"
#include "calibrate/store/run_table.hpp"
#include "calibrate/store/schema.hpp"
#include "tests/calibrate/store/support.hpp"

namespace calibrate::store {

namespace {

std::string bytes_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// SQL of somebody else's program.
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &database) == SQLITE_OK);
  REQUIRE(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_close(database) == SQLITE_OK);
}

RunRecords small_run(unsigned seed = 1) { return RandomRecords(seed).records(3); }

void make_calibration(const std::string& path) {
  Store store = opened(path, Access::write);
  REQUIRE(store.add(small_run()));
}

TEST_CASE("what is no calibration is refused, and left as it was") {
  const Folder folder;
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"size,time\n8,12.3\n", "file is not a database (give the name of a calibration"},
      {std::string(5000, 'x'), "file is not a database"},
      {"SQLite format 3", "file is not a database"},
  }));
  write_bytes(folder / "a.db", text);
  for (const Access access : {Access::read, Access::write}) {
    const std::string told = refusal(folder / "a.db", access);
    CHECK(contains(told, message));
    CHECK(told.starts_with((folder / "a.db") + ": error: "));
  }
  CHECK(bytes_of_file(folder / "a.db") == text);
}

TEST_CASE("no file, a folder, and a folder that is not there") {
  const Folder folder;
  CHECK(contains(refusal(folder / "a.db", Access::read), "a.db: error: no such file"));
  CHECK_FALSE(std::filesystem::exists(folder / "a.db"));
  CHECK(contains(refusal(folder.path(), Access::read), "is a folder"));
  CHECK(contains(refusal(folder.path(), Access::write), "is a folder"));
  CHECK(contains(refusal(folder / "no/a.db", Access::write),
                 "unable to open database file (look at the permissions"));
}

TEST_CASE("an empty file holds nothing yet, and can be written") {
  const Folder folder;
  write_bytes(folder / "a.db", "");
  CHECK(contains(refusal(folder / "a.db", Access::read), "holds nothing yet"));
  make_calibration(folder / "a.db");
  CHECK(opened(folder / "a.db", Access::read).all().size() == 1);
}

TEST_CASE("somebody else's database is not touched") {
  const Folder folder;
  run_sql(folder / "a.db", "CREATE TABLE run (id INTEGER); PRAGMA user_version = 1");
  const std::string before = bytes_of_file(folder / "a.db");
  for (const Access access : {Access::read, Access::write})
    CHECK(contains(refusal(folder / "a.db", access), "no calibration of foreshard"));
  CHECK(bytes_of_file(folder / "a.db") == before);
}

TEST_CASE("tables of a newer version are left to a newer program") {
  const Folder folder;
  make_calibration(folder / "a.db");
  run_sql(folder / "a.db", "PRAGMA user_version = 99");
  for (const Access access : {Access::read, Access::write}) {
    const std::string told = refusal(folder / "a.db", access);
    CHECK(contains(told, "has tables of version 99, this program knows "));
    CHECK(contains(told, "use a newer foreshard"));
  }
}

TEST_CASE("tables of an older version are brought up to date by writers, with what is in them") {
  const Folder folder;
  make_calibration(folder / "a.db");
  std::vector<std::string_view> steps(schema_steps().begin(), schema_steps().end());
  const auto today = static_cast<std::int64_t>(steps.size());
  steps.emplace_back("ALTER TABLE run ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'");
  steps.emplace_back("UPDATE run SET mood = mood || ' and better'");
  const auto open = [&](Access access) { return *Database::open(folder / "a.db", access); };

  const Database reader = open(Access::read);
  const auto as_it_is = bring_up_to_date(reader, Access::read, steps);
  REQUIRE_FALSE(as_it_is);
  CHECK(contains(text_of(as_it_is.error()), "a command that writes brings it up to date"));

  const Database writer = open(Access::write);
  REQUIRE(bring_up_to_date(writer, Access::write, steps));
  CHECK(writer.pragma("user_version") == today + 2);
  Statement row = writer.prepare("SELECT mood, uid FROM run");
  REQUIRE(row.step());
  CHECK(row.value<std::string>(0) == "good and better");
  CHECK(row.value<std::string>(1) == small_run().run.id);
  REQUIRE(bring_up_to_date(writer, Access::write, steps));  // nothing is done twice
  CHECK(row.value<std::string>(0) == "good and better");
}

TEST_CASE("a calibration of version 1, without overlaps, is brought to this one with its rows") {
  const Folder folder;
  RunRecords before = RandomRecords(1).records(3);
  before.overlaps.clear();
  {
    const Database old = *Database::open(folder / "a.db", Access::write);
    REQUIRE(bring_up_to_date(old, Access::write, schema_steps().first(1)));
    const std::int64_t run = insert_run(old, before.run);
    for (const CollectiveRecord& record : before.collectives)
      CollectiveTable(old).insert(run, record);
    for (const KernelRecord& record : before.kernels) KernelTable(old).insert(run, record);
  }
  CHECK(contains(refusal(folder / "a.db", Access::read), "has tables of version 1, this program"));
  Store store = opened(folder / "a.db", Access::write);
  CHECK(store.all() == std::vector<RunRecords>{before});
  const RunRecords later = RandomRecords(2).records(4);
  REQUIRE_FALSE(later.overlaps.empty());
  REQUIRE(store.add(later));
  CHECK(opened(folder / "a.db", Access::read).all() == std::vector<RunRecords>{before, later});
}

TEST_CASE("an overlap of another run's rows is damage") {
  const Folder folder;
  {
    Store store = opened(folder / "a.db", Access::write);
    REQUIRE(store.add(small_run(1)));
    REQUIRE(store.add(small_run(2)));
  }
  run_sql(folder / "a.db", "UPDATE overlap SET collective = 1 WHERE run = 2");
  CHECK_THROWS_WITH(opened(folder / "a.db", Access::read).all(),
                    Catch::Contains("the collective of an overlap is none of its run"));
}

TEST_CASE("a step that fails leaves the version from before") {
  const Folder folder;
  make_calibration(folder / "a.db");
  std::vector<std::string_view> steps(schema_steps().begin(), schema_steps().end());
  steps.emplace_back("ALTER TABLE run ADD COLUMN mood TEXT");
  steps.emplace_back("this is no SQL");
  {
    const Database writer = *Database::open(folder / "a.db", Access::write);
    CHECK_THROWS_AS(bring_up_to_date(writer, Access::write, steps), base::EnvironmentError);
  }
  CHECK(opened(folder / "a.db", Access::read).all() == std::vector<RunRecords>{small_run()});
}

TEST_CASE("damaged bytes are told or do no harm") {
  const Folder folder;
  make_calibration(folder / "whole.db");
  const std::string whole = bytes_of_file(folder / "whole.db");
  REQUIRE(whole.size() > 10'000);
  int told = 0;
  for (std::size_t at = 0; at < whole.size(); at += 311) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0xff);
    write_bytes(folder / "a.db", bytes);
    try {
      const auto store = Store::open(folder / "a.db", Access::read);
      if (!store) {
        CHECK_FALSE(text_of(store.error()).empty());
        ++told;
      } else {
        store->all();
      }
    } catch (const base::EnvironmentError& error) {
      CHECK(contains(error.what(), "a.db: "));
      ++told;
    }
  }
  CHECK(told > 5);
}

TEST_CASE("a file that was cut is told") {
  const Folder folder;
  make_calibration(folder / "a.db");
  const std::string whole = bytes_of_file(folder / "a.db");
  write_bytes(folder / "a.db", whole.substr(0, whole.size() / 2));
  CHECK((contains(refusal(folder / "a.db", Access::read), "malformed") ||
         contains(refusal(folder / "a.db", Access::read), "damaged")));
}

/// The end of a process that `body` runs in as somebody who is not root; -1 when this user cannot
/// become somebody else and is root.
int as_nobody(const std::function<void()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(99);
    try {
      body();
      _exit(0);
    } catch (...) {
      _exit(1);
    }
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status)) return -2;
  return WEXITSTATUS(status) == 99 ? -1 : WEXITSTATUS(status);
}

TEST_CASE("a calibration that may only be read is read, from a folder that may only be read, too") {
  const Folder folder;
  make_calibration(folder / "a#%3f.db");
  std::filesystem::permissions(folder / "a#%3f.db", std::filesystem::perms(0444));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const int end = as_nobody([&] {
    const auto store = Store::open(folder / "a#%3f.db", Access::read);
    if (!store || store->all() != std::vector<RunRecords>{small_run()}) _exit(2);
    const auto writer = Store::open(folder / "a#%3f.db", Access::write);
    if (writer || !contains(text_of(writer.error()), "look at the permissions")) _exit(3);
    const auto another = Store::open(folder / "b.db", Access::write);
    if (another || !contains(text_of(another.error()), "look at the permissions")) _exit(4);
  });
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  if (end == -1) {
    WARN("skipped: root cannot become another user here");
    return;
  }
  CHECK(end == 0);
}

TEST_CASE("a reader leaves nothing beside the file, and writes nothing") {
  const Folder folder;
  make_calibration(folder / "a.db");
  const std::string before = bytes_of_file(folder / "a.db");
  opened(folder / "a.db", Access::read).all();
  CHECK(bytes_of_file(folder / "a.db") == before);
  const auto files = std::filesystem::directory_iterator(folder.path());
  CHECK(std::distance(begin(files), end(files)) == 1);
  Store reader = opened(folder / "a.db", Access::read);
  CHECK_THROWS_AS(reader.add(small_run(2)), base::EnvironmentError);
}

TEST_CASE("a file that another process holds is told after a while") {
  const Folder folder;
  make_calibration(folder / "a.db");
  const std::chrono::milliseconds while_(20);
  auto store = Store::open(folder / "a.db", Access::write, while_);
  REQUIRE(store);
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open((folder / "a.db").c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  std::string told;
  try {
    store->add(small_run(2));
  } catch (const base::EnvironmentError& error) {
    told = error.what();
  }
  CHECK(contains(told, "a.db: database is locked (another process holds it"));
  CHECK(store->all().size() == 1);  // readers do not wait
  REQUIRE(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK(store->add(small_run(2)));
  sqlite3_close(other);
}

/// What a writer is told when files may not grow beyond so much.
std::string told_when_full(Store& store, rlim_t bytes) {
  // The signal would end the process; ignored, writes fail as on a full disk.
  const auto before = signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlimit small{bytes, limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string told;
  try {
    for (unsigned seed = 2; seed < 50; ++seed) store.add(RandomRecords(seed).records(100));
  } catch (const base::EnvironmentError& error) {
    told = error.what();
  }
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  signal(SIGXFSZ, before);
  return told;
}

TEST_CASE("a full disk is told, and what was stored before is safe") {
  const Folder folder;
  Store store = opened(folder / "a.db", Access::write);
  REQUIRE(store.add(small_run()));
  const std::string told = told_when_full(store, 200'000);
  INFO(told);
  CHECK(contains(told, "a.db: "));
  CHECK(contains(told, "look whether the disk is full"));
  const auto all = opened(folder / "a.db", Access::read).all();
  REQUIRE_FALSE(all.empty());
  CHECK(all[0] == small_run());
  for (const RunRecords& records : all)  // no run came in by halves
    CHECK((records == small_run() || records.collectives.size() == 100));
  CHECK(store.add(RandomRecords(60).records(100)));
}

}  // namespace

}  // namespace calibrate::store
