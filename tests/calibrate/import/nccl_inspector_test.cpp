#include "calibrate/import/nccl_inspector.hpp"

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

std::string line(const std::string& coll, int number, int rank, int bytes, double time_us) {
  return R"({"header":{"id":"0x7f","rank":)" + std::to_string(rank) +
         R"(,"n_ranks":4,"nnodes":2},"metadata":{"inspector_output_format_version":"v4.0",)"
         R"("hostname":"node-a","pid":1},"coll_perf":{"coll":")" +
         coll + R"(","coll_sn":)" + std::to_string(number) + R"(,"coll_msg_size_bytes":)" +
         std::to_string(bytes) + R"(,"coll_exec_time_us":)" + std::to_string(time_us) +
         R"(,"coll_timing_source":"kernel_gpu","coll_algobw_gbs":1,"coll_busbw_gbs":1}})" + "\n";
}

ImportOptions known() {
  ImportOptions options;
  options.device = "H100-SXM5-80GB";
  options.library_version = "2.28.3";
  return options;
}

TEST_CASE("the inspector's lines are grouped by operation, size and group") {
  const Imported all = imported(
      import_nccl_inspector,
      // Two collectives; of the first, rank 1 came late and waited for nobody.
      line("AllReduce", 1, 0, 1024, 90) + line("AllReduce", 1, 1, 1024, 30) +
          line("AllReduce", 2, 0, 1024, 32) + line("ReduceScatter", 3, 0, 1024, 20) +
          R"({"header":{"id":"0x7f","rank":0,"n_ranks":4,"nnodes":2},"p2p_perf":{"p2p":"Send"}})" +
          "\n",
      known());
  REQUIRE(all.runs.size() == 1);
  CHECK(all.runs[0].run.tool == "nccl-inspector");
  CHECK(all.runs[0].run.version == "v4.0");
  CHECK(all.runs[0].run.machine.host == "node-a");
  const std::vector<CollectiveRecord>& records = all.runs[0].collectives;
  REQUIRE(records.size() == 2);
  CHECK(records[0].op == Collective::all_reduce);
  CHECK(records[0].placement == Placement{4, 2, 2});
  CHECK(records[0].bytes == base::Bytes::from_count(1024));
  CHECK(records[0].count == 1024);
  CHECK(records[0].times.samples == std::vector<double>{us(30), us(32)});
  CHECK(records[0].times.mean == Approx(us(31)));
  CHECK(records[0].line == 1);
  // What each of 4 ranks gets: the buffer has four times as much.
  CHECK(records[1].op == Collective::reduce_scatter);
  CHECK(records[1].bytes == base::Bytes::from_count(4096));
  CHECK(records[1].count == 1024);
  CHECK(text_of(all.notes) ==
        "log: note: 1 objects are of no collective that can be kept and were passed over\n"
        "log: note: the type of elements is not in these files: counts are of bytes (--dtype "
        "TYPE)\n");
  ImportOptions options = known();
  options.dtype = "bfloat16";
  const Imported typed =
      imported(import_nccl_inspector, line("ReduceScatter", 1, 0, 1024, 20), options);
  CHECK(typed.notes.empty());
  CHECK(typed.runs.at(0).collectives.at(0).count == 512);
}

TEST_CASE("damaged lines of the inspector give all mistakes and no record") {
  std::string text = line("AllReduce", 1, 0, 1024, 90);
  text += line("AllReduce", 2, 0, -1, 30);
  text += "{\"header\": 5\n";
  CHECK(mistakes(import_nccl_inspector, text, known()).find("log:2:") == 0);
  CHECK(mistakes(import_nccl_inspector, line("AllReduce", 1, 0, 1024, 0), known())
            .find("\"coll_exec_time_us\" is 0, which is no time") != std::string::npos);
  CHECK(mistakes(import_nccl_inspector, line("AllReduce", 1, 0, 1024, 9)) ==
        "log:1: error: the file does not say what the ranks run on (give it: --device NAME)\n"
        "log:1: error: the file does not say the version of the library (give it: "
        "--library-version VERSION)\n");
}

}  // namespace
}  // namespace calibrate
