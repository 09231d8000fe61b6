// Measuring and executing on this machine's cores, with real MPI and Gloo.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "calibrate/store/store.hpp"
#include "tests/cli/program.hpp"

namespace {

using calibrate::store::Access;
using calibrate::store::Store;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<calibrate::RunRecords> stored(const std::string& path) {
  auto store = Store::open(path, Access::read);
  REQUIRE(store);
  return store->all();
}

TEST_CASE("collectives of MPI and Gloo are measured with checked data, in nccl-tests' columns") {
  const Folder folder;
  for (const std::string backend : {"mpi", "gloo"}) {
    const std::string db = folder / (backend + ".db");
    const auto run = foreshard("calibrate collectives --db " + db + " --backend " + backend +
                               " --ranks 2 --operations all_reduce,all_gather,reduce_scatter -b 64 "
                               "-e 4K -f 8 -n 5 --budget 0");
    INFO(run.err << run.out);
    REQUIRE(run.code == 0);
    CHECK(contains(run.out, "#wrong"));
    CHECK(contains(run.out, "Out of bounds values : 0 OK"));
    const auto runs = stored(db);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].run.state == calibrate::RunState::complete);
    // Three operations of 64, 512 and 4,096 bytes, out of place and in place.
    CHECK(runs[0].collectives.size() == 3 * 3 * 2);
    for (const calibrate::CollectiveRecord& row : runs[0].collectives) {
      CHECK(row.wrong == 0);
      CHECK(row.placement.ranks == 2);
      CHECK(row.times.iterations >= 5);
      CHECK(row.times.mean > 0);
    }
    CHECK(foreshard("calibrate fit --db " + db).code == 0);
  }
}

TEST_CASE("cycles, roots and JSON of a sweep are as in nccl-tests, and are read again") {
  const Folder folder;
  const std::string json = folder / "sweep.json";
  const auto run = foreshard("calibrate collectives --db " + (folder / "a.db") +
                             " --backend gloo --ranks 2 --operations broadcast -b 64 -e 512 -f 8 "
                             "-n 5 -N 2 -r all --budget 0 -J " +
                             json);
  INFO(run.err << run.out);
  REQUIRE(run.code == 0);
  // Two cycles of two roots of two sizes, out of place and in place.
  CHECK(stored(folder / "a.db").front().collectives.size() == 2 * 2 * 2 * 2);
  const auto read = foreshard("calibrate import " + json + " --db " + (folder / "b.db") +
                              " --device cpu-core --nodes 1 --ranks 2");
  INFO(read.err);
  CHECK(read.code == 0);
  std::size_t rows = 0;
  for (const auto& records : stored(folder / "b.db")) rows += records.collectives.size();
  CHECK(rows == 2 * 2 * 2 * 2);
  const auto refused = foreshard("calibrate collectives --db x.db -C 1 -K 2");
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "the time of calls alone is not measured"));
}

TEST_CASE("a run that was killed goes on where it was") {
  const Folder folder;
  const std::string db = folder / "killed.db";
  const std::string command = "calibrate collectives --db " + db +
                              " --backend gloo --ranks 2 --operations all_reduce -b 64 -e 4K -f 8 "
                              "-n 5 --budget 0";
  REQUIRE(foreshard(command).code == 0);
  {
    // As SIGKILL leaves it: rows, and a run that never ended.
    auto store = Store::open(db, Access::write);
    REQUIRE(store);
    store->finish(store->runs().front(), calibrate::RunState::running, "");
  }
  const auto again = foreshard(command + " --resume");
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(contains(again.err, "going on behind 6 rows"));
  const auto runs = stored(db);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].collectives.size() == 6);
  CHECK(runs[0].run.state == calibrate::RunState::complete);
}

TEST_CASE("when a rank is killed the others end, and what was measured stays") {
  const Folder folder;
  const std::string db = folder / "dead.db";
  // Ranks of Gloo are children of the command. The sweep alone would take minutes.
  const std::string script =
      "'" FORESHARD_BINARY "' calibrate collectives --db " + db +
      " --backend gloo --ranks 2 --operations all_reduce -b 1K -e 64M -f 2 -n 200 --budget 20 >" +
      (folder / "out") + " 2>" + (folder / "err") +
      " & command=$!; for i in $(seq 100); do grep -q '^ *2048 ' " + (folder / "out") +
      " && break; sleep 0.1; done; pkill -9 -o -P $command; wait $command; test $? -eq 70";
  const int status = std::system(script.c_str());
  INFO(contents_of(folder / "err"));
  CHECK(status == 0);
  CHECK(contains(contents_of(folder / "err"), "was killed by signal 9"));
  CHECK(contains(contents_of(folder / "err"), "--resume goes on"));
  const auto runs = stored(db);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].run.state == calibrate::RunState::running);
  CHECK(runs[0].collectives.size() >= 4);  // 1 KiB and 2 KiB, out of place and in place
}

