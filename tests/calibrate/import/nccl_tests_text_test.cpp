#include "calibrate/import/nccl_tests_text.hpp"

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

// Two nodes with two devices each; 2(n-1)/n = 1.5.
const std::string header =
    "# nccl-tests version 2.17.6 nccl-headers=22809 nccl-library=22809\n"
    "# Collective test starting: all_reduce_perf\n"
    "# nThread 1 nGpus 1 minBytes 8 maxBytes 4194304 step: 2(factor) warmup iters: 5 iters: 20 agg "
    "iters: 1 validation: 1 graph: 0\n"
    "#\n"
    "# Using devices\n"
    "#  Rank  0 Group  0 Pid   4711 on     node-a device  0 [0000:1b:00] NVIDIA H100 80GB HBM3\n"
    "#  Rank  1 Group  0 Pid   4712 on     node-a device  1 [0000:2c:00] NVIDIA H100 80GB HBM3\n"
    "#  Rank  2 Group  0 Pid    815 on     node-b device  0 [0000:1b:00] NVIDIA H100 80GB HBM3\n"
    "#  Rank  3 Group  0 Pid    816 on     node-b device  1 [0000:2c:00] NVIDIA H100 80GB HBM3\n"
    "#\n";
const std::string columns =
    "#                                                              out-of-place                   "
    "   "
    " in-place          \n"
    "#       size         count      type   redop    root     time   algbw   busbw  #wrong     "
    "time "
    "  algbw   busbw  #wrong \n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             "
    "(us) "
    " (GB/s)  (GB/s)         \n";
const std::string rows =
    "           8             2     float     sum      -1    20.15    0.00    0.00       0    "
    "19.87 "
    "   0.00    0.00       0\n"
    "     4194304       1048576     float     sum      -1    100.0   41.94   62.91       0   1e+05 "
    " "
    "  0.04    0.06     N/A\n";
const std::string footer =
    "# Out of bounds values : 0 OK\n"
    "# Avg bus bandwidth    : 15.7 \n"
    "#\n"
    "# Collective test concluded: all_reduce_perf\n";

TEST_CASE("a sweep of nccl-tests becomes a run with two records a row") {
  const Imported all = imported(import_nccl_tests_text, header + columns + rows + footer);
  CHECK(all.notes.empty());
  REQUIRE(all.runs.size() == 1);
  const Run& run = all.runs[0].run;
  CHECK(run.id.size() == 32);
  CHECK(run.tool == "nccl-tests");
  CHECK(run.version == "2.17.6");
  CHECK(run.command == "all_reduce_perf");
  CHECK(run.source == "log");
  CHECK(run.state == RunState::complete);
  CHECK(run.machine.host == "node-a");
  REQUIRE(run.devices.size() == 4);
  CHECK(run.devices[1] == Device{"NVIDIA H100 80GB HBM3", "0000:2c:00", {}});
  CHECK(run.software == std::vector<Software>{{"NCCL", "2.28.9"}});

  CollectiveRecord first;
  first.op = Collective::all_reduce;
  first.library = "NCCL";
  first.library_version = "2.28.9";
  first.device = "NVIDIA H100 80GB HBM3";
  first.dtype = "float";
  first.reduction = "sum";
  first.placement = {4, 2, 2};
  first.bytes = base::Bytes::from_count(8);
  first.count = 2;
  first.times.mean = us(20.15);
  first.times.iterations = 20;
  first.times.warm_up = 5;
  first.wrong = 0;
  first.line = 14;
  REQUIRE(all.runs[0].collectives.size() == 4);
  CHECK(all.runs[0].collectives[0] == first);
  first.in_place = true;
  first.times.mean = us(19.87);
  CHECK(all.runs[0].collectives[1] == first);
  const CollectiveRecord& last = all.runs[0].collectives[3];
  CHECK(last.times.mean == us(1e5));
  CHECK_FALSE(last.wrong.has_value());
  CHECK(last.line == 15);
}

TEST_CASE("the same import has the same identity, another has another") {
  const std::string text = header + columns + rows + footer;
  const std::string id = imported(import_nccl_tests_text, text).runs[0].run.id;
  CHECK(imported(import_nccl_tests_text, text).runs[0].run.id == id);
  CHECK(imported(import_nccl_tests_text, text + "\n").runs[0].run.id != id);
  ImportOptions options;
  options.device = "H200-SXM-141GB";
  CHECK(imported(import_nccl_tests_text, text, options).runs[0].run.id != id);
}

