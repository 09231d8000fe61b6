// `compare --search` as scripts see it: the same answer from any number of processes, after it was
// killed, and as going through all plans gives it.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "calibrate/store/database.hpp"
#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;

const std::string quick = "scenarios/quickstart.yaml";

/// A space of some thousand plans, with what it takes to start Open MPI anywhere.
const std::string space =
    "axes: {micro_batch: [1, 2], bucket: [25 MiB], rank_order: [tp-cp-dp-pp]}\n";
const std::string mpi =
    "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_"
    "mechanism=none mpirun --oversubscribe ";

TEST_CASE("one, two and four processes find the same, byte by byte") {
  const Folder folder;
  write_file(folder / "p.yaml", space);
  const std::string command =
      "compare " + quick + " --search --json - --plans '" + (folder / "p.yaml") + "'";
  const Outcome here = foreshard(command);
  REQUIRE(here.code == 0);
  const Outcome alone = foreshard(command, "taskset -c 0");
  CHECK(alone.out == here.out);
  for (const char* processes : {"1", "2", "4"}) {
    INFO(processes);
    const Outcome many = foreshard(command, mpi + "-n " + processes);
    CHECK(many.code == 0);
    CHECK(many.out == here.out);
  }
}

TEST_CASE("a search that is killed goes on to the same end") {
  const Folder folder;
  write_file(folder / "p.yaml", space);
  const std::string command =
      "compare " + quick + " --search --json - --plans '" + (folder / "p.yaml") + "'";
  const Outcome whole = foreshard(command);
  REQUIRE(whole.code == 0);
  const std::string state = " --state '" + (folder / "s.sqlite") + "'";
  // Wherever it is by then: before the first round, in the middle, or at its end.
  for (const char* moment : {"0.05", "0.1", "0.2", "0.4"})
    foreshard(command + state, std::string("timeout -s KILL ") + moment);
  const Outcome resumed = foreshard(command + state);
  CHECK(resumed.code == 0);
  CHECK(resumed.out == whole.out);
  const Outcome again = foreshard(command + state);
  CHECK(again.out == whole.out);

  const Outcome other =
      foreshard("compare " + quick + " --search --set plan.global_batch=64" + state);
  CHECK(other.code == 1);
  CHECK(other.err.find("has a search of another scenario") != std::string::npos);
}

TEST_CASE("answers in the file of a search that somebody changed are told, and not believed") {
  const Folder folder;
  write_file(folder / "p.yaml", space);
  const std::string path = folder / "s.sqlite";
  const std::string command =
      "compare " + quick + " --search --plans '" + (folder / "p.yaml") + "' --state '" + path + "'";
  REQUIRE(foreshard(command).code == 0);
  {
    const auto file = calibrate::store::Database::open(path, calibrate::store::Access::write);
    REQUIRE(file);
    file->execute("UPDATE answer SET answer = '00'");
  }
  const Outcome changed = foreshard(command);
  CHECK(changed.code == 70);
  CHECK(changed.err.find("an answer is not what was written") != std::string::npos);
}

TEST_CASE("the winner of a search is the winner of all plans, simulated one by one") {
  const Folder folder;
  // 4 x 2 x 2 x 3 combinations; all others at one value.
  const std::string both =
      "  tensor_parallel: [1, 2, 4, 8]\n  pipeline_parallel: [1, 2]\n  micro_batch: [1, 2]\n"
      "  recompute: [none, selective, full]\n";
  write_file(folder / "all.yaml", "axes:\n" + both);
  write_file(folder / "space.yaml",
             "axes:\n" + both +
                 "  sequence_parallel: [true]\n  schedule: [1f1b]\n  zero: [1]\n"
                 "  data_replicate: [1]\n  rank_order: [tp-cp-dp-pp]\n  bucket: [200 MiB]\n"
                 "  overlap.gradient_reduce: [true]\n  overlap.parameter_gather: [true]\n");
  const std::string fixed =
      " --set plan.zero=1 --set plan.schedule=1f1b --set plan.bucket='200 MiB' --json - ";
  // Sequence parallel goes with tensor parallel only, which a cross of axes cannot say.
  double fastest = 1e300;
  for (const std::string sequence : {"true", "false"}) {
    const Outcome all =
        foreshard("compare " + quick + fixed + "--set plan.sequence_parallel=" + sequence +
                  " --plans '" + (folder / "all.yaml") + "'");
    REQUIRE(all.code == 0);
    const json answer = json::parse(all.out);
    for (const json& plan : answer["plans"]) {
      const bool cut = plan["name"].get<std::string>().find("tp 1,") == std::string::npos;
      if (plan["memory"]["fits"] && cut == (sequence == "true"))
        fastest = std::min(fastest, plan["step_time_s"].get<double>());
    }
  }
  const Outcome found = foreshard("compare " + quick + fixed + "--search --simulate all --plans '" +
                                  (folder / "space.yaml") + "'");
  REQUIRE(found.code == 0);
  const json answer = json::parse(found.out);
  CHECK(answer["search"]["proven"] == true);
  CHECK(answer["search"]["plans"] == 48);
  double best = 1e300;
  for (const json& plan : answer["plans"])
    if (plan["name"] != "the scenario's plan")
      best = std::min(best, plan["step_time_s"].get<double>());
  CHECK(best == fastest);
}

TEST_CASE("what a search cannot vary is a mistake, and options go together") {
  const Folder folder;
  write_file(folder / "p.yaml", "axes: {optimizer.kind: [adam]}\n");
  const Outcome outcome =
      foreshard("compare " + quick + " --search --plans '" + (folder / "p.yaml") + "'");
  CHECK(outcome.code == 1);
  CHECK(outcome.err.find("p.yaml:1:8: error: a search does not vary 'optimizer.kind'") !=
        std::string::npos);
  CHECK(foreshard("compare " + quick).code == 2);
  CHECK(foreshard("compare " + quick + " --state s.sqlite --plans p.yaml").code == 2);
  CHECK(foreshard("compare " + quick + " --search --simulate some").code == 2);
}

}  // namespace
