#include "calibrate/import/nccl_tests_output.hpp"

#include "calibrate/import/nccl_tests_json.hpp"
#include "calibrate/import/nccl_tests_text.hpp"
#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

CollectiveRecord record_of(std::int64_t bytes, double time_us, bool in_place) {
  CollectiveRecord record;
  record.library = "NCCL";
  record.library_version = "2.28.9";
  record.device = "NVIDIA H200";
  record.dtype = "float";
  record.reduction = "sum";
  record.placement = {4, 2, 2};
  record.bytes = base::Bytes::from_count(bytes);
  record.count = bytes / 4;
  record.in_place = in_place;
  record.times.mean = us(time_us);
  record.times.iterations = 20;
  record.times.warm_up = 1;
  record.wrong = 0;
  return record;
}

RunRecords run_of(std::vector<CollectiveRecord> records) {
  RunRecords run;
  run.run.tool = "nccl-tests";
  run.run.version = "2.19.6";
  run.run.machine.host = "node-a";
  run.collectives = std::move(records);
  return run;
}

TEST_CASE("text has the layout of nccl-tests") {
  // 4 MiB in 100 us: 41.94 GB/s, times 2(4-1)/4 is 62.91. Mean of 4 sides: (2 x 62.91456 + 0.0012)
  // / 4.
  const RunRecords run = run_of({record_of(8, 20.15, false), record_of(8, 19.87, true),
                                 record_of(4194304, 100, false), record_of(4194304, 100, true)});
  CHECK(
      nccl_tests_text(run) ==
      "# nccl-tests version 2.19.6 nccl-headers=22809 nccl-library=22809\n"
      "# Collective test starting: all_reduce_perf\n"
      "# nThread 1 nGpus 1 minBytes 8 maxBytes 4194304 step: 1048576(bytes) warmup iters: 1 iters: "
      "20 agg iters: 1 validation: 1 graph: 0 unalign: 0\n"
      "#\n"
      "# Using devices\n"
      "#  Rank  0 Group  0 Pid      0 on     node-a device  0 [0000:00:00] NVIDIA H200\n"
      "#  Rank  1 Group  0 Pid      0 on     node-a device  1 [0000:01:00] NVIDIA H200\n"
      "#  Rank  2 Group  0 Pid      0 on      node1 device  0 [0000:00:00] NVIDIA H200\n"
      "#  Rank  3 Group  0 Pid      0 on      node1 device  1 [0000:01:00] NVIDIA H200\n"
      "#\n"
      "#                                                              out-of-place                 "
      " "
      "     in-place          \n"
      "#       size         count      type   redop    root     time   algbw   busbw  #wrong     "
      "time   algbw   busbw  #wrong \n"
      "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             "
      "(us)  (GB/s)  (GB/s)         \n"
      "           8             2     float     sum      -1    20.15    0.00    0.00       0    "
      "19.87    0.00    0.00       0\n"
      "     4194304       1048576     float     sum      -1   100.00   41.94   62.91       0   "
      "100.00   41.94   62.91       0\n"
      "# Out of bounds values : 0 OK\n"
      "# Avg bus bandwidth    : 31.4576 \n"
      "#\n"
      "# Collective test concluded: all_reduce_perf\n");
}

TEST_CASE("numbers that are too wide lose decimals, then get an exponent") {
  SweepHeader header;
  CollectiveRecord record = record_of(8, 1, false);
  for (const auto& [time, text] : std::vector<std::pair<double, std::string>>{
           {9999.99, "9999.99"},     // seven characters
           {12345.67, "12345.7"},    // one decimal
           {1234567.8, "1234568"},   // none
           {12345678.0, "1.2e+07"},  // exponent
       }) {
    record.times.mean = us(time);
    CHECK(nccl_tests_row(header, {record, std::nullopt, ""}) ==
          "           8             2     float     sum      -1  " + text +
              "    0.00    0.00       0\n");
  }
  record.wrong.reset();
  record.times.mean = us(5);
  CHECK(nccl_tests_row(header, {std::nullopt, record, ""}) ==
        "           8             2     float     sum      -1" + std::string(32, ' ') +
            "     5.00    0.00    0.00    N/A\n");
  header.options.time_stamps = true;
  CHECK(nccl_tests_row(header, {record, std::nullopt, "2026-11-28 11:30:00"}) ==
        "           8             2     float     sum      -1     5.00    0.00    0.00    N/A  "
        "2026-11-28 11:30:00\n");
}

