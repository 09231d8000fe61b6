#include "calibrate/import/formats.hpp"

#include <set>

#include "tests/calibrate/import/support.hpp"

namespace calibrate {
namespace {

TEST_CASE("formats are known by their first words, devices by their names in the registry") {
  const std::string csv =
      "collective,id,gpu,n_gpus,n_nodes,size_bytes,time_us\n"
      "all_reduce,a,NVIDIA H100 80GB HBM3,8,1,1024,20\n";
  const auto read = [](const std::string& text, std::string_view format) {
    return import_records(text, "f", format, {}, shipped_registry());
  };
  const ImportResult all = read(csv, "auto");
  REQUIRE(all);
  CHECK(all->runs.at(0).collectives.at(0).device == "H100-SXM5-80GB");
  CHECK(read(csv, "validation-csv"));
  for (const auto& [text, format, message] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"hello", "auto",
            "f: error: it is in no format that is known (--format is one of: kineto nccl-inspector "
            "nccl-tests-json nccl-xml validation-csv torchcomms nccl-tests nccl-log)\n"},
           {csv, "csv",
            "f: error: no format 'csv' (--format is one of: kineto nccl-inspector nccl-tests-json "
            "nccl-xml validation-csv torchcomms nccl-tests nccl-log)\n"},
           {"<graphs version=\"1\"/>", "auto",
            "f: error: a graph or topology of NCCL has no times in it (a scenario takes graphs: "
            "communication: {backend: nccl, graph: FILE})\n"}}) {
    const ImportResult result = read(text, format);
    REQUIRE_FALSE(result);
    CHECK(text_of(result.error()) == message);
  }
}

TEST_CASE("wrong data is told") {
  const std::string log =
      "# nccl-tests version 2.17.6 nccl-headers=22809 nccl-library=22809\n"
      "# Collective test starting: all_reduce_perf\n"
      "#  Rank  0 Group  0 Pid 1 on a device  0 [0000:1b:00] NVIDIA H200\n"
      "8 2 float sum -1 20.15 0.00 0.00 3 19.87 0.00 0.00 0\n";
  const ImportResult all = import_records(log, "f", "auto", {}, shipped_registry());
  REQUIRE(all);
  CHECK(all->runs.at(0).collectives.at(0).wrong == 3);
  CHECK(text_of(all->notes) ==
        "f:4: warning: 3 elements are wrong (its time is no measurement of a working "
        "collective)\n");
}

TEST_CASE("every format has a name of its own and reads nothing from nothing") {
  std::set<std::string_view> names;
  for (const ImportFormat& format : import_formats()) {
    INFO(format.name);
    CHECK(names.insert(format.name).second);
    CHECK_FALSE(format.recognises(""));
    CHECK_FALSE(format.read("", "f", {}).has_value());
  }
}

}  // namespace
}  // namespace calibrate
