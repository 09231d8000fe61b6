// Collectives beside kernels, measured on this machine's cores; and backends from plug-ins.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"

namespace {

using calibrate::RunRecords;
using calibrate::store::Access;
using calibrate::store::Store;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<RunRecords> stored(const std::string& path) {
  auto store = Store::open(path, Access::read);
  REQUIRE(store);
  return store->all();
}

const std::string beside =
    " --ranks 2 --operations all_reduce -b 1K -e 64K -f 64 -n 3 --budget 0.02 --beside gemm,memory";

TEST_CASE("collectives of MPI and Gloo are measured beside kernels, stored, shown and exported") {
  const Folder folder;
  for (const std::string backend : {"mpi", "gloo"}) {
    const std::string db = folder / (backend + ".db");
    const auto run =
        foreshard("calibrate collectives --db " + db + " --backend " + backend + beside);
    INFO(run.err << run.out);
    REQUIRE(run.code == 0);
    const auto runs = stored(db);
    REQUIRE(runs.size() == 1);
    // Two sizes, each beside two kernels; alone, both are rows as any other.
    REQUIRE(runs[0].overlaps.size() == 4);
    CHECK(runs[0].collectives.size() == 4);
    CHECK(runs[0].kernels.size() == 4);
    CHECK(contains(runs[0].run.command, "--beside gemm,memory"));
    for (const calibrate::OverlapRecord& row : runs[0].overlaps) {
      CHECK(runs[0].collectives[row.collective].wrong == 0);
      CHECK(row.collective_times.iterations >= 3);
      CHECK(row.kernel_times.iterations >= 1);
      CHECK(calibrate::slowed(runs[0].kernels[row.kernel].times, row.kernel_times).value() > 0);
    }
    CHECK(contains(foreshard("calibrate show --db " + db).out, "At once, times as long as alone"));
    const std::string json = folder / (backend + ".json");
    REQUIRE(foreshard("calibrate export --db " + db + " --format json --output " + json).code == 0);
    CHECK(nlohmann::json::parse(contents_of(json))["runs"][0]["overlaps"].size() == 4);
  }
  REQUIRE(foreshard("calibrate merge --db " + (folder / "all.db") + " " + (folder / "mpi.db") +
                    " " + (folder / "gloo.db"))
              .code == 0);
  const auto merged = stored(folder / "all.db");
  REQUIRE(merged.size() == 2);
  CHECK(merged[0] == stored(folder / "mpi.db")[0]);
}

TEST_CASE("a sweep beside kernels goes on where it was") {
  const Folder folder;
  const std::string command =
      "calibrate collectives --db " + (folder / "a.db") + " --backend gloo" + beside;
  REQUIRE(foreshard(command).code == 0);
  {
    auto store = Store::open(folder / "a.db", Access::write);
    REQUIRE(store);
    store->finish(store->runs().front(), calibrate::RunState::running, "");
  }
  const auto again = foreshard(command + " --resume");
  CHECK(again.code == 0);
  CHECK(contains(again.err, "going on behind 12 rows"));
  CHECK(stored(folder / "a.db")[0].overlaps.size() == 4);
}

/// The same run in another file, as if both had slowed each other down in this way: what this
/// machine measures of it depends on who else is on it.
void copy_as_if(const std::string& from, const std::string& to, double collectives,
                double kernels) {
  RunRecords records = stored(from).at(0);
  for (calibrate::OverlapRecord& row : records.overlaps) {
    const auto longer = [](const calibrate::Times& alone, double factor) {
      return calibrate::times_of({factor * alone.mean});
    };
    row.collective_times = longer(records.collectives[row.collective].times, collectives);
    row.kernel_times = longer(records.kernels[row.kernel].times, kernels);
  }
  auto store = Store::open(to, Access::write);
  REQUIRE(store);
  REQUIRE(store->add(records));
}

TEST_CASE(
    "what was measured at once says how collectives and kernels slow each other down in a step") {
  const Folder folder;
  const std::string db = folder / "b.db";
  REQUIRE(foreshard("calibrate collectives --db " + (folder / "a.db") +
                    " --backend mpi --ranks 2 --operations all_reduce -b 1K -e 4M -f 4096 -n 3 "
                    "--budget 0.05 --beside gemm,memory")
              .code == 0);
  copy_as_if(folder / "a.db", db, 1.6, 1.4);
  const std::string step =
      "run scenarios/calibrate/cpu-dp2.yaml --set plan.overlap.gradient_reduce=true "
      "--set 'plan.bucket=4 MiB' --json - ";
  const auto measured = foreshard(step + "--calibration " + db);
  REQUIRE(measured.code == 0);
  const auto names = [](const Outcome& run, const std::string& what) {
    const auto sources = nlohmann::json::parse(run.out)["sources"];
    return std::any_of(sources.begin(), sources.end(),
                       [&](const auto& source) { return contains(source["name"], what); });
  };
  const std::string all_reduce = "all_reduce of 2 cpu-core on one node, Open MPI";
  CHECK(names(measured, " beside " + all_reduce));
  const auto overlap = nlohmann::json::parse(measured.out)["overlap"];
  CHECK(overlap["sm_share"] > 0);
  // And how much these slow collectives down.
  CHECK((names(measured, " beside products, measured ") ||
         names(measured, " beside memory-bound kernels, measured ")));
  CHECK(overlap["held_up_s"] > 0);
  const auto without = foreshard(step);
  CHECK_FALSE(names(without, " beside "));
  CHECK(nlohmann::json::parse(without.out)["overlap"]["held_up_s"] == 0);
}

TEST_CASE("kinds of kernels are checked, and nccl-tests has no form for both at once") {
  CHECK(foreshard("calibrate collectives --db x.db --beside gem").code == 2);
  const auto json = foreshard("calibrate collectives --db x.db --beside gemm -J x.json");
  CHECK(json.code == 2);
  CHECK(contains(json.err, "nccl-tests has no form for collectives beside kernels"));
}

TEST_CASE("a plug-in that executes what it prices is measured, one that only prices is refused") {
  const Folder folder;
  const std::string db = folder / "a.db";
  const std::string sweep = "calibrate collectives --db " + db +
                            " --ranks 1 --operations all_reduce,broadcast -b 64 -e 4K -f 8 -n 5 "
                            "--budget 0 --backend ";
  const auto run =
      foreshard(sweep + "solo", "FORESHARD_BACKEND_SOLO_LIB='" FORESHARD_SOLO_PLUGIN "'");
  REQUIRE(run.code == 0);
  const auto runs = stored(db);
  REQUIRE(runs.size() == 1);
  REQUIRE(runs[0].collectives.size() == 2 * 3 * 2);
  CHECK(runs[0].collectives[0].library == "Solo");
  CHECK(runs[0].collectives[0].library_version == "1.0");
  CHECK(runs[0].collectives[0].wrong == 0);
  CHECK(runs[0].collectives[0].own_estimate.value() == Approx(1e-6 + 64 / 1e9));

  const auto priced =
      foreshard(sweep + "good", "FORESHARD_BACKEND_GOOD_LIB='" FORESHARD_MUTE_PLUGIN "'");
  CHECK(priced.code == 1);
  CHECK(contains(priced.err,
                 "has no function foreshard_network_good: it prices collectives, but "
                 "executes none"));
  const auto unknown = foreshard(sweep + "nobody");
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "FORESHARD_RUNTIME_NOBODY_LIB names its library"));
  const auto many = foreshard("calibrate collectives --db " + db + " --ranks 2 --backend solo -n 5",
                              "FORESHARD_BACKEND_SOLO_LIB='" FORESHARD_SOLO_PLUGIN "'");
  CHECK(many.code == 70);
  CHECK(contains(many.err, "only one rank fits into this world"));
}

}  // namespace
