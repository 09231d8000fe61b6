// `foreshard calibrate import` as scripts see it.

#include <filesystem>
#include <string>
#include <vector>

#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using calibrate::RunRecords;
using calibrate::store::Access;
using calibrate::store::Store;

const std::string sweep =
    "# nccl-tests version 2.17.6 nccl-headers=22809 nccl-library=22809\n"
    "# Collective test starting: all_reduce_perf\n"
    "#  Rank  0 Group  0 Pid 1 on node-a device  0 [0000:1b:00] NVIDIA H200\n"
    "#  Rank  1 Group  0 Pid 2 on node-a device  1 [0000:2c:00] NVIDIA H200\n"
    "8 2 float sum -1 20.15 0.00 0.00 0 19.87 0.00 0.00 N/A\n"
    "16 4 float sum -1 21.5 0.00 0.00 0 19.87 0.00 0.00 N/A\n"
    "# Avg bus bandwidth    : 0 \n";

std::vector<RunRecords> runs_in(const std::string& path) {
  const auto store = Store::open(path, Access::read);
  REQUIRE(store);
  return store->all();
}

TEST_CASE("an imported sweep is kept once, and comes out as it went in") {
  const Folder folder;
  const std::string log = folder / "sweep.log";
  const std::string database = folder / "calibration.db";
  write_file(log, sweep + sweep);  // two sweeps with equally many rows
  const std::string command = "calibrate import '" + log + "' --db '" + database + "'";
  const Outcome first = foreshard(command);
  CHECK(first.code == 0);
  CHECK(first.out == "2 runs with 8 collectives and 0 kernels\n");
  CHECK(first.err.empty());
  const Outcome second = foreshard(command);
  CHECK(second.code == 0);
  CHECK(second.out == "2 runs with 8 collectives and 0 kernels; 2 were there already\n");
  const std::vector<RunRecords> runs = runs_in(database);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].collectives.at(0).device == "H200-SXM-141GB");

  for (const std::string format : {"nccl-tests", "nccl-tests-json"}) {
    const std::string exported = folder / format;
    const std::string other = folder / (format + ".db");
    CHECK(foreshard("calibrate export --format " + format + " --db '" + database + "' --output '" +
                    exported + "'")
              .code == 0);
    CHECK(foreshard("calibrate import '" + exported + "' --db '" + other + "'").code == 0);
    const std::vector<RunRecords> again = runs_in(other);
    REQUIRE(again.size() == 2);
    for (std::size_t run = 0; run < 2; ++run) {
      std::vector<calibrate::CollectiveRecord> records = again[run].collectives;
      REQUIRE(records.size() == runs[run].collectives.size());
      for (std::size_t i = 0; i < records.size(); ++i) {
        records[i].line = runs[run].collectives[i].line;
        CHECK(records[i] == runs[run].collectives[i]);
      }
    }
  }
}

TEST_CASE("packed files are read as what they hold; damaged ones are told and not kept") {
  const Folder folder;
  write_file(folder / "sweep.log", sweep);
  REQUIRE(std::system(("gzip -n '" + (folder / "sweep.log") + "'").c_str()) == 0);
  const std::string database = folder / "calibration.db";
  const std::string log = folder / "sweep.log.gz";
  const Outcome whole = foreshard("calibrate import '" + log + "' --db '" + database + "'");
  CHECK(whole.out == "1 runs with 4 collectives and 0 kernels\n");
  const std::string bytes = contents_of(log);
  write_file(folder / "cut.log.gz", bytes.substr(0, bytes.size() / 2));
  const Outcome cut = foreshard("calibrate import '" + (folder / "cut.log.gz") + "' --db '" +
                                (folder / "other.db") + "'");
  CHECK(cut.code == 1);
  CHECK(cut.err.find("cut.log.gz: error: is cut off") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "other.db"));
}

TEST_CASE("what NCCL's log says it chose is kept without times") {
  const Folder folder;
  write_file(folder / "job.log",
             "a:1:2 [0] NCCL INFO comm 0x5 rank 0 nRanks 8 nNodes 1 localRanks 8\n"
             "a:1:2 [0] NCCL INFO AllReduce: 1024 Bytes -> Algo TREE proto LL "
             "channel{Lo..Hi}={0..3}\n");
  const std::string database = folder / "calibration.db";
  const Outcome outcome = foreshard("calibrate import '" + (folder / "job.log") + "' --db '" +
                                    database + "' --device H200 --library-version 2.28.3");
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "1 runs with 1 collectives and 0 kernels\n");
  CHECK(outcome.err.find("nothing here is measured") != std::string::npos);
  const auto rows = runs_in(database).at(0).collectives;
  CHECK(rows.at(0).algorithm == "tree");
  CHECK(rows.at(0).protocol == "ll");
}

TEST_CASE("of files with a mistake nothing is kept") {
  const Folder folder;
  write_file(folder / "good.log", sweep);
  write_file(folder / "bad.log", sweep + "32 8 float sum -1 21.5 0.00\n");
  const std::string database = folder / "calibration.db";
  const Outcome outcome = foreshard("calibrate import '" + (folder / "good.log") + "' '" +
                                    (folder / "bad.log") + "' --db '" + database + "'");
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find("bad.log:8:28: error: a row of 7 words, 13 are expected") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(database));
  CHECK(foreshard("calibrate import no_such.log --db '" + database + "'").code == 1);
  CHECK(foreshard("calibrate import x --db y --format fax").code == 2);
}

}  // namespace