TEST_CASE("whenever a sweep is killed, at most the sample in flight is lost") {
  // Every line that is printed, of two rows, is in the file; and no more than those that the next
  // line would tell. The group is killed as one: the command and its ranks.
  const Folder folder;
  for (int lines = 1; lines <= 13; lines += 4) {
    const std::string db = folder / (std::to_string(lines) + ".db");
    const std::string out = folder / "out";
    const std::string script =
        "setsid '" FORESHARD_BINARY "' calibrate collectives --db " + db +
        " --backend gloo --ranks 2 --operations all_reduce -b 8 -e 64M -f 2 -n 20 --budget 0.01 >" +
        out + " 2>/dev/null & command=$!; for i in $(seq 400); do test $(grep -c ' float ' " + out +
        ") -ge " + std::to_string(lines) +
        " && break; sleep 0.02; done; kill -9 -- -$command; wait $command; test $? -eq 137";
    CHECK(std::system(script.c_str()) == 0);
    const std::string printed = contents_of(out);
    std::size_t told = 0;
    for (std::size_t at = 0; (at = printed.find(" float ", at)) != std::string::npos; ++at) ++told;
    REQUIRE(told >= static_cast<std::size_t>(lines));
    const auto runs = stored(db);
    REQUIRE(runs.size() == 1);
    CHECK(runs[0].run.state == calibrate::RunState::running);
    CHECK(runs[0].collectives.size() >= 2 * told);
    CHECK(runs[0].collectives.size() <= 2 * told + 2);
  }
}

TEST_CASE("kernels of a core are measured, and those it lacks are told") {
  const Folder folder;
  const std::string db = folder / "kernels.db";
  const auto run = foreshard("calibrate kernels --db " + db + " --network gloo --budget 0.001");
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(contains(run.err, "a CPU core has no graph_launch"));
  const auto runs = stored(db);
  REQUIRE(runs.size() == 1);
  CHECK(runs[0].run.devices.front().name == "cpu-core");
  const auto products = std::count_if(runs[0].kernels.begin(), runs[0].kernels.end(),
                                      [](const auto& one) { return one.kind == "gemm"; });
  // Sides 64 to 512: 4 x 4 x 4, of which none is more than 16 times as long as wide.
  CHECK(products == 64);
}

TEST_CASE("a step is measured, forecast, executed and compared") {
  const Folder folder;
  for (const std::string scenario : {"cpu-tp2", "cpu-tp2-dp2"}) {
    const std::string db = folder / (scenario + ".db");
    const std::string trace = folder / (scenario + ".json");
    const auto run = foreshard(
        "calibrate step scenarios/calibrate/" + scenario + ".yaml --db " + db + " --trace " +
        trace +
        " --set model.layers=1 --set model.hidden=128 --set model.heads=2 --set model.kv_heads=2 "
        "--set model.ffn=256 --set model.vocab=512 --set plan.sequence=64 --steps 3 --budget 0.02 "
        "--json -");
    INFO(run.err << run.out);
    REQUIRE(run.code == 0);
    const auto json = nlohmann::json::parse(run.out);
    CHECK(json["schema"] == "foreshard.step.v1");
    CHECK(json["forecast_s"] > 0);
    CHECK(json["executed_s"] > 0);
    CHECK(json["steps"] == 3);
    // What the forecast rests on was measured, all but a hundredth.
    double measured = 0;
    for (const auto& source : json["sources"])
      if (contains(source["name"], "measured")) measured += source["share"].get<double>();
    CHECK(measured > 0.99);
    bool kernel = false;
    bool collective = false;
    for (const auto& part : json["parts"])
      (part["collective"].get<bool>() ? collective : kernel) = true;
    CHECK((kernel && collective));
    const auto both = nlohmann::json::parse(contents_of(trace));
    int executed = 0;
    for (const auto& event : both["traceEvents"])
      if (event["name"] == "process_name")
        executed += contains(event["args"]["name"], "executed: ") ? 1 : 0;
    CHECK(executed == 1);
  }
}

// Messages between stages on streams of their own, gathered parameters, and Gloo instead of MPI.
TEST_CASE("pipelines and sharded parameters are executed, too") {
  const Folder folder;
  for (const char* plan : {"--set plan.data_parallel=1 --set plan.pipeline_parallel=2",
                           "--set plan.zero=3", "--set communication.backend=gloo"}) {
    const auto run = foreshard(
        "calibrate step scenarios/calibrate/cpu-dp2.yaml --db " + (folder / "a.db") +
        " --set model.layers=2 --set model.hidden=64 --set model.heads=2 --set model.kv_heads=2 "
        "--set model.ffn=128 --set model.vocab=256 --set plan.sequence=32 --steps 2 --budget 0.01 "
        "--json - " +
        plan);
    INFO(run.err << run.out);
    REQUIRE(run.code == 0);
    CHECK(nlohmann::json::parse(run.out)["executed_s"] > 0);
  }
}

TEST_CASE("scenarios that this machine's cores cannot execute are refused") {
  const Folder folder;
  const auto run = foreshard("calibrate step scenarios/quickstart.yaml --db " + (folder / "x.db") +
                             " --set communication.backend=mpi");
  CHECK(run.code == 1);
  CHECK(contains(run.err, "compute on CPU cores, but the cluster has"));
}

TEST_CASE("the doctor tells what is there and what a scenario takes") {
  const auto run = foreshard("calibrate doctor scenarios/calibrate/cpu-tp2.yaml");
  CHECK(run.code == 0);
  CHECK(contains(run.out, "x cpu-core"));
  CHECK(contains(run.out, "mpi    messages   there"));
  CHECK(contains(run.out, "100 % of the step's time would then rest on measurements"));
  CHECK(contains(foreshard("calibrate doctor scenarios/quickstart.yaml").out,
                 "calibrate on a machine that has them"));
}

}  // namespace