TEST_CASE("sweeps of one log are told apart, whatever stands between their lines") {
  std::string gather = header + columns;
  gather.replace(gather.find("all_reduce_perf"), 15, "all_gather_perf");
  // 4 ranks gather 16 bytes each; (n-1)/n = 0.75.
  gather +=
      "node-a:4711:4750 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM\n"
      "          64             4     float    none      -1    21.00    0.00    0.00       0    "
      "21.50    0.00    0.00       0\n"
      "slurmstepd: something else\n";
  const Imported all =
      imported(import_nccl_tests_text,
               "+ mpirun -n 4 all_reduce_perf -b 8 -f 2\nnode-a:1:1 [0] NCCL INFO Bootstrap\n" +
                   header + columns + rows + footer + "\n" + gather);
  REQUIRE(all.runs.size() == 2);
  CHECK(all.runs[0].collectives.size() == 4);
  CHECK(all.runs[0].run.state == RunState::complete);
  CHECK(all.runs[1].run.state == RunState::interrupted);  // no footer
  REQUIRE(all.runs[1].collectives.size() == 2);
  CHECK(all.runs[1].collectives[0].op == Collective::all_gather);
  CHECK(all.runs[1].collectives[0].reduction == "none");
  CHECK(text_of(all.notes) ==
        "log: note: 1 lines among the rows are not of nccl-tests and were passed over\n");
}

TEST_CASE("older headers, a log of AMD, tags of mpirun") {
  // 2.13: no program line, no version, buses only; the command is in the log.
  const std::string old =
      "$ mpirun -np 2 ./build/broadcast_perf -b 1K\n"
      "NCCL version 2.14.3+cuda11.7\n"
      "# nThread 1 nGpus 1 minBytes 1024 maxBytes 1024 step: 1048576(bytes) warmup iters: 5 iters: "
      "20 agg iters: 1 validation: 1 graph: 0\n"
      "# Using devices\n"
      "#   Rank  0 Pid   1234 on       v100 device  0 [0x1a] Tesla V100-SXM2-32GB\n"
      "#   Rank  1 Pid   1235 on       v100 device  1 [0x1c] Tesla V100-SXM2-32GB\n" +
      columns +
      "        1024           256     float    none       0    12.50    0.08    0.08       0    "
      "12.25    0.08    0.08       0\n";
  const Imported v100 = imported(import_nccl_tests_text, old);
  const CollectiveRecord& record = v100.runs.at(0).collectives.at(0);
  CHECK(record.op == Collective::broadcast);
  CHECK(record.root == 0);
  CHECK(record.library_version == "2.14.3");
  CHECK(record.device == "Tesla V100-SXM2-32GB");
  CHECK(record.placement == Placement{2, 1, 2});

  std::string amd =
      "# nThread 1 nGpus 1 minBytes 1024 maxBytes 1024 step: 2(factor) warmup iters: 5 iters: 20 "
      "agg iters: 1 validation: 1 graph: 0\n"
      "rccl-tests: Version develop:448c4c7\n"
      "# Using devices\n"
      "#   Rank  0 Pid     77 on      smc300 device  0 [0000:0c:00.0] AMD Instinct MI300X\n"
      "RCCL version 2.20.5-HEAD:6fc5b1c+\n" +
      columns + rows.substr(0, rows.find('\n') + 1);
  std::string tagged;
  for (const char c : "\n" + amd)
    tagged += c == '\n' ? std::string("\n[1,0]<stdout>:") : std::string(1, c);
  std::string labelled;
  for (const char c : "\n" + amd) labelled += c == '\n' ? std::string("\n 0: ") : std::string(1, c);
  ImportOptions options;
  options.op = Collective::all_reduce;
  for (const std::string& text : {amd, tagged, labelled}) {
    const Imported mi300 = imported(import_nccl_tests_text, text, options);
    REQUIRE(mi300.runs.size() == 1);
    CHECK(mi300.runs[0].run.tool == "rccl-tests");
    CHECK(mi300.runs[0].collectives[0].library == "RCCL");
    CHECK(mi300.runs[0].collectives[0].library_version == "2.20.5-HEAD");
    CHECK(mi300.runs[0].collectives[0].device == "AMD Instinct MI300X");
  }
}

