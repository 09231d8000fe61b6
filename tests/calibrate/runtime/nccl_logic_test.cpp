// What the runtime of NCCL decides before it calls NCCL, and how it waits: tried without a GPU.

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/nccl/call.hpp"
#include "calibrate/runtime/nccl/meeting.hpp"
#include "calibrate/runtime/nccl/watchdog.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace calibrate::runtime::nccl {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

template <class Action>
std::string failure_of(Action action) {
  std::string error = "none";
  guarded(error, action);
  return error;
}

/// A clock that only sleeping moves.
struct StillClock {
  milliseconds time{0};
  int sleeps = 0;

  Clock clock() {
    return {[this] { return time; },
            [this](milliseconds pause) {
              time += pause;
              ++sleeps;
            }};
  }
};

foreshard_collective collective(const char* operation) {
  return {operation, "float", "sum", 7, 2, 1, 3, 0};
}

TEST_CASE("collectives are told as NCCL is called") {
  const Call plain{base::Collective::all_gather, 7, 0, 7, 0, -1, -1};
  CHECK(call_of(collective("all_gather"), 4) == plain);
  CHECK(call_of(collective("barrier"), 4).count == 0);
  const Call rooted = call_of(collective("broadcast"), 4);
  CHECK(rooted.root == 2);
  CHECK(rooted.reduction == 0);
  const Call sent = call_of(collective("send_receive"), 4);
  CHECK(sent.destination == 1);
  CHECK(sent.source == 3);
  foreshard_collective other = collective("reduce");
  other.dtype = "bfloat16";
  other.reduction = "avg";
  const Call reduced = call_of(other, 4);
  CHECK(dtypes.at(static_cast<std::size_t>(reduced.dtype)) == "bfloat16");
  CHECK(reductions.at(static_cast<std::size_t>(reduced.reduction)) == "avg");
  for (const auto& [name, op] : base::collective_names)
    CHECK(call_of(collective(name.data()), 4).op == op);
}

TEST_CASE("what NCCL does not have is refused with its name") {
  CHECK(failure_of([] { call_of(collective("all_redcue"), 4); }) == "no collective 'all_redcue'");
  foreshard_collective bad = collective("all_reduce");
  bad.dtype = "quad";
  CHECK(failure_of([&] { call_of(bad, 4); }) == "NCCL has no data type 'quad'");
  bad.dtype = nullptr;
  CHECK(failure_of([&] { call_of(bad, 4); }) == "NCCL has no data type ''");
  bad = collective("all_reduce");
  bad.reduction = "mulsum";
  CHECK(failure_of([&] { call_of(bad, 4); }) == "NCCL has no reduction 'mulsum'");
  bad.count = -1;
  bad.reduction = "sum";
  CHECK(failure_of([&] { call_of(bad, 4); }) == "-1 elements");
  CHECK(failure_of([] { call_of(collective("gather"), 2); }) == "no root 2 among 2 ranks");
  CHECK(failure_of([] { call_of(collective("send_receive"), 3); }) == "no rank 3 among 3");
}

TEST_CASE("groups that do not overlap have colors of their own, members their order") {
  const std::vector<std::int32_t> even{6, 2, 0};
  const std::vector<std::int32_t> odd{5, 1};
  CHECK(split_of(even.data(), 3, 6, 8).color == 0);
  CHECK(split_of(even.data(), 3, 0, 8).color == 0);
  CHECK(split_of(even.data(), 3, 6, 8).key == 0);
  CHECK(split_of(even.data(), 3, 0, 8).key == 2);
  CHECK(split_of(odd.data(), 2, 1, 8).color == 1);
  CHECK(failure_of([&] { split_of(odd.data(), 2, 0, 8); }) ==
        "rank 0 asks for a communicator that it is not in");
  CHECK(failure_of([&] { split_of(odd.data(), 2, 1, 5); }) ==
        "ranks of a communicator are not of the 5 there are");
  const std::vector<std::int32_t> twice{1, 1};
  CHECK(failure_of([&] { split_of(twice.data(), 2, 1, 8); }) ==
        "a rank is twice in a communicator");
}