TEST_CASE("wrong elements are counted in the footer") {
  CollectiveRecord record = record_of(8, 20, false);
  record.wrong = 3;
  CHECK(nccl_tests_footer({}, {{record, record_of(8, 20, true), ""}}) ==
        "# Out of bounds values : 1 FAILED\n"
        "# Avg bus bandwidth    : 0.0006 \n"  // 8 bytes in 20 us: 0.0004 GB/s, times 1.5
        "#\n"
        "# Collective test concluded: all_reduce_perf\n");
}

/// Operations, sides, libraries and groups as they occur.
std::vector<CollectiveRecord> many_records() {
  std::vector<CollectiveRecord> records{record_of(8, 20.15, false), record_of(8, 19.87, true),
                                        record_of(4194304, 100, true),
                                        record_of(8388608, 12345.7, false)};
  CollectiveRecord mpi = record_of(64, 3.5, false);
  mpi.op = base::Collective::all_gather;
  mpi.library = "Open MPI";
  mpi.library_version = "4.1.4";
  mpi.device = "Intel(R) Xeon(R) Platinum 8480C";
  mpi.reduction = "none";
  mpi.count = 4;  // of 4 bytes, for each of 4 ranks
  mpi.wrong.reset();
  mpi.placement = {4, 2, 2, 1, 2, 2};  // two groups of every second rank
  records.push_back(mpi);
  mpi.placement = {4, 2, 2, 1, 1, 3};  // three groups one after the other
  records.push_back(mpi);
  mpi.placement = {4, 1, 4, 2, 1, 1};  // ranks share devices
  records.push_back(mpi);
  mpi.algorithm = "ring (NVLS off)";
  records.push_back(mpi);
  CollectiveRecord root = mpi;
  root.algorithm = "ring";
  root.protocol = "ll128";
  root.op = base::Collective::broadcast;
  root.placement = {1, 1, 1};
  root.count = 16;
  root.root = 0;
  root.times.min = us(3);
  root.times.max = us(4);
  root.times.p99 = us(3.75);
  root.times.deviation = us(0.35);  // 10 % of the mean
  records.push_back(root);
  return records;
}

TEST_CASE("what is written as text or JSON is read again") {
  RunRecords run = run_of(many_records());
  run.run.tool = "foreshard";
  run.run.version = "0.5.0";
  std::vector<CollectiveRecord> wanted = run.collectives;
  const Imported from_json = imported(import_nccl_tests_json, nccl_tests_json(run));
  CHECK(collectives_of(from_json) == wanted);
  const Imported from_text = imported(import_nccl_tests_text, nccl_tests_text(run));
  std::vector<CollectiveRecord> read = collectives_of(from_text);
  REQUIRE(read.size() == wanted.size());
  CHECK(read.back().times.deviation ==
        Approx(wanted.back().times.deviation));  // printed as a share
  read.back().times.deviation = wanted.back().times.deviation;
  CHECK(read == wanted);
  for (const Imported* all : {&from_json, &from_text}) {
    CHECK(all->runs.size() == 6);
    CHECK(all->runs[0].run.tool == "foreshard");
    CHECK(all->runs[0].run.version == "0.5.0");
    CHECK(all->runs[0].run.machine.host == "node-a");
    CHECK(all->runs[0].run.state == RunState::complete);
  }
}

}  // namespace
}  // namespace calibrate
