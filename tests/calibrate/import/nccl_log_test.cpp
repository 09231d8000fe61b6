// What NCCL chose and expected, from its logs. Lines are laid out as src/enqueue.cc and
// src/graph/tuning.cc of 2.8, 2.19 and 2.28 print them.

#include "calibrate/import/nccl_log.hpp"

#include "calibrate/import/formats.hpp"
#include "calibrate/store/store.hpp"
#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

std::string info(const std::string& text, const std::string& process = "node-a:100") {
  return process + ":120 [0] NCCL INFO " + text + "\n";
}

std::string start(int ranks, int nodes, const std::string& process = "node-a:100") {
  return info("comm 0x55 rank 0 nRanks " + std::to_string(ranks) + " nNodes " +
                  std::to_string(nodes) + " localRanks 8 localRank 0 MNNVL 0",
              process) +
         info("24 coll channels, 24 collnet channels, 16 nvls channels, 32 p2p channels", process);
}

/// Two lines of headings, as from 2.12 on; three algorithms a block.
const std::string table =
    info(
        "  Algorithm   |                            Tree                  |                  "
        "          Ring                  |") +
    info(
        "  Protocol    |             LL |          LL128 |         Simple |             LL |   "
        "       LL128 |         Simple |") +
    info(
        " Max NThreads |            512 |            640 |            512 |            512 |   "
        "         640 |            512 |") +
    info(
        "    Broadcast |     0.0/   0.0 |     0.0/   0.0 |     0.0/   0.0 |    10.0/   5.0 |   "
        " 20.0/  50.0 |    30.0/ 100.0 |") +
    info(
        "    AllReduce |    12.0/  10.0 |    24.0/  40.0 |    50.0/  80.0 |    15.0/   8.0 |   "
        " 26.0/  90.0 |    40.0/ 200.0 |");

ImportOptions known() {
  ImportOptions options;
  options.device = "H100-SXM5-80GB";
  return options;
}

TEST_CASE("choices of 2.24 and later have their operation; the table says what was expected") {
  const Imported all = imported(
      import_nccl_log,
      "NCCL version 2.28.3+cuda13.0\n" + start(8, 1) +
          info("Pattern 4, crossNic 0, nChannels 12, bw 30.0/30.0, type NVL/PIX, sameChannels 1") +
          table +
          info("AllReduce: 1048576 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..23}") +
          info("AllReduce: 1048576 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..23}") +
          info("AllGather: 1024 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..3} cgaClusterSize "
               "4"),
      known());
  REQUIRE(all.runs.size() == 1);
  CHECK(all.runs[0].run.tool == "nccl-log");
  CHECK(all.runs[0].run.note ==
        "Pattern 4, crossNic 0, nChannels 12, bw 30.0/30.0, type NVL/PIX, sameChannels 1");
  const std::vector<CollectiveRecord>& records = all.runs[0].collectives;
  REQUIRE(records.size() == 2);
  CHECK(records[0].op == Collective::all_reduce);
  CHECK(records[0].library_version == "2.28.3");
  CHECK(records[0].algorithm == "ring");
  CHECK(records[0].protocol == "simple");
  CHECK(records[0].placement == Placement{8, 1, 8});
  CHECK(records[0].bytes.count() == 1048576);
  // 40 us and 1 MiB at 200 GB/s.
  CHECK(records[0].own_estimate.value() == Approx(40e-6 + 1048576 / 200e9));
  CHECK(records[0].times == Times{});
  CHECK_FALSE(store::usable(records[0]));
  CHECK(records[0].line == 10);
  // What one of 8 ranks has; no row of the table.
  CHECK(records[1].op == Collective::all_gather);
  CHECK(records[1].bytes.count() == 8 * 1024);
  CHECK(records[1].count == 1024);
  CHECK_FALSE(records[1].own_estimate);
  CHECK(text_of(all.notes) ==
        "log: note: what NCCL chose for 2 operations and sizes, and for 1 of them what it "
        "expected: nothing here is measured, and no fit rests on it\n"
        "log: note: the type of elements is not in a log: counts are of bytes (--dtype TYPE)\n");
}

TEST_CASE("choices up to 2.23 have numbers and a time, and want to know the operation") {
  ImportOptions options = known();
  const std::string log = "NCCL version 2.19.3+cuda12.2\n" + start(16, 2) +
                          "[0]     64.18    0.00  [0] " +
                          info("8 Bytes -> Algo 0 proto 0 time 25.200924") +
                          info("805306368 Bytes -> Algo 1 proto 2 time 3970.683594");
  CHECK(mistakes(import_nccl_log, log, options) ==
        "log:4:57: error: the line does not say which operation it is (give it: --operation "
        "NAME)\nlog:5:30: error: the line does not say which operation it is (give it: "
        "--operation NAME)\n");
  options.op = Collective::all_reduce;
  const auto records = collectives_of(imported(import_nccl_log, log, options));
  REQUIRE(records.size() == 2);
  CHECK(records[0].algorithm == "tree");
  CHECK(records[0].protocol == "ll");
  CHECK(records[0].own_estimate.value() == Approx(25.200924e-6));
  CHECK(records[0].placement == Placement{16, 2, 8});
  CHECK(records[1].algorithm == "ring");
  CHECK(records[1].protocol == "simple");
  CHECK(records[1].own_estimate.value() == Approx(3970.683594e-6));
}

