// The program as scripts see it: exit codes, what goes to stdout and what to stderr.

#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::string quick = "scenarios/quickstart.yaml";

TEST_CASE("a wrong command line ends with 2 and says what is wrong") {
  const auto [arguments, message] = GENERATE(table<std::string, std::string>({
      {"", "A subcommand is required"},
      {"forecast " + quick, "unknown subcommand 'forecast'"},
      {"rn " + quick, "did you mean 'run'?"},
      {"run", "SCENARIO is required"},
      {"run " + quick + " --colour", "--colour"},
      {"run " + quick + " other.yaml", "other.yaml"},
      {"run " + quick + " --fidelity exact", "exact not in {analytic,hybrid,flow}"},
      {"run " + quick + " --fidelity 1", "1 not in"},
      {"run " + quick + " --set plan.zero", "'plan.zero' is not of the form path=value"},
      {"run " + quick + " --set =1", "not of the form path=value"},
      {"run " + quick + " --json no/such/folder/x.json", "there is no folder no/such/folder"},
      {"run " + quick + " --trace tests", "tests is a folder"},
      {"run " + quick + " --trace -", "only a file"},
      {"check", "SCENARIO is required"},
      {"topology", "A subcommand is required"},
      {"topology render", "At least 1 option from [FILE,--live] is required"},
  }));
  const Outcome outcome = foreshard(arguments);
  CHECK(outcome.code == 2);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, message));
}

TEST_CASE("help and version are results") {
  const Outcome help = foreshard("--help");
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  for (const char* word : {"run", "check", "topology"}) CHECK(contains(help.out, word));
  const Outcome version = foreshard("--version");
  CHECK(version.code == 0);
  CHECK(version.out.starts_with("foreshard "));
}

TEST_CASE("a scenario that cannot be read ends with 1 and names it") {
  const Outcome outcome = foreshard("run no_such_file.yaml");
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("no_such_file.yaml: error: "));
}

TEST_CASE("all mistakes of a scenario are told at once, each at its place") {
  const Folder folder;
  write_file(folder / "bad.yaml", "name: x\nmodle: {}\nplan:\n  tensor_parallel: two\n");
  const Outcome outcome = foreshard("check '" + (folder / "bad.yaml") + "'");
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, "bad.yaml:2:1: error: unknown key 'modle'"));
  CHECK(contains(outcome.err, "bad.yaml:4:20: error: "));
}

TEST_CASE("check of a good scenario says so on stdout") {
  const Outcome outcome = foreshard("check " + quick);
  CHECK(outcome.code == 0);
  CHECK(outcome.out == quick + ": no mistakes found\n");
}

TEST_CASE("check --schedule draws the pipeline, a row for each stage") {
  const Outcome outcome = foreshard(
      "check scenarios/strategies/pipeline-table.yaml --schedule --set plan.schedule=zb-h1 "
      "--set plan.schedule_file=null");
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "zb-h1"));
  CHECK(contains(outcome.out, "\n  3 |      F0B0F1B1F2B2F3B3W0W1W2W3| 1, 4\n"));
}

TEST_CASE("every communication backend runs, and one without measurements says so") {
  const auto [backend, calibrated] = GENERATE(table<std::string, bool>({{"nccl", true},
                                                                        {"ncclx", false},
                                                                        {"rccl", false},
                                                                        {"xccl", false},
                                                                        {"gloo", false},
                                                                        {"mpi", false},
                                                                        {"analytic", false},
                                                                        {"zero", false}}));
  const Outcome outcome = foreshard("run " + quick + " --set communication.backend=" + backend);
  INFO(backend << outcome.err);
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "step time"));
  CHECK(contains(outcome.out, "uncalibrated parameters") != calibrated);
}

TEST_CASE("a table of measurements prices the groups that it has") {
  const Folder folder;
  write_file(folder / "t.csv",
             "id,collective,gpu,n_gpus,n_nodes,size_bytes,time_us\n"
             "a,all_gather,H100-SXM5-80GB,2,1,1048576,40\n"
             "b,all_gather,H100-SXM5-80GB,2,1,1073741824,4000\n");
  const Outcome outcome = foreshard("run " + quick +
                                    " --set communication.backend=measured --set "
                                    "'communication.table=" +
                                    (folder / "t.csv") + "' --json -");
  CHECK(outcome.code == 0);
  bool measured = false;
  bool fallen_back = false;
  const json report = json::parse(outcome.out);
  for (const json& source : report.at("sources")) {
    const std::string name = source.at("name");
    measured = measured || name.starts_with("measured collectives of ");
    fallen_back = fallen_back || contains(name, ", for groups that ");
  }
  CHECK(measured);
  CHECK(fallen_back);
}

