// `compare` as scripts see it, and its answers to the shipped files of plans.

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"

namespace {

using nlohmann::json;

const std::string quick = "scenarios/quickstart.yaml";
const std::string list = " --plans scenarios/compare/quickstart-list.yaml";
const std::string priced = " --set price.gpu_hour=2.5 --set price.currency=USD";
const std::string axes =
    "scenarios/llama3-70b-64xh100.yaml --plans scenarios/compare/llama3-70b-axes.yaml";

TEST_CASE("the shipped files of plans are compared as they were") {
  const Outcome listed = foreshard("compare " + quick + list + priced);
  CHECK(listed.code == 0);
  CHECK(listed.err.empty());
  check_golden("compare/quickstart-list.txt", listed.out);
  const Outcome crossed = foreshard("compare " + axes + " --top 12");
  CHECK(crossed.code == 0);
  check_golden("compare/llama3-70b-axes.txt", crossed.out);
}

TEST_CASE("one worker gives the bytes of many") {
  const std::string command = "compare " + axes + " --json -";
  const Outcome many = foreshard(command);
  const Outcome one = foreshard(command, "taskset -c 0");
  CHECK(many.code == 0);
  CHECK(many.out == one.out);
}

TEST_CASE("a plan is forecast as run forecasts it") {
  const Outcome all = foreshard("compare " + quick + list + " --json -");
  REQUIRE(all.code == 0);
  const Outcome alone = foreshard("run " + quick + " --set plan.tensor_parallel=4 --json -");
  REQUIRE(alone.code == 0);
  const json run = json::parse(alone.out);
  const json comparison = json::parse(all.out);
  bool found = false;
  for (const json& plan : comparison["plans"]) {
    if (plan["name"] != "tp 4") continue;
    found = true;
    for (const char* key : {"plan", "step_time_s", "step_time_p10_s", "step_time_p90_s", "mfu",
                            "tokens_per_s", "sources", "bottleneck"})
      CHECK(plan[key] == run[key]);
    CHECK(plan["gpus"] == run["ranks"]);
    CHECK(plan["memory"]["peak_bytes"] == run["memory"]["peak_bytes"]);
    CHECK(plan["breakdown"]["bubble_s"] == run["breakdown"]["bubble_s"]);
  }
  CHECK(found);
}

TEST_CASE("what is noted of the scenario's own plan is not said of others") {
  const std::string fewer = " --set plan.data_parallel=4";
  CHECK(foreshard("run " + quick + fewer).out.find("the plan uses 8 of 16 GPUs") !=
        std::string::npos);
  const Folder folder;
  write_file(folder / "p.yaml", "axes: {data_parallel: [4, 8]}\n");
  const Outcome both =
      foreshard("compare " + quick + fewer + " --plans '" + (folder / "p.yaml") + "'");
  CHECK(both.code == 0);
  CHECK(both.out.find("without GPUs left out") != std::string::npos);  // another note
  CHECK(both.out.find("the plan uses") == std::string::npos);
}

TEST_CASE("the analytic engine compares too, and files are written") {
  const Folder folder;
  const Outcome outcome =
      foreshard("compare " + quick + list + " --fidelity analytic --csv '" + (folder / "c.csv") +
                "' --plot '" + (folder / "c.svg") + "' --json '" + (folder / "c.json") + "'");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("8, analytic") != std::string::npos);
  CHECK(contents_of(folder / "c.csv").starts_with("place,name,"));
  CHECK(contents_of(folder / "c.svg").starts_with("<svg "));
  CHECK(json::parse(contents_of(folder / "c.json"))["fidelity"] == "analytic");
}

TEST_CASE("when nothing fits, the nearest plan is named with what would help") {
  const Folder folder;
  write_file(folder / "p.yaml", "axes: {tensor_parallel: [1, 2], micro_batch: [4, 8]}\n");
  const Outcome outcome = foreshard("compare " + quick + " --plans '" + (folder / "p.yaml") +
                                    "' --set plan.recompute=none --set plan.zero=0");
  CHECK(outcome.code == 3);
  CHECK(outcome.out.find("  ! 1  tp 2, micro_batch 4") != std::string::npos);
  CHECK(outcome.out.find("1 quicker") == std::string::npos);
  CHECK(outcome.err.find("p.yaml: error: no plan fits: 'tp 2, micro_batch 4' comes nearest, but") !=
        std::string::npos);
  CHECK(outcome.err.find(" saves ") != std::string::npos);
}

TEST_CASE("when no combination is a plan, it says why") {
  const Folder folder;
  write_file(folder / "p.yaml", "axes: {tensor_parallel: [5, 7]}\n");
  const Outcome outcome = foreshard("compare " + quick + " --plans '" + (folder / "p.yaml") + "'");
  CHECK(outcome.code == 3);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find("p.yaml:1:26: error: 16 GPUs cannot be divided") != std::string::npos);
  CHECK(outcome.err.find("no combination of the axes is a plan") != std::string::npos);
}

TEST_CASE("mistakes in a file of plans end with 1") {
  const Folder folder;
  const auto [plans, message] = GENERATE(table<std::string, std::string>({
      {"plans: [{zerro: 1}]", "p.yaml:1:10: error: unknown key 'zerro'"},
      {"plans: [{tensor_parallel: 5}]", "p.yaml:1:27: error: 16 GPUs cannot be divided"},
  }));
  write_file(folder / "p.yaml", plans + "\n");
  const Outcome outcome = foreshard("compare " + quick + " --plans '" + (folder / "p.yaml") + "'");
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find(message) != std::string::npos);
}

TEST_CASE("plans whose messages have no price are mistakes of a list, and refused in axes") {
  const Folder folder;
  const std::string library = "FORESHARD_BACKEND_MUTE_LIB='" FORESHARD_MUTE_PLUGIN "'";
  const std::string command = "compare " + quick + " --set communication.backend=mute --plans '" +
                              (folder / "p.yaml") + "'";
  write_file(folder / "p.yaml", "plans: [{name: pipe, pipeline_parallel: 2}]\n");
  const Outcome listed = foreshard(command, library);
  CHECK(listed.code == 1);
  CHECK(listed.err.find("backend mute has no send_receive") != std::string::npos);
  CHECK(listed.err.find("p.yaml:1:9: error: plan 'pipe' has no forecast") != std::string::npos);
  write_file(folder / "p.yaml", "axes: {pipeline_parallel: [1, 2]}\n");
  const Outcome crossed = foreshard(command, library);
  CHECK(crossed.code == 0);
  CHECK(crossed.out.find("1 combination refused") != std::string::npos);
  CHECK(crossed.out.find("no send_receive") != std::string::npos);
}

TEST_CASE("compare needs a file of plans") {
  CHECK(foreshard("compare " + quick).code == 2);
  CHECK(foreshard("compare " + quick + list + " --top 0").code == 2);
  CHECK(foreshard("compare " + quick + list + " --json - --csv -").code == 2);
  CHECK(foreshard("compare " + quick + " --plans no_such_file.yaml").code == 1);
}

}  // namespace
