// `foreshard calibrate` show, export, diff and merge, as scripts see them.

#include <nlohmann/json.hpp>
#include <string>

#include "calibrate/store/calibration_json.hpp"
#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"

namespace {

using calibrate::RunRecords;
using calibrate::store::Access;
using calibrate::store::Store;
using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// An all-reduce sweep of three sizes and one matrix product; times are `factor` times 10 us.
RunRecords example(char id, double factor = 1) {
  RunRecords records;
  calibrate::Run& run = records.run;
  run.id = std::string(32, id);
  run.tool = "foreshard";
  run.version = "0.1";
  run.started = "2026-11-28T11:30:00Z";
  run.ended = "2026-11-28T11:40:00Z";
  run.machine = {"node-1", "Xeon", 8, base::Bytes::from_gib(64), "Linux 6.1"};
  run.devices = {{"H200-SXM-141GB", "GPU-1", base::Bytes::from_gib(141)}};
  run.software = {{"NCCL", "2.28.3"}};
  for (const int bytes : {8, 1024, 1048576}) {
    calibrate::CollectiveRecord row;
    row.library = "NCCL";
    row.library_version = "2.28.3";
    row.device = "H200-SXM-141GB";
    row.dtype = "float";
    row.placement = {.ranks = 8, .nodes = 2, .ranks_per_node = 4};
    row.bytes = base::Bytes::from_count(bytes);
    row.times = calibrate::times_of({10e-6 * factor, 10.1e-6 * factor, 9.9e-6 * factor});
    row.wrong = bytes == 8 ? 3 : 0;
    records.collectives.push_back(row);
  }
  calibrate::KernelRecord kernel;
  kernel.kind = "gemm";
  kernel.kernel = base::Gemm{1000, 1000, 1000};
  kernel.library = "cuBLASLt";
  kernel.library_version = "13.0";
  kernel.device = "H200-SXM-141GB";
  kernel.times.mean = 10e-6 * factor;
  records.kernels.push_back(kernel);
  return records;
}

std::string calibration(const Folder& folder, const std::string& name,
                        const std::vector<RunRecords>& runs) {
  auto store = Store::open(folder / name, Access::write);
  REQUIRE(store);
  store->add_all(runs);
  return folder / name;
}

TEST_CASE("calibrate show tells what a calibration holds") {
  const Folder folder;
  RunRecords back = example('b');
  back.run.ended = "2026-11-28T11:29:59Z";
  const std::string file = calibration(folder, "a.db", {example('a'), back});
  const Outcome text = foreshard("calibrate show --db " + file);
  CHECK(text.code == 0);
  CHECK(text.err.empty());
  for (const char* part :
       {"runs 2, rows 8, fits 0", "node-1", "Xeon", "64 GiB", "H200-SXM-141GB", "NCCL", "2.28.3",
        "aaaaaaaa  2026-11-28T11:30:00Z  complete     4  foreshard 0.1  measured here",
        "bbbbbbbb: ended at 2026-11-28T11:29:59Z, before it began: the clock went back", "8 on 2",
        "8 B - 1 MiB", "gemm", "2 GFlop"})
    CHECK(contains(text.out, part));
  for (std::size_t at = 0, end = 0; end != std::string::npos; at = end + 1) {
    end = text.out.find('\n', at);
    CHECK(text.out.substr(at, end - at).size() <= 110);
  }
  const Outcome summary = foreshard("calibrate show --run b --json - --db " + file);
  CHECK(summary.code == 0);
  const json parsed = json::parse(summary.out);
  CHECK(parsed.at("schema") == "foreshard.calibration_summary.v1");
  REQUIRE(parsed.at("runs").size() == 1);
  CHECK(parsed.at("runs")[0].at("ended_before_start") == true);
  CHECK(parsed.at("collectives")[0].at("wrong") == 1);
  CHECK(parsed.at("collectives")[0].at("to_bytes") == 1048576);
}

TEST_CASE("a run is named by its first digits") {
  const Folder folder;
  const std::string file = calibration(folder, "a.db", {example('a'), example('b')});
  const Outcome none = foreshard("calibrate show --run c --db " + file);
  CHECK(none.code == 1);
  CHECK(contains(none.err, "no run begins with 'c'"));
  CHECK(none.out.empty());
}

TEST_CASE("calibrate export writes JSON that reads as the same") {
  const Folder folder;
  const std::vector<RunRecords> runs{example('a'), example('b', 1.3)};
  const std::string file = calibration(folder, "a.db", runs);
  const Outcome outcome = foreshard("calibrate export --format json --db " + file);
  CHECK(outcome.code == 0);
  const auto read = calibrate::store::read_calibration_json(outcome.out, "a.json");
  REQUIRE(read);
  CHECK(*read == runs);
}

TEST_CASE("calibrate export writes the tables that validate reads") {
  const Folder folder;
  const std::string file = calibration(folder, "a.db", {example('a')});
  const Outcome collectives = foreshard("calibrate export --format csv --db " + file);
  CHECK(collectives.code == 0);
  // 1 MiB in 10 us: 104.86 GB/s, 2 x 7 / 8 of it on the bus.
  CHECK(contains(collectives.out,
                 "aaaaaaaa-c3,foreshard:" + std::string(32, 'a') +
                     ",aaaaaaaa-s1,all_reduce,NCCL,2.28.3,H200-SXM-141GB,8,2,4,,,float,1048576,0,"
                     "10,104.8576,183.5008,,,high\n"));
  CHECK(contains(collectives.out, ",3 elements were wrong,low\n"));
  const Outcome kernels = foreshard("calibrate export --format csv --what kernels --output '" +
                                    (folder / "k.csv") + "' --db " + file);
  CHECK(kernels.code == 0);
  CHECK(kernels.out.empty());
  // 2 x 10^9 Flop in 10 us: 200 TFLOP/s.
  CHECK(contains(contents_of(folder / "k.csv"),
                 ",cuBLASLt 13.0,H200-SXM-141GB,gemm,bf16,1000,1000,1000,,,,,,,10,200,,high\n"));
  CHECK(foreshard("validate kernels --table '" + (folder / "k.csv") + "'").code == 0);
}

TEST_CASE("calibrate diff tells what changed, and gives a verdict") {
  const Folder folder;
  const std::string a = calibration(folder, "a.db", {example('a')});
  const std::string b = calibration(folder, "b.db", {example('b', 1.2)});
  const Outcome text = foreshard("calibrate diff --db " + a + " --with " + b);
  CHECK(text.code == 0);
  CHECK(contains(text.out, "drift: 1 slower and 0 faster of 2 things, median 20.0 % slower"));
  CHECK(contains(text.out, "1.200"));
  CHECK(contains(text.out, "20.0 % slower, spread unknown"));
  const Outcome same = foreshard("calibrate diff --json - --db " + a + " --with " + a);
  const json parsed = json::parse(same.out);
  CHECK(parsed.at("drifted") == false);
  CHECK(parsed.at("groups")[0].at("verdict") == "same");
  CHECK(parsed.at("groups")[0].at("sizes").size() == 2);  // wrong data is not compared
}

TEST_CASE("calibrate merge takes runs over once, and only from files that are all right") {
  const Folder folder;
  const std::string into = calibration(folder, "a.db", {example('a')});
  const std::string from = calibration(folder, "b.db", {example('a'), example('b')});
  write_file(folder / "bad.db", "not a database, but some text");
  const Outcome bad =
      foreshard("calibrate merge --db " + into + " " + from + " '" + (folder / "bad.db") + "'");
  CHECK(bad.code == 1);
  CHECK(contains(bad.err, "bad.db: error: file is not a database"));
  CHECK(Store::open(folder / "a.db", Access::read)->runs().size() == 1);
  const std::string command = "calibrate merge --db " + into + " " + from;
  CHECK(contains(foreshard(command).out, "b.db: runs added 1, there before 1"));
  CHECK(contains(foreshard(command).out, "b.db: runs added 0, there before 2"));
  CHECK(Store::open(folder / "a.db", Access::read)->all() ==
        std::vector<RunRecords>{example('a'), example('b')});
}

TEST_CASE("commands about calibrations say what is wrong with their arguments") {
  const auto [arguments, code, message] = GENERATE(table<std::string, int, std::string>({
      {"calibrate show", 2, "--db is required"},
      {"calibrate show --db no.db", 1, "no.db: error: no such file"},
      {"calibrate show --db tests", 1, "tests: error: is a folder"},
      {"calibrate export --db no.db", 2, "--format is required"},
      {"calibrate export --db no.db --format xml", 2,
       "xml not in {json,csv,nccl-tests,nccl-tests-json}"},
      {"calibrate export --db no.db --format csv --what all", 2, "all not in"},
      {"calibrate diff --db no.db", 2, "--with is required"},
      {"calibrate merge --db no.db", 2, "FROM is required"},
  }));
  const Outcome outcome = foreshard(arguments);
  CHECK(outcome.code == code);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, message));
}

}  // namespace