TEST_CASE("run prints the table, without colours when stdout is no terminal") {
  const Outcome outcome = foreshard("run " + quick);
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "step time"));
  CHECK(contains(outcome.out, "MFU"));
  CHECK_FALSE(contains(outcome.out, "\x1b"));
  CHECK_FALSE(contains(outcome.err, "\x1b"));
}

TEST_CASE("with --json - stdout carries JSON and nothing else") {
  const Outcome outcome = foreshard("run " + quick + " --fidelity analytic --json -");
  CHECK(outcome.code == 0);
  const json report = json::parse(outcome.out);
  CHECK(report.at("schema") == "foreshard.report.v1");
  CHECK(report.at("fidelity") == "analytic");
  CHECK(report.at("ranks") == 16);
  CHECK(report.at("memory").at("fits") == true);
  double sum = 0;
  for (const auto& part : report.at("breakdown")) sum += part.get<double>();
  CHECK(sum == Approx(report.at("step_time_s").get<double>()));
  CHECK(report.at("step_time_p10_s") <= report.at("step_time_s"));
  CHECK(report.at("step_time_s") <= report.at("step_time_p90_s"));
}

TEST_CASE("no engine beats the bound without contention, and the same input gives the same bytes") {
  const auto fidelity = GENERATE(as<std::string>(), "analytic", "hybrid", "flow");
  const std::string arguments = "run " + quick + " --json - --fidelity " + fidelity;
  const Outcome first = foreshard(arguments);
  REQUIRE(first.code == 0);
  const json report = json::parse(first.out);
  CHECK(report.at("step_time_s").get<double>() >=
        report.at("lower_bound_s").get<double>() * (1 - 1e-6));
  CHECK(foreshard(arguments).out == first.out);
}

TEST_CASE("one value of the scenario is changed by --set") {
  const Outcome outcome = foreshard(
      "run " + quick + " --fidelity analytic --json - --set plan.sequence=4096 --set name=short");
  REQUIRE(outcome.code == 0);
  const json report = json::parse(outcome.out);
  CHECK(report.at("scenario") == "short");
  CHECK(report.at("tokens_per_step") == 128 * 4096);
  const Outcome mistake = foreshard("run " + quick + " --set plan.zreo=3");
  CHECK(mistake.code == 1);
  CHECK(contains(mistake.err, "--set plan.zreo=3"));
}

TEST_CASE("the network is changed by --set: faults as a name, a list or a map, and its fabric") {
  const auto told = [](const std::string& set) {
    return foreshard("run " + quick + " --fidelity analytic --set '" + set + "'");
  };
  for (const auto& [set, note] : std::initializer_list<std::pair<std::string, std::string>>{
           {"network.link_down=gpu-0/nic-0", "cables down: 2"},
           {"network.link_down=[gpu-0/nic-0, gpu-1/nic-*]", ""},
           {"network.link_degraded={gpu-0/nic-0: 0.5}", "cables degraded: 2"},
           {"network.routing=adaptive", "adaptive routing"},
           {"network.ecmp_seed=7", ""},
           {"network.pxn=false", ""},
           {"cluster.fabric.oversubscription=4", "divided by 4"}}) {
    INFO(set);
    const Outcome outcome = told(set);
    if (set.find("nic-*") == std::string::npos) {
      CHECK(outcome.code == 0);
      CHECK(contains(outcome.out, note));
    } else {
      CHECK(outcome.code == 1);  // nothing is left between the two nodes
      CHECK(contains(outcome.err, "--set network.link_down=[gpu-0/nic-0, gpu-1/nic-*]: error: "));
      CHECK(contains(outcome.err, "leave no path from gpu-0/gpu-0 to gpu-1/gpu-0"));
    }
  }
}