TEST_CASE("waiting ends when what was waited for comes, or when the time is over") {
  StillClock still;
  int asked = 0;
  wait_until([&] { return ++asked == 3; }, seconds{1}, "it", still.clock());
  CHECK(still.sleeps == 2);
  CHECK(still.time == milliseconds{1 + 2});
  CHECK(failure_of([&] { wait_until([] { return false; }, seconds{2}, "it", still.clock()); }) ==
        "it did not come within 2 s");
  // It stops at the first look after the limit, at most one pause of 50 ms later.
  CHECK(still.time >= milliseconds{2003});
  CHECK(still.time < milliseconds{2053});
  CHECK(failure_of([&] {
          wait_until([]() -> bool { throw Failure("broken"); }, seconds{2}, "it", still.clock());
        }) == "broken");
}

TEST_CASE("what may never return is left behind after a limit") {
  const Clock clock = steady_clock();
  int done = 0;
  within([&] { ++done; }, seconds{60}, "it", clock);
  CHECK(done == 1);
  CHECK(failure_of([&] { within([] { throw Failure("broken"); }, seconds{60}, "it", clock); }) ==
        "broken");
  // The other thread waits for a lock that is never given, until the test is over.
  const auto forever = std::make_shared<std::mutex>();
  const std::unique_lock lock(*forever);
  StillClock still;
  CHECK(failure_of([&] {
          within([forever] { const std::lock_guard wait(*forever); }, seconds{1}, "it",
                 still.clock());
        }) == "it did not come within 1 s");
}

TEST_CASE("a message between ranks is there as a whole, or not") {
  const Folder folder;
  StillClock still;
  const std::string message("id\0with any bytes\n", 18);
  CHECK(failure_of([&] { await(folder.path(), "word", 18, seconds{1}, still.clock()); }) ==
        "the word of rank 0 in " + folder.path() + "/word did not come within 1 s");
  Clock clock = still.clock();
  clock.sleep = [&](milliseconds) { publish(folder.path(), "word", message); };
  CHECK(await(folder.path(), "word", 18, seconds{1}, clock) == message);
  CHECK(failure_of([&] { await(folder.path(), "word", 128, seconds{1}, clock); }) ==
        folder.path() + "/word has 18 bytes, not 128: it is of another NCCL");
  publish(folder.path(), "word", "newer");
  CHECK(await(folder.path(), "word", 5, seconds{1}, clock) == "newer");
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);  // nothing half is left
  CHECK(failure_of([&] { publish(folder.path() + "/gone", "word", message); }) ==
        folder.path() + "/gone/word cannot be written: ranks meet there");
}

TEST_CASE("a watchdog ends collectives that NCCL reports, or that last too long") {
  StillClock still;
  std::optional<std::string> failure;
  bool done = true;
  int aborted = 0;
  Watchdog dog({[&] { return failure; }, [&] { return done; }, [&] { ++aborted; }}, seconds{10},
               still.clock());
  CHECK(dog.look());  // nothing was launched
  dog.launched();
  done = false;
  still.time += seconds{9};
  CHECK(dog.look());
  still.time += seconds{5};
  dog.launched();  // others followed: the limit counts from the last
  CHECK(dog.look());
  done = true;
  still.time += seconds{20};
  CHECK(dog.look());  // late, but done
  done = false;
  CHECK(dog.look());  // and nothing was launched since
  CHECK_FALSE(dog.verdict());

  SECTION("one that does not end") {
    dog.launched();
    still.time += seconds{10};
    CHECK_FALSE(dog.look());
    CHECK(dog.verdict() ==
          "a collective did not end within 10 s: a rank is gone, or did not call it");
  }
  SECTION("an error of NCCL") {
    failure = "remote process exited";
    CHECK_FALSE(dog.look());
    CHECK(dog.verdict() == "remote process exited");
  }
  CHECK(aborted == 1);
  CHECK_FALSE(dog.look());
  CHECK(aborted == 1);
}

TEST_CASE("a patrol looks until it is told to stop") {
  StillClock still;
  std::atomic<int> looks = 0;
  Watchdog dog({[&]() -> std::optional<std::string> {
                  ++looks;
                  return "gone";
                },
                [] { return true; }, [] {}},
               seconds{1}, still.clock());
  {
    const Patrol patrol(dog);
    while (!dog.verdict()) std::this_thread::yield();
  }
  CHECK(looks == 1);
  CHECK(dog.verdict() == "gone");
}

}  // namespace
}  // namespace calibrate::runtime::nccl
