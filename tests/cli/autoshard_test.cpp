#include <nlohmann/json.hpp>

#include "tests/cli/program.hpp"
#include "tests/support/golden.hpp"

namespace {

using Json = nlohmann::json;

const std::string scenario = "scenarios/quickstart.yaml --micro-batches 8";

TEST_CASE("autoshard finds a plan and says in words what it is") {
  const Outcome outcome = foreshard("autoshard " + scenario + " --mesh 2x8");
  CHECK(outcome.code == 0);
  check_golden("autoshard.txt", outcome.out);
}

TEST_CASE("autoshard's report holds together") {
  const Outcome outcome = foreshard("autoshard " + scenario + " --mesh 2x8 --json -");
  REQUIRE(outcome.code == 0);
  const Json report = Json::parse(outcome.out);
  CHECK(report["schema"] == "foreshard.autoshard.v1");
  CHECK(report["optimal"] == true);
  CHECK(report["bound_s"] == report["time_s"]);
  // Parts, and nodes, sum to the objective.
  const double time = report["time_s"];
  CHECK(report["compute_s"].get<double>() + report["communication_s"].get<double>() ==
        Approx(time));
  double sum = 0;
  for (const auto& [name, node] : report["nodes"].items())
    sum += node["compute_s"].get<double>() + node["communication_s"].get<double>();
  CHECK(sum == Approx(time));
  double collectives = 0;
  for (const Json& one : report["collectives"]) collectives += one["time_s"].get<double>();
  CHECK(collectives <= report["communication_s"].get<double>() * (1 + 1e-9));
  for (const Json& plan : report["plans"])
    if (plan.contains("time_s")) CHECK(plan["time_s"].get<double>() >= time * (1 - 1e-9));
  for (const Json& dim : report["mesh_dims"]) {
    double shares = 0;
    for (const auto& [name, share] : dim["parameters"].items()) shares += share.get<double>();
    CHECK(shares == Approx(1));
  }
  CHECK(foreshard("autoshard " + scenario + " --mesh 2x8 --json -").out == outcome.out);
}

TEST_CASE("a saved plan comes back, differs from itself in nothing, and is refused elsewhere") {
  const Folder folder;
  const std::string plan = folder / "plan.json";
  const Outcome saved = foreshard("autoshard " + scenario + " --mesh 2x8 --save " + plan);
  REQUIRE(saved.code == 0);
  const Outcome loaded =
      foreshard("autoshard " + scenario + " --mesh 2x8 --load " + plan + " --diff " + plan);
  CHECK(loaded.code == 0);
  CHECK(loaded.out.find("read from a file, not proven") != std::string::npos);
  CHECK(loaded.out.find("no node differs") != std::string::npos);
  const Outcome elsewhere = foreshard("autoshard " + scenario + " --mesh 16 --load " + plan);
  CHECK(elsewhere.code == 1);
  CHECK(elsewhere.err.find("the solution is for mesh 2x8, not 16") != std::string::npos);
}

TEST_CASE("autoshard explains what another layout would cost") {
  const Outcome outcome =
      foreshard("autoshard " + scenario +
                " --mesh 2x8 --explain 'layers.mlp.up.weight=R, R' --explain 'head.weight=P, P'");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("layers.mlp.up.weight=R, R: ") != std::string::npos);
  CHECK(outcome.out.find("head.weight=P, P: no rule of the operator gives that layout") !=
        std::string::npos);
}

TEST_CASE("what cannot be met ends with 3 and names the demands") {
  const Outcome memory = foreshard("autoshard " + scenario + " --mesh 2x8 --memory '1 GB'");
  CHECK(memory.code == 3);
  CHECK(memory.err.find("the nearest keeps") != std::string::npos);
  CHECK(memory.err.find("without 'memory' there is one") != std::string::npos);
}

TEST_CASE("mistakes about autoshard are told") {
  const Outcome mesh = foreshard("autoshard " + scenario + " --mesh 3x5");
  CHECK(mesh.code == 1);
  CHECK(mesh.err.find("mesh 3x5 has 15 ranks, but there are 16") != std::string::npos);
  const Outcome question = foreshard("autoshard " + scenario + " --explain head");
  CHECK(question.code == 1);
  CHECK(question.err.find("NODE=LAYOUT is expected") != std::string::npos);
  const Outcome name = foreshard("autoshard " + scenario + " --explain 'haed.weight=R, R'");
  CHECK(name.code == 1);
  CHECK(name.err.find("did you mean 'head.weight'?") != std::string::npos);
  CHECK(foreshard("autoshard " + scenario + " --stages 2 --list").code == 2);
}

TEST_CASE("autoshard cuts a pipeline") {
  const Outcome outcome = foreshard("autoshard " + scenario + " --mesh 8 --stages 2 --json -");
  REQUIRE(outcome.code == 0);
  const Json report = Json::parse(outcome.out);
  REQUIRE(report["stages"].size() == 2);
  const double a = report["stages"][0]["time_s"];
  const double b = report["stages"][1]["time_s"];
  CHECK(report["stages"][0]["layers"].get<int>() + report["stages"][1]["layers"].get<int>() == 32);
  CHECK(report["step_s"].get<double>() == Approx(a + b + 7 * std::max(a, b)));
}

}  // namespace