TEST_CASE("a plan that does not fit ends with 3, with its report and its largest parts") {
  const std::string oversized =
      " --set plan.recompute=none --set plan.zero=0 --set plan.tensor_parallel=1"
      " --set plan.sequence_parallel=false --set plan.micro_batch=8 --fidelity analytic";
  const Outcome outcome = foreshard("run " + quick + oversized);
  CHECK(outcome.code == 3);
  CHECK(outcome.out.starts_with("DOES NOT FIT"));
  CHECK(contains(outcome.err, "does not fit"));
  CHECK(contains(outcome.err, "largest: activations"));
  CHECK(contains(outcome.err, "saves"));  // a neighbouring plan was tried
  const Outcome as_json = foreshard("run " + quick + oversized + " --json -");
  CHECK(as_json.code == 3);
  CHECK(json::parse(as_json.out).at("memory").at("fits") == false);
}

TEST_CASE("mistakes of a file are told from its top down, in whatever order they are found") {
  const Folder folder;
  const std::string path = folder / "a.yaml";
  std::ofstream(path) << "plan:\n"
                         "  micro_batch: 0\n"
                         "  execution: {deferred_frees: -3, gated_activation: together}\n"
                         "  sequence: 0\n"
                         "cluster: 7\n";
  const Outcome outcome = foreshard("run " + path);
  CHECK(outcome.code == 1);
  std::size_t last = 0;
  for (const char* place : {":2:16: ", ":3:31: ", ":3:53: ", ":4:13: ", ":5:10: "}) {
    INFO(place << " in " << outcome.err);
    const std::size_t at = outcome.err.find("a.yaml" + std::string(place));
    REQUIRE(at != std::string::npos);
    CHECK(at >= last);
    last = at;
  }
}

TEST_CASE("tensors that wait for collectives are memory that a variable of PyTorch saves") {
  // 16 sequences of 8,192 tokens and 4,096 elements of 2 bytes: 1 GiB each.
  const Outcome outcome =
      foreshard("run " + quick +
                " --set plan.tensor_parallel=8 --set plan.micro_batch=16 --set plan.recompute=full"
                " --set 'plan.execution={deferred_frees: 55}' --fidelity analytic --json -");
  CHECK(outcome.code == 3);
  CHECK(contains(outcome.err, "largest: deferred 55.0 GiB"));
  CHECK(contains(outcome.err, "(TORCH_NCCL_AVOID_RECORD_STREAMS=1 saves 55.0 GiB and fits)"));
  const auto parts = json::parse(outcome.out).at("memory").at("parts");
  CHECK(parts.at("deferred_bytes") == std::int64_t{55} << 30);
}

TEST_CASE("files are written where they were asked for") {
  const Folder folder;
  const Outcome outcome =
      foreshard("run " + quick + " --json '" + (folder / "r.json") + "' --trace '" +
                (folder / "a trace.json") + "' --dot '" + (folder / "c.dot") + "'");
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "step time"));  // the table is still there
  CHECK(json::parse(contents_of(folder / "r.json")).at("ranks") == 16);
  CHECK(json::parse(contents_of(folder / "a trace.json")).at("traceEvents").size() > 100);
  CHECK(contains(contents_of(folder / "c.dot"), "graph"));
}

TEST_CASE("the cluster is drawn as DOT on stdout, or as SVG by Graphviz") {
  const Outcome dot = foreshard("topology render " + quick);
  CHECK(dot.code == 0);
  CHECK(contains(dot.out, "graph"));
  const Folder folder;
  const Outcome svg = foreshard("topology render " + quick + " --svg '" + (folder / "c.svg") + "'");
  CHECK(svg.code == 0);
  CHECK(svg.out.empty());
  CHECK(contains(contents_of(folder / "c.svg"), "<svg"));
}

TEST_CASE("a broken world ends with 70") {
  const Folder folder;
  const Outcome no_dot = foreshard(
      "topology render " + quick + " --svg '" + (folder / "c.svg") + "'", "PATH=/nonexistent");
  CHECK(no_dot.code == 70);
  CHECK(contains(no_dot.err, "Graphviz"));
  const Outcome full = foreshard("run " + quick + " --fidelity analytic --json /dev/full");
  CHECK(full.code == 70);
  CHECK(contains(full.err, "/dev/full: cannot be written"));
}