TEST_CASE("columns of iterations and time stamps; a side that is missing") {
  const std::string wide =
      "#       size         count      type   redop    root     time   algbw   busbw  #wrong    "
      "i_min "
      "  i_max   i_p99   i_cv%     time   algbw   busbw  #wrong    i_min   i_max   i_p99   i_cv%   "
      "  "
      "      timestamp\n";
  const Imported all = imported(
      import_nccl_tests_text,
      header + wide +
          "           8             2     float     sum      -1    20.00    0.00    0.00       0   "
          " "
          "18.00   25.00   24.50   10.00    21.00    0.00    0.00       0    19.00   26.00   25.50 "
          "  "
          " 5.00  2025-03-01 12:00:00\n"
          "           8             2     float     sum      -1                                    "
          "21.00    0.00    0.00       0    19.00   26.00   25.50    5.00  2025-03-01 12:00:00\n"
          "           8             2     float     sum      -1    20.00    0.00    0.00       0   "
          " "
          "18.00   25.00   24.50   10.00\n");
  const std::vector<CollectiveRecord>& records = all.runs.at(0).collectives;
  REQUIRE(records.size() == 4);
  CHECK(records[0].times.min == us(18));
  CHECK(records[0].times.max == us(25));
  CHECK(records[0].times.p99 == us(24.5));
  CHECK(records[0].times.deviation == Approx(us(2)));  // 10 % of 20 us
  CHECK(records[1].in_place);
  CHECK(records[2].in_place);
  CHECK(records[2].times.mean == us(21));
  CHECK_FALSE(records[3].in_place);
}

TEST_CASE("what a log does not say is asked for, and options go first") {
  CHECK(mistakes(import_nccl_tests_text, columns + rows) ==
        "log:4: error: the file does not say which operation it measures (give it: --operation "
        "NAME)\n"
        "log:4: error: the file does not say what the ranks run on (give it: --device NAME)\n"
        "log:4: error: the file does not say the version of the library (give it: "
        "--library-version VERSION)\n"
        "log:4: error: the file does not say how many ranks there are (give it: --ranks N)\n"
        "log:4: error: the file does not say how many nodes there are (give it: --nodes N)\n");
  ImportOptions options;
  options.op = Collective::all_reduce;
  options.device = "H100-SXM5-80GB";
  options.library_version = "2.21.5";
  options.ranks = 4;
  options.nodes = 2;
  const Imported all = imported(import_nccl_tests_text, columns + rows, options);
  CHECK(all.runs.at(0).collectives.at(0).placement == Placement{4, 2, 2});
  CHECK(all.runs[0].collectives[0].library_version == "2.21.5");
  // 8 ranks would have 1.75 times the algorithm bandwidth: the log is of 4.
  options.ranks = 8;
  CHECK(mistakes(import_nccl_tests_text, columns + rows, options) ==
        "log:5:57: error: bus bandwidth over algorithm bandwidth is 1.5, all_reduce of 8 ranks has "
        "1.75 (--ranks and --operation go before what the file says)\n");
}

TEST_CASE("every mistake of a damaged log is told, and nothing of it is kept") {
  const std::string start = header + columns;  // 13 lines
  const std::string text =
      start + rows +
      "     8388608       2097152     float     sum      -1    150.0   55.92   83.8\n"
      "    16777216       4194304     flaot     sum      -1    250.0   67.11  100.66       0    "
      "250.0   67.11  100.66       0\n"
      "    3355x432       8388608     float     sum      -1    450.0   74.57  111.85       0    "
      "450.0   74.57  111.85       0\n"
      "    67108864      16777216     float     sum      -1     -1.0   74.57  111.85       0      "
      "nan   74.57  111.85       0\n"
      "   134217728      16777216     float     sum      -1    450.0   74.57  111.85       0    "
      "450.0   74.57  111.85       0\n"
      "   268435456\n" +
      footer;
  CHECK(mistakes(import_nccl_tests_text, text) ==
        "log:16:77: error: a row of 8 words, 13 are expected (it was cut off or mixed with another "
        "line)\n"
        "log:17:32: error: no type 'flaot'\n"
        "log:18:5: error: '3355x432' is no whole number from 0\n"
        "log:19:58: error: '-1.0' is no time (microseconds above 0)\n"
        "log:19:92: error: 'nan' is no time (microseconds above 0)\n"
        "log:20:4: error: 134217728 bytes are not 16777216 of float for all_reduce of 4 ranks "
        "(--ranks and --operation go before what the file says)\n"
        "log:21:13: error: a row of 1 words, 13 are expected (it was cut off or mixed with another "
        "line)\n");
  CHECK(mistakes(import_nccl_tests_text, "hello\n") ==
        "log: error: it has no row of nccl-tests (rows begin with size, count, type, redop and "
        "root)\n");
  std::string unknown = start + rows;
  unknown.replace(unknown.find("all_reduce_perf"), 15, "hypercube_perf");
  CHECK(mistakes(import_nccl_tests_text, unknown) ==
        "log:14: error: 'hypercube_perf' measures no operation that can be kept\n");
}

}  // namespace
}  // namespace calibrate
