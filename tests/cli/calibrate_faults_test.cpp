// What goes wrong while something is measured: told within a bound, and what was measured stays.

#include <chrono>
#include <string>

#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"

namespace {

using calibrate::store::Access;
using calibrate::store::Store;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string sweep = " --backend gloo --ranks 2 --operations all_reduce -f 8 -n 5 --budget 0 ";

std::vector<calibrate::RunRecords> stored(const std::string& path) {
  auto store = Store::open(path, Access::read);
  REQUIRE(store);
  return store->all();
}

/// Ranks as a launcher starts them, each with its own words; how each ended, and what it told.
std::vector<Outcome> ranks(const Folder& folder, const std::vector<std::string>& words) {
  std::filesystem::create_directory(folder / "meeting");
  std::string script;
  for (std::size_t rank = 0; rank < words.size(); ++rank)
    script += "(FORESHARD_RENDEZVOUS='" + (folder / "meeting") + "' RANK=" + std::to_string(rank) +
              " WORLD_SIZE=2 LOCAL_RANK=" + std::to_string(rank) +
              " timeout 60 '" FORESHARD_BINARY "' " + words[rank] + " >'" + (folder / "out") +
              std::to_string(rank) + "' 2>'" + (folder / "err") + std::to_string(rank) +
              "'; echo $? >'" + (folder / "code") + std::to_string(rank) + "') & ";
  REQUIRE(std::system((script + "wait").c_str()) == 0);
  std::vector<Outcome> all;
  for (std::size_t rank = 0; rank < words.size(); ++rank) {
    const std::string number = std::to_string(rank);
    all.push_back({std::stoi(contents_of(folder / ("code" + number))),
                   contents_of(folder / ("out" + number)), contents_of(folder / ("err" + number))});
  }
  return all;
}

TEST_CASE("a rank that never comes is given up after the time-out") {
  const Folder folder;
  const auto begin = std::chrono::steady_clock::now();
  const auto alone = ranks(
      folder, {"calibrate collectives --db " + (folder / "a.db") + sweep + "-b 64 -e 64 -T 2"});
  CHECK(alone[0].code == 70);
  CHECK(contains(alone[0].err, "rank 0 cannot join"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
}

TEST_CASE("a folder to meet in that is not there is told in these words") {
  const Folder folder;
  const auto lost =
      foreshard("calibrate collectives --db " + (folder / "a.db") + sweep + "-b 64 -e 64",
                "RANK=0 WORLD_SIZE=2 FORESHARD_RENDEZVOUS='" + (folder / "gone") + "'");
  CHECK(lost.code == 70);
  CHECK(contains(lost.err, "gone: error: is no folder in which ranks could meet (make it, empty"));
}

TEST_CASE("ranks that were started with different commands are told, and measure nothing") {
  const Folder folder;
  const std::string command = "calibrate collectives --db " + (folder / "a.db") + sweep;
  const auto both = ranks(folder, {command + "-b 64 -e 64 -T 5", command + "-b 64 -e 4K -T 5"});
  for (const Outcome& rank : both) {
    INFO(rank.err);
    CHECK(rank.code != 0);
    CHECK(rank.code != 124);  // of timeout
  }
  CHECK(contains(both[0].err + both[1].err, "rank 1 was started with another command than rank 0"));
  CHECK_FALSE(std::filesystem::exists(folder / "a.db"));
}

TEST_CASE("a disk that fills up ends the command with 70, and what was kept is safe") {
  const Folder folder;
  const std::string db = folder / "a.db";
  const std::string command = "calibrate collectives --db " + db + sweep;
  REQUIRE(foreshard(command + "-b 64 -e 512").code == 0);
  const auto before = stored(db);
  // Files may grow by 64 blocks of 512 bytes; 2,000 samples of each size take more.
  const auto size = std::filesystem::file_size(db);
  const std::string limit =
      "trap '' XFSZ; ulimit -f " + std::to_string(size / 512 + 64) + " 2>/dev/null; ";
  const auto full = foreshard(command + "-b 64 -e 64K -n 2000", limit);
  CHECK(full.code == 70);
  CHECK(contains(full.err, "look whether the disk is full"));
  CHECK(contains(full.err, "--resume goes on"));
  const auto after = stored(db);
  REQUIRE_FALSE(after.empty());
  CHECK(after[0] == before[0]);
  CHECK(foreshard(command + "-b 64 -e 64").code == 0);
}

TEST_CASE("a calibration that cannot be written is told before anything is measured") {
  const Folder folder;
  const std::string command = "calibrate collectives --db " + (folder / "a.db") + sweep + "-b 64";
  write_file(folder / "a.db", std::string(5000, 'x'));
  const auto damaged = foreshard(command);
  CHECK(damaged.code == 1);
  CHECK(contains(damaged.err, "a.db: error: file is not a database"));
  CHECK(damaged.out.empty());
  CHECK(foreshard("calibrate collectives --db " + (folder / "no/a.db") + sweep).code == 1);
  CHECK(foreshard("calibrate kernels --db " + folder.path()).code == 1);
}

}  // namespace