TEST_CASE("headings in one line, as up to 2.11") {
  const auto records = collectives_of(imported(
      import_nccl_log,
      "NCCL version 2.8.3+cuda11.1\n" + start(16, 2) +
          info("Latency/AlgBw |    Tree/    LL |    Tree/ LL128 |    Ring/Simple | "
               "CollNet/Simple |") +
          info("    AllReduce |    12.0/  10.0 |    24.0/  40.0 |    40.0/ 200.0 |     0.0/   0.0 "
               "|") +
          info("AllReduce: 16777216 Bytes -> Algo RING proto SIMPLE channel{Lo..Hi}={0..23}"),
      known()));
  REQUIRE(records.size() == 1);
  // Across nodes a large ring takes 1.4 times the latency (A4.6): 16 MiB of 24 x 16 is more than 64
  // B.
  CHECK(records[0].own_estimate.value() == Approx(1.4 * 40e-6 + 16777216 / 200e9));
}

TEST_CASE("two communicators of one process leave open which of them chose") {
  const std::string log =
      start(8, 1) + start(4, 1) +
      info("AllReduce: 1024 Bytes -> Algo TREE proto LL channel{Lo..Hi}={0..3}");
  ImportOptions options = known();
  options.library_version = "2.28.3";
  CHECK(mistakes(import_nccl_log, log, options) ==
        "log:5: error: the file does not say how many ranks there are (give it: --ranks N)\n"
        "log:5: error: the file does not say how many nodes there are (give it: --nodes N)\n");
  options.ranks = 4;
  options.nodes = 1;
  CHECK(collectives_of(imported(import_nccl_log, log, options)).size() == 1);
  // Another process has its own.
  const std::string two = start(8, 1) + start(4, 1, "node-b:7") +
                          info("AllReduce: 1024 Bytes -> Algo TREE proto LL", "node-b:7");
  CHECK(collectives_of(imported(import_nccl_log, two, options)).front().placement.ranks == 4);
}

TEST_CASE("what is damaged is told with its line, and nothing of the file is kept") {
  ImportOptions options = known();
  options.library_version = "2.28.3";
  const std::string good = start(8, 1) + table;
  const auto [line, message] = GENERATE(Catch::Generators::table<std::string, std::string>({
      {"AllReduce: 12x Bytes -> Algo RING proto LL", "log:8:41: error: a number of bytes"},
      {"AllReduce: -1 Bytes -> Algo RING proto LL", "log:8:41: error: a number of bytes"},
      {"AllReduce: 12 Bytes -> Algo RUNG proto LL", "log:8:58: error: no algorithm of NCCL"},
      {"AllReduce: 12 Bytes -> Algo RING proto LL9", "log:8:69: error: no protocol of NCCL"},
      {"AllReduce: 12 Bytes -> Algo RING", "'proto' expected here"},
      {"12 Bytes -> Algo 9 proto 0 time 1.0", "no algorithm of NCCL"},
      {"12 Bytes -> Algo 1 proto 0 time nan", "a time in us expected here"},
      {"12 Bytes -> Algo 1 proto 0 time -2", "a time in us expected here"},
      {"AllReduce | 1.0/2.0 |", "1 cells below 6 headings"},
      {"AllReduce | 1.0/2.0 | 1/2 | 1/2 | 1/2 | 1/2 | 1/x |", "no latency and bandwidth: '1/x'"},
      {"Algorithm | Tree | Rung |", "no algorithm of NCCL: 'Rung'"},
      {"Protocol | LL |", "1 protocols below 2 algorithms"},
  }));
  INFO(line);
  const std::string told =
      mistakes(import_nccl_log,
               good + info(line) + info("AllReduce: 8 Bytes -> Algo RING proto LL"), options);
  INFO(told);
  CHECK(told.find(message) != std::string::npos);
}

TEST_CASE("logs without choices are refused, and nccl-tests' own output goes before NCCL's lines") {
  CHECK(mistakes(import_nccl_log, start(8, 1), known())
            .find("it has no line in which NCCL says what it chose") != std::string::npos);
  CHECK(is_nccl_log(info("AllReduce: 8 Bytes -> Algo RING proto LL")));
  CHECK_FALSE(is_nccl_log(start(8, 1)));
}

}  // namespace
}  // namespace calibrate
