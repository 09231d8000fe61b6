// Measurements on the command line: fitted, replayed and forecast from.

#include <cmath>
#include <nlohmann/json.hpp>

#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"

namespace {

using calibrate::CollectiveRecord;
using calibrate::KernelRecord;
using Json = nlohmann::json;

calibrate::RunRecords run_on(const std::string& device) {
  calibrate::RunRecords run;
  run.run.id = std::string(32, '1');
  run.run.tool = "foreshard";
  run.run.started = "2026-11-28T11:30:00Z";
  run.run.ended = "2026-11-28T11:31:00Z";
  for (const base::Collective op : {base::Collective::all_reduce, base::Collective::all_gather,
                                    base::Collective::reduce_scatter})
    for (double bytes = 1024; bytes <= 4294967296.0; bytes *= 2) {
      CollectiveRecord record;
      record.op = op;
      record.library = "NCCL";
      record.library_version = "2.28.9";
      record.device = device;
      record.placement = {.ranks = 2, .ranks_per_node = 2};
      record.bytes = base::Bytes::from_double(bytes);
      record.times.mean = 20e-6 + bytes * base::bus_factor(op, 2) / 360e9;
      record.times.deviation = record.times.mean * 0.02;
      record.times.iterations = 20;
      run.collectives.push_back(record);
    }
  for (std::int64_t m = 1024; m <= 65536; m *= 2)
    for (std::int64_t n = 1024; n <= 65536; n *= 2)
      for (const std::int64_t k : {1024, 4096, 16384}) {
        KernelRecord record;
        record.kind = "gemm";
        const base::Gemm gemm{m, n, k};
        record.kernel = gemm;
        record.device = device;
        record.library = "cuBLASLt";
        record.times.mean = 4e-6 + base::flop_of(gemm).count() / 650e12;
        run.kernels.push_back(record);
      }
  return run;
}

void store(const std::string& path, const calibrate::RunRecords& run) {
  auto store = calibrate::store::Store::open(path, calibrate::store::Access::write);
  REQUIRE(store);
  CHECK(store->add(run));
}

/// Share of the step whose source's name has these words.
double share_of(const Json& report, const std::string& words) {
  double share = 0;
  for (const Json& source : report.at("sources"))
    if (source.at("name").get<std::string>().find(words) != std::string::npos)
      share += source.at("share").get<double>();
  return share;
}

TEST_CASE("a forecast rests on what was measured, and is surer of it") {
  const Folder folder;
  const std::string file = folder / "h100.db";
  store(file, run_on("H100-SXM5-80GB"));
  const Outcome before = foreshard("run scenarios/quickstart.yaml --json -");
  const Outcome after =
      foreshard("run scenarios/quickstart.yaml --json - --calibration '" + file + "'");
  REQUIRE(before.code == 0);
  REQUIRE(after.code == 0);
  const Json model = Json::parse(before.out);
  const Json measured = Json::parse(after.out);
  CHECK(share_of(model, "2026-11-28") == 0);
  CHECK(share_of(measured, "gemm bf16 on H100-SXM5-80GB, cuBLASLt") > 0.3);
  CHECK(share_of(measured, "2026-11-28") > 0.4);
  const auto width = [](const Json& report) {
    return (report.at("step_time_p90_s").get<double>() -
            report.at("step_time_p10_s").get<double>()) /
           report.at("step_time_s").get<double>();
  };
  CHECK(width(measured) < width(model));
}

TEST_CASE("a calibration of other hardware is a warning in the report") {
  const Folder folder;
  const std::string file = folder / "a100.db";
  store(file, run_on("A100-SXM4-80GB"));
  const Outcome run =
      foreshard("run scenarios/quickstart.yaml --json - --calibration '" + file + "'");
  CHECK(run.code == 0);
  CHECK(run.out.find("no kernels of a H100-SXM5-80GB in it") != std::string::npos);
  const Outcome absent = foreshard("run scenarios/quickstart.yaml --calibration nowhere.db");
  CHECK(absent.code == 1);
  CHECK(absent.err.find("nowhere.db: error: no such file") != std::string::npos);
}

TEST_CASE("fits are told, and kept in the calibration") {
  const Folder folder;
  const std::string file = folder / "h100.db";
  store(file, run_on("H100-SXM5-80GB"));
  const Outcome fit = foreshard("calibrate fit --db '" + file + "'");
  CHECK(fit.code == 0);
  CHECK(fit.out.find("all_reduce of 2 H100-SXM5-80GB on one node, NCCL 2.28.9") !=
        std::string::npos);
  CHECK(fit.out.find("alpha     20.000 us  360.000 GB/s") != std::string::npos);
  const auto kept = calibrate::store::Store::open(file, calibrate::store::Access::read);
  REQUIRE(kept);
  CHECK(kept->fits().size() == 4);
  CHECK(kept->fits().front().held_out);
  CHECK(foreshard("calibrate fit --db '" + file + "'").code == 0);  // again, in their place
  CHECK(kept->fits().size() == 4);
}

TEST_CASE("measured collectives are played again") {
  const Folder folder;
  const std::string file = folder / "h100.db";
  const std::string picture = folder / "h100.svg";
  store(file, run_on("H100-SXM5-80GB"));
  const Outcome replay =
      foreshard("calibrate replay --db '" + file + "' --json - --svg '" + picture + "'");
  REQUIRE(replay.code == 0);
  const Json answer = Json::parse(replay.out);
  REQUIRE(answer.at("sweeps").size() == 3);
  for (const Json& sweep : answer.at("sweeps"))
    CHECK(sweep.at("largest_difference").get<double>() < 1e-3);
  CHECK(contents_of(picture).starts_with("<svg"));
}

}  // namespace
