#include "calibrate/import/formats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "calibrate/store/calibration_json.hpp"
#include "calibrate/store/store.hpp"
#include "tests/calibrate/import/support.hpp"
#include "tests/support/folder.hpp"
#include "viz/calibration_json.hpp"

namespace calibrate {
namespace {

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

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

TEST_CASE(
    "every format has a fuzzer, and what its seeds hold is stored, exported and read as it is") {
  const std::string fuzzers = std::string(FORESHARD_SOURCE_DIR) + "/tests/fuzz/";
  const std::string targets = contents_of(fuzzers + "CMakeLists.txt");
  const ImportOptions options{.device = "H100-SXM5-80GB",
                              .library = "NCCL",
                              .library_version = "2.28.3",
                              .dtype = "float",
                              .op = base::Collective::all_reduce,
                              .ranks = 8,
                              .nodes = 1};
  for (const ImportFormat& format : import_formats()) {
    if (format.name == "nccl-xml") continue;  // is refused
    std::string target = fmt::format("import_{}", format.name);
    std::replace(target.begin(), target.end(), '-', '_');
    if (format.name == "nccl-tests") target += "_text";
    INFO(target);
    CHECK(targets.find(fmt::format("foreshard_fuzz({}.cpp ", target)) != std::string::npos);
    std::vector<RunRecords> runs;
    for (const auto& seed : std::filesystem::directory_iterator(fuzzers + "corpus/" + target)) {
      const std::string text = contents_of(seed.path());
      const std::string file = seed.path().filename();
      ImportResult imported = import_records(text, file, format.name, {}, shipped_registry());
      if (!imported)
        imported = import_records(text, file, format.name, options, shipped_registry());
      if (!imported) continue;  // seeds that are damaged
      runs.insert(runs.end(), imported->runs.begin(), imported->runs.end());
    }
    REQUIRE_FALSE(runs.empty());
    const Folder folder;
    auto store = store::Store::open(folder / "a.db", store::Access::write);
    REQUIRE(store);
    store->add_all(runs);
    CHECK(store->all() == runs);
    const auto again =
        store::read_calibration_json(viz::calibration_json(store->all(), {}), "f.json");
    REQUIRE(again);
    CHECK(*again == runs);
  }
}

}  // namespace
}  // namespace calibrate
