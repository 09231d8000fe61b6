#include <fmt/format.h>

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
  CHECK(8 * report["micro_batch_s"].get<double>() + report["once_s"].get<double>() == Approx(time));
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
  // The plan says of how many micro-batches it is.
  const Outcome untold = foreshard("autoshard scenarios/quickstart.yaml --mesh 2x8 --load " + plan);
  CHECK(untold.out == foreshard("autoshard " + scenario + " --mesh 2x8 --load " + plan).out);
  const Outcome others =
      foreshard("autoshard scenarios/quickstart.yaml --micro-batches 16 --mesh 2x8 --load " + plan);
  CHECK(others.code == 1);
  CHECK(others.err.find("the solution is for steps of 8 micro-batches, not 16") !=
        std::string::npos);
  const Outcome elsewhere = foreshard("autoshard " + scenario + " --mesh 16 --load " + plan);
  CHECK(elsewhere.code == 1);
  CHECK(elsewhere.err.find("the solution is for mesh 2x8, not 16") != std::string::npos);
}

TEST_CASE("autoshard finds the number of micro-batches with the quickest step") {
  const Outcome outcome = foreshard("autoshard scenarios/quickstart.yaml --mesh 16 --json -");
  REQUIRE(outcome.code == 0);
  const Json report = Json::parse(outcome.out);
  // All powers of two up to the batch of 128.
  REQUIRE(report["tried"].size() == 8);
  double best = 1e9;
  for (const Json& one : report["tried"]) {
    CHECK(one.contains("time_s") != one.contains("reason"));
    if (one.contains("time_s")) best = std::min(best, one["time_s"].get<double>());
    if (!one.contains("time_s")) continue;
    const Outcome given = foreshard(
        fmt::format("autoshard scenarios/quickstart.yaml --mesh 16 --micro-batches {} --json -",
                    one["micro_batches"].get<int>()));
    CHECK(Json::parse(given.out)["time_s"] == one["time_s"]);
  }
  CHECK(report["time_s"] == best);
  CHECK(report["tried"][0].contains("reason"));  // activations of 8 sequences do not fit
  // With little memory, nothing does.
  const Outcome none = foreshard("autoshard scenarios/quickstart.yaml --mesh 16 --memory '1 GB'");
  CHECK(none.code == 3);
  CHECK(none.err.find("--micro-batches") == std::string::npos);
  CHECK(foreshard("autoshard scenarios/quickstart.yaml --micro-batches many").code == 2);
  CHECK(foreshard("autoshard scenarios/quickstart.yaml --micro-batches 0").code == 2);
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
  const auto of = [&](int stage, const char* what) {
    return report["stages"][static_cast<std::size_t>(stage)][what].get<double>();
  };
  CHECK(report["stages"][0]["layers"].get<int>() + report["stages"][1]["layers"].get<int>() == 32);
  const auto pace = [&](int stage) { return 7 * of(stage, "micro_batch_s") + of(stage, "once_s"); };
  CHECK(report["step_s"].get<double>() ==
        Approx(of(0, "micro_batch_s") + of(1, "micro_batch_s") + std::max(pace(0), pace(1))));
  // Gradients come to the first stage, activations to the last: 2 sequences of 8192 tokens of 4096
  // bf16 a GPU are 128 MiB, over a NIC of 50 GB/s no less than 2.68 ms.
  for (const int stage : {0, 1}) {
    CHECK(of(stage, "messages_s") >= 0.00268);
    CHECK(of(stage, "messages_s") <= 0.0035);
  }
  CHECK(report["layouts_at_cuts_s"] == 0);
}

TEST_CASE("both ends of a pipeline hold tied embeddings, and sum their gradient") {
  const Folder folder;
  const std::string path = folder / "tied.yaml";
  const auto stages = [&](const char* tied) {
    write_file(path,
               "name: ends\n"
               "model: {layers: 8, hidden: 2048, ffn: 8192, heads: 16, vocab: 50000, "
               "position: rotary, tied_embeddings: " +
                   std::string(tied) +
                   "}\n"
                   "cluster: {nodes: {type: dgx-h100, count: 2}, fabric: {kind: single_switch}}\n"
                   "plan: {data_parallel: 16, global_batch: 64, sequence: 2048}\n");
    const Outcome outcome =
        foreshard("autoshard " + path + " --mesh 8 --stages 2 --micro-batches 4 --json -");
    INFO(outcome.err);
    REQUIRE(outcome.code == 0);
    return Json::parse(outcome.out)["stages"];
  };
  const Json tied = stages("true");
  const Json apart = stages("false");
  for (const std::size_t end : {std::size_t{0}, std::size_t{1}}) {
    // An fp32 gradient of 50,000 x 2048, at least an eighth of it on each rank: through a NIC of 50
    // GB/s there and back.
    const double more = tied[end]["once_s"].get<double>() - apart[end]["once_s"].get<double>();
    CHECK(more >= 50000.0 * 2048 * 4 / 8 / 50e9);
    CHECK(tied[end]["memory_bytes"].get<double>() ==
          Approx(apart[end]["memory_bytes"].get<double>()).epsilon(0.1));
  }
}

}  // namespace
