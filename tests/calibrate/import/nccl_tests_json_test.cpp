#include "calibrate/import/nccl_tests_json.hpp"

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

using base::Collective;

std::string device(int rank, const std::string& host) {
  return R"({"rank":)" + std::to_string(rank) + R"(,"group":0,"pid":1,"hostname":")" + host +
         R"(","device":0,"device_hex":"0000:1b:00","device_info":"NVIDIA H100 80GB HBM3"})";
}

std::string document(const std::string& results, const std::string& version = "1",
                     const std::string& config = R"("nthreads":1,"ngpus":1)") {
  return R"({"version":)" + version +
         R"(,"start_time":"2025-09-01 10:00:00","args":["/opt/build/alltoall_perf","-b","64"],)"
         R"("env":["SECRET=1"],"nccl_version":22703,"config":{)" +
         config +
         R"(,"warmup_iters":5,"iterations":20,"blocking_collectives":"false","devices":[)" +
         device(0, "a") + "," + device(1, "b") + "]},\n\"results\":[\n" + results +
         "],\"out_of_bounds\":{\"count\":0,\"okay\":\"true\"},\"average_bus_bandwidth\":{"
         "\"bandwidth\":\"nan\",\"okay\":\"unchecked\"},\"errors\":[\"\"],\"end_time\":\"x\"}\n";
}

TEST_CASE("JSON of nccl-tests, version 1") {
  // Two ranks give 8 floats to each other: 64 bytes.
  const Imported all = imported(
      import_nccl_tests_json,
      document(R"({"size":64,"count":8,"type":"float","redop":"none","root":"    -1",)"
               R"("out_of_place":{"time":12.5,"alg_bw":0.005,"bus_bw":"nan","nwrong":0.0},)"
               R"("in_place":{"time":13.0,"alg_bw":0.005,"bus_bw":0.002,"nwrong":null}},)"
               "\n"
               R"({"size":64,"count":8,"type":"float","redop":"none","root":"-1",)"
               R"("out_of_place":null,"in_place":{"cpu_time":"4.5","alg_bw":0,"bus_bw":0},)"
               R"("actual_iterations":7,"experiment_name":""})"));
  REQUIRE(all.runs.size() == 1);
  const Run& run = all.runs[0].run;
  CHECK(run.tool == "nccl-tests");
  CHECK(run.command == "/opt/build/alltoall_perf -b 64");
  CHECK(run.note == "started 2025-09-01 10:00:00, local time");
  CHECK(run.state == RunState::complete);
  CHECK(run.machine.host == "a");
  const std::vector<CollectiveRecord>& records = all.runs[0].collectives;
  REQUIRE(records.size() == 3);
  CHECK(records[0].op == Collective::all_to_all);
  CHECK(records[0].library_version == "2.27.3");
  CHECK(records[0].placement == Placement{2, 2, 1});
  CHECK(records[0].times.mean == us(12.5));
  CHECK(records[0].times.iterations == 20);
  CHECK(records[0].wrong == 0);
  CHECK(records[0].line == 3);
  CHECK(records[1].in_place);
  CHECK_FALSE(records[1].wrong.has_value());
  CHECK(records[2].in_place);
  CHECK(records[2].times.mean == us(4.5));
  CHECK(records[2].times.iterations == 7);
  CHECK(records[2].line == 4);
}

TEST_CASE("later versions have the iterations; misspelt keys; several GPUs a process") {
  const std::string statistics =
      R"({"skipped_iterations":1,"min_us":10,"max_us":15,"avg_us":12.5,"p50_us":12,"p95_us":14,)"
      R"("p99_us":15,"stdev_us":1.5,"cv_pct":12,"times_us":[10,12.5,15]})";
  const std::string row = R"({"szie":128,"count":8,"type":"float","redop":"none","root":"    -1",)"
                          R"("out_of_place":{"time":12.5,"alg_bw":1,"bus_bw":1,"nwrong":0},)"
                          R"("out_of_place_per_iter":)" +
                          statistics + R"(,"in_place":null})";
  // Two processes of two GPUs list one device each: 4 ranks, 4 x 8 floats.
  const Imported all = imported(import_nccl_tests_json,
                                document(row, "3", R"("nthreads":1,"ngpus":2,"per_iter_skip":1)") +
                                    document(row, "2", R"("nthreads":2,"ngpus":1)"));
  REQUIRE(all.runs.size() == 2);
  CHECK(all.runs[0].run.id != all.runs[1].run.id);
  const CollectiveRecord& record = all.runs[1].collectives.at(0);
  CHECK(record.placement == Placement{4, 2, 2});
  CHECK(record.line == 6);
  CHECK(record.times.min == us(10));
  CHECK(record.times.p50 == us(12));
  CHECK(record.times.deviation == us(1.5));
  CHECK(record.times.samples == std::vector<double>{us(10), us(12.5), us(15)});
}

TEST_CASE("damaged JSON gives all mistakes and no record") {
  const std::string good = R"({"size":64,"count":8,"type":"float","redop":"none","root":"-1",)"
                           R"("out_of_place":{"time":12.5,"alg_bw":1,"bus_bw":1,"nwrong":0}})";
  CHECK(mistakes(import_nccl_tests_json,
                 document(good + ",\n" +
                          R"({"size":72,"count":8,"type":"float","redop":"none","root":"-1"},)" +
                          "\n" + R"({"size":64,"count":8,"type":"flaot","redop":"none"},)" + "\n" +
                          R"({"size":64,"count":8,"type":"float","in_place":{"time":"nan"}},)" +
                          "\n" + R"({"size":64,"count":"x","type":"float","in_place":{}})")) ==
        "log:4:1: error: 72 bytes are not 8 of float for all_to_all of 2 ranks (--ranks and "
        "--operation go before what the file says)\n"
        "log:5:1: error: no type 'flaot'\n"
        "log:6:56: error: \"time\" is no number from 0\n"
        "log:7:20: error: \"count\" is no whole number from 0\n");
  CHECK(mistakes(import_nccl_tests_json, document(good, "4")) ==
        "log:1:12: error: version 4 is newer than 3\n");
  const std::string cut = document(good).substr(0, 300);
  CHECK(mistakes(import_nccl_tests_json, cut).find("log:1:") == 0);
  CHECK(mistakes(import_nccl_tests_json, "\n{}\n") ==
        "log:2:1: error: no \"version\" here\n"
        "log:2:1: error: no \"config\" here\n"
        "log:2:1: error: the file does not say which operation it measures (give it: --operation "
        "NAME)\n"
        "log:2:1: error: the file does not say what the ranks run on (give it: --device NAME)\n"
        "log:2:1: error: the file does not say the version of the library (give it: "
        "--library-version VERSION)\n"
        "log:2:1: error: the file does not say how many ranks there are (give it: --ranks N)\n"
        "log:2:1: error: the file does not say how many nodes there are (give it: --nodes N)\n"
        "log:2:1: error: no \"results\" here\n");
}

}  // namespace
}  // namespace calibrate
