// Several processes at one calibration, and one that is killed.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <string>

#include "base/check.hpp"
#include "tests/calibrate/store/support.hpp"

namespace calibrate::store {

namespace {

/// Runs in a process of its own, which ends with 0 when nothing was thrown. Nothing of Catch in it.
pid_t in_process(const std::function<void()>& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child > 0) return child;
  try {
    body();
    _exit(0);
  } catch (...) {
    _exit(1);
  }
}

int end_of(pid_t child) {
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

CollectiveRecord numbered(std::int64_t number) {
  CollectiveRecord record = RandomRecords(1).collective();
  record.count = number;
  return record;
}

Store open_or_throw(const std::string& path) {
  auto store = Store::open(path, Access::write);
  if (!store) throw base::EnvironmentError(text_of(store.error()));
  return std::move(*store);
}

TEST_CASE("processes that write at once lose nothing, from the first moment of the file on") {
  const Folder folder;
  constexpr int rows = 300;
  std::vector<pid_t> children;
  for (unsigned writer = 1; writer <= 3; ++writer)
    children.push_back(in_process([&] {
      Store store = open_or_throw(folder / "a.db");
      const Store::RunKey run = store.begin(RandomRecords(writer).run());
      for (int i = 0; i < rows; ++i) store.add(run, numbered(i));
      store.finish(run, RunState::complete, "");
    }));
  for (const pid_t child : children) CHECK(end_of(child) == 0);
  const auto all = opened(folder / "a.db", Access::read).all();
  CHECK(all.size() == 3);
  for (const RunRecords& records : all) {
    REQUIRE(records.collectives.size() == rows);
    for (int i = 0; i < rows; ++i)
      CHECK(records.collectives[static_cast<std::size_t>(i)] == numbered(i));
  }
}

TEST_CASE("of processes that make one file at the same moment none is turned away") {
  const Folder folder;
  constexpr int files = 40;
  for (int file = 0; file < files; ++file) {
    int gate[2];
    REQUIRE(pipe(gate) == 0);
    std::vector<pid_t> children;
    for (int process = 0; process < 4; ++process)
      children.push_back(in_process([&] {
        close(gate[1]);
        char nothing = 0;
        CHECK_INVARIANT(read(gate[0], &nothing, 1) == 0);  // until the gate opens
        open_or_throw(folder / (std::to_string(file) + ".db"));
      }));
    close(gate[0]);
    close(gate[1]);
    for (const pid_t child : children) CHECK(end_of(child) == 0);
  }
}

/// Writes rows for ever, and tells the number of each through the pipe once it is kept.
void write_for_ever(const std::string& path, int pipe) {
  Store store = open_or_throw(path);
  Run run = RandomRecords(static_cast<unsigned>(getpid())).run();
  run.state = RunState::running;
  const Store::RunKey key = store.begin(run);
  for (std::int64_t i = 0;; ++i) {
    store.add(key, numbered(i));
    if (write(pipe, &i, sizeof i) != sizeof i) return;
  }
}

TEST_CASE("a writer that is killed leaves every row that it acknowledged") {
  const Folder folder;
  const std::string path = folder / "a.db";
  std::vector<std::int64_t> acknowledged;  // rows of each writer
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = in_process([&] { write_for_ever(path, ends[1]); });
    close(ends[1]);
    std::int64_t last = -1;
    // Killed at another place of its work every time.
    while (last < 5 + 7 * round) REQUIRE(read(ends[0], &last, sizeof last) == sizeof last);
    usleep(static_cast<useconds_t>(137 * round));
    kill(child, SIGKILL);
    CHECK(WIFSIGNALED(end_of(child)));
    while (read(ends[0], &last, sizeof last) == sizeof last) continue;
    close(ends[0]);
    acknowledged.push_back(last + 1);

    const auto all = opened(path, Access::read).all();  // its pages are checked
    REQUIRE(all.size() == acknowledged.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto kept = static_cast<std::int64_t>(all[i].collectives.size());
      CHECK(kept >= acknowledged[i]);
      CHECK(kept <= acknowledged[i] + 1);  // the one in flight
      CHECK(all[i].run.state == RunState::running);
    }
  }
}

}  // namespace

}  // namespace calibrate::store
