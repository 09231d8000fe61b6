#include "calibrate/import/torchcomms.hpp"

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

const std::string cpp =
    "\n=== Synchronous AllGather Performance ===\n"
    "Size(B)        Ranks     Iters     Avg(us)        Min(us)        Max(us)        BusBw(GB/s)   "
    " \n"
    "----------------------------------------------------------------------------------------------"
    "-\n"
    "1024           4         1000      20.50          20.50          20.50          0.04          "
    " \n";
const std::string python =
    "\n=== Asynchronous AllReduce Performance ===\n"
    "SendMsgSize(B) Ranks     Iters     Avg(us)        Min(us)        Max(us)        BusBw(GB/s)   "
    " \n"
    "----------------------------------------------------------------------------------------------"
    "-\n"
    "1024           4         500       10.00          9.00           12.00          0.15          "
    " \n";

ImportOptions known() {
  ImportOptions options;
  options.device = "H100-SXM5-80GB";
  options.library = "NCCL";
  options.library_version = "2.27.3";
  options.nodes = 2;
  return options;
}

TEST_CASE("tables of torchcomms come to nccl-tests' sizes") {
  const Imported all = imported(import_torchcomms, cpp + python, known());
  REQUIRE(all.runs.size() == 1);
  const std::vector<CollectiveRecord>& records = all.runs[0].collectives;
  REQUIRE(records.size() == 2);
  // 1 KiB of each of 4 ranks: the whole buffer has 4 KiB, 256 floats a rank.
  CHECK(records[0].op == Collective::all_gather);
  CHECK(records[0].convention == SizeConvention::torchcomms);
  CHECK(records[0].bytes == base::Bytes::from_count(4096));
  CHECK(records[0].count == 256);
  CHECK(records[0].placement == Placement{4, 2, 2});
  CHECK(records[0].times.mean == us(20.5));
  CHECK(records[0].times.min == 0);  // the mean again, so nothing was measured
  CHECK(records[0].times.iterations == 1000);
  CHECK(records[0].line == 5);
  CHECK(records[1].op == Collective::all_reduce);
  CHECK(records[1].bytes == base::Bytes::from_count(1024));
  CHECK(records[1].times.min == us(9));
  CHECK(records[1].times.max == us(12));
  CHECK(text_of(all.notes) ==
        "log: note: the type of elements is not in these tables: taken as float (--dtype TYPE)\n");
}

TEST_CASE("damaged tables of torchcomms give all mistakes and no record") {
  CHECK(mistakes(import_torchcomms,
                 cpp + "2048  4  1000  20.50  20.50\n"
                       "2o48  4  1000  20.50  20.50  20.50  0.1\n"
                       "4096  0  1000  nan    20.50  20.50  0.1\n",
                 known()) ==
        "log:6:28: error: a row of 5 words, 7 are expected (it was cut off or mixed with another "
        "line)\n"
        "log:7:1: error: '2o48' is no size\n"
        "log:8:7: error: '0' is no whole number from 1 to 1000000000\n"
        "log:8:16: error: 'nan' is no time (microseconds above 0)\n");
  CHECK(mistakes(import_torchcomms, python) ==
        "log:5: error: the file does not say what the ranks run on (give it: --device NAME)\n"
        "log:5: error: the file does not say which library it measures (give it: --library NAME)\n"
        "log:5: error: the file does not say the version of the library (give it: "
        "--library-version VERSION)\n"
        "log:5: error: the file does not say how many nodes there are (give it: --nodes N)\n");
  CHECK(mistakes(import_torchcomms, python.substr(python.find("Send")), known()) ==
        "log:1: error: the file does not say which operation it measures (give it: --operation "
        "NAME)\n");
}

}  // namespace
}  // namespace calibrate