TEST_CASE("the hardware registry can be another folder") {
  const Folder folder;
  const Outcome outcome =
      foreshard("check " + quick, "FORESHARD_HARDWARE='" + (folder / "nothing") + "'");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "nothing"));
}

TEST_CASE("what is broken or narrow in the network moves the answer, and the link is named") {
  // Eight nodes, four under a set of leaves; gradients meet between node i and node i + 4, so four
  // rings a rail cross to the other leaf.
  const std::string run =
      "run scenarios/llama3-70b-64xh100.yaml --set cluster.fabric.nodes_per_leaf=4 "
      "--set plan.rank_order=tp-cp-pp-dp --set network.routing=adaptive --json -";
  const json whole = json::parse(foreshard(run).out);
  CHECK(whole["ranks_played"] < whole["ranks"]);
  const auto [change, link] = GENERATE(table<std::string, std::string>({
      {"network.link_down=node-2/nic-3", "nic-"},
      {"network.link_degraded={node-2/nic-3: 0.25}", "node-2/nic-3"},
      {"cluster.fabric.oversubscription=4", "spine-0"},
  }));
  const Outcome outcome = foreshard(run + " --set '" + change + "'");
  INFO(change << outcome.err);
  REQUIRE(outcome.code == 0);
  const json changed = json::parse(outcome.out);
  CHECK(changed["step_time_s"] > whole["step_time_s"].get<double>() * 1.0002);
  CHECK(contains(changed["binding_link"], link));
  CHECK(contains(changed["binding_link"], "binds: asked for more than that during"));
  CHECK(changed["links"][0]["lost_s"] > 0.0);
}

TEST_CASE("an override that leaves a collective nothing is told, and one that does not is not") {
  const std::string run = "run " + quick + " --set communication.algorithms=";
  const Outcome nothing = foreshard(run + "tree");
  CHECK(nothing.code == 1);
  CHECK(nothing.out.empty());
  CHECK(contains(nothing.err, "leave nccl nothing for all_gather of 8 ranks on 2 nodes"));
  CHECK(foreshard(run + "allreduce:tree").code == 0);
}

TEST_CASE("an override is obeyed by all who go by NCCL's words") {
  // NVLS adds in the switch, which RCCL never does; between nodes it needs a network that adds.
  const std::string backend = GENERATE(as<std::string>(), "nccl", "ncclx", "rccl");
  const Outcome outcome = foreshard("run " + quick + " --set communication.backend=" + backend +
                                    " --set communication.algorithms=nvls");
  INFO(backend << outcome.err);
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(
      contains(outcome.err, "leave " + backend + " nothing for all_gather of 8 ranks on 2 nodes"));
}

TEST_CASE("a plug-in that sends no messages prices no pipeline") {
  const std::string run =
      "run " + quick + " --set communication.backend=mute --set plan.pipeline_parallel=";
  const std::string library = "FORESHARD_BACKEND_MUTE_LIB='" FORESHARD_MUTE_PLUGIN "'";
  const Outcome piped = foreshard(run + "2", library);
  INFO(piped.err);
  CHECK(piped.code == 1);
  CHECK(piped.out.empty());
  CHECK(contains(piped.err, "communication backend mute has no send_receive"));
  CHECK(foreshard(run + "1", library).code == 0);
}

TEST_CASE("memory is that of each rank's own GPU") {
  // 40 GB GPUs beside 80 GB ones: what fits the larger alone does not fit, whichever come first.
  const auto nodes =
      GENERATE(as<std::string>(), "[{type: dgx-a100-80, count: 1}, {type: dgx-a100, count: 1}]",
               "[{type: dgx-a100, count: 1}, {type: dgx-a100-80, count: 1}]");
  const std::string run = "run " + quick + " --fidelity analytic --json - --set 'cluster={nodes: ";
  const auto memory = [&](const std::string& of) {
    const json report = json::parse(foreshard(run + of + "}'").out);
    return report.at("memory");
  };
  const json larger = memory("{type: dgx-a100-80, count: 2}");
  REQUIRE(larger.at("fits") == true);
  REQUIRE(larger.at("peak_bytes") > 42949672960);  // 40 GiB
  const json mixed = memory(nodes);
  CHECK(mixed.at("capacity_bytes") == 42949672960);
  CHECK(mixed.at("fits") == false);
}

}  // namespace
