// place assign and place evaluate, as scripts see them.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Eight nodes of a job on five leaves of four, 8:1 above them.
struct Placed {
  Folder folder;
  std::string scenario = folder / "job.yaml";

  explicit Placed(const std::string& more = "") {
    write_file(
        scenario,
        "name: job\n"
        "model: {layers: 8, hidden: 4096, ffn: 14336, heads: 32, kv_heads: 8, vocab: 32000}\n"
        "cluster:\n"
        "  nodes: {type: dgx-h100, count: 20}\n"
        "  fabric: {kind: fat_tree, nodes_per_leaf: 4, oversubscription: 8}\n"
        "plan: {tensor_parallel: 8, pipeline_parallel: 2, data_parallel: 4, micro_batch: 1, "
        "global_batch: 64, sequence: 4096}\n" +
            more);
  }
  Outcome run(const std::string& command, const std::string& options) const {
    return foreshard("place " + command + " '" + scenario + "' " + options);
  }
};

TEST_CASE("place assign writes a placement that a scenario takes") {
  const Placed job;
  const std::string file = job.folder / "placement.json";
  const Outcome outcome =
      job.run("assign", "--free 'node-[2-3,5-9,12-18]' --spare 2 --json '" + file + "'");
  REQUIRE(outcome.code == 0);
  CHECK(contains(outcome.out, "8 nodes of 8 ranks, chosen from 14 free ones"));
  CHECK(contains(outcome.out, "pipeline over pp: activation"));
  const json answer = json::parse(contents_of(file));
  CHECK(answer["schema"] == "foreshard.placement.v1");
  const auto nodes = answer["nodes"].get<std::vector<std::string>>();
  CHECK(std::set<std::string>(nodes.begin(), nodes.end()).size() == 8);
  CHECK(answer["spares"].size() == 2);
  for (const auto& spare : answer["spares"])
    CHECK(std::find(nodes.begin(), nodes.end(), spare) == nodes.end());
  CHECK(answer["step_time_s"].get<double>() <= answer["in_cluster_order"]["step_time_s"]);
  CHECK(answer["model"]["bound_s"].get<double>() <= answer["model"]["step_time_s"]);

  const Placed again("placement: {file: placement.json}\n");
  write_file(again.folder / "placement.json", contents_of(file));
  const Outcome step = foreshard("run '" + again.scenario + "' --json -");
  REQUIRE(step.code == 0);
  CHECK(json::parse(step.out)["step_time_s"].get<double>() ==
        Approx(answer["step_time_s"].get<double>()));
}

TEST_CASE("place assign gives the same bytes twice") {
  const Placed job;
  const std::string options = "--free 'node-[1-9,12-18]' --json -";
  CHECK(job.run("assign", options).out == job.run("assign", options).out);
}

TEST_CASE("place assign writes for other programs") {
  const Placed job;
  // Leaves of eight: the first one takes all of it.
  const std::string nodes =
      "--set cluster.fabric.nodes_per_leaf=8 --set cluster.fabric.switch_ports=128 --required leaf "
      "--confirm 0 --to ";
  CHECK(job.run("assign", nodes + "hostlist").out == "node-[0-7]\n");
  CHECK(job.run("assign", nodes + "pod-index").out.starts_with("0 node-0\n1 node-1\n"));
  const Outcome ranks = job.run("assign", nodes + "rankfile");
  CHECK(ranks.out.starts_with("rank 0=node-0 slot=0\nrank 1=node-0 slot=1\n"));
  CHECK(std::count(ranks.out.begin(), ranks.out.end(), '\n') == 64);
  CHECK(job.run("assign", nodes + "slurm-hostfile").out.starts_with("node-0\nnode-0\n"));
  CHECK(contains(job.run("assign", nodes + "kueue").out,
                 "kueue.x-k8s.io/podset-required-topology: \"leaf\""));
  CHECK(contains(job.run("assign", nodes + "volcano").out, "highestTierAllowed: 1"));
  // And what it wrote can be read again.
  write_file(job.folder / "ranks", ranks.out);
  const Outcome judged =
      job.run("evaluate", "--random 0 --json - --nodes '" + (job.folder / "ranks") + "'");
  REQUIRE(judged.code == 0);
  CHECK(json::parse(judged.out)["placements"][0]["nodes"][7] == "node-7");
}

TEST_CASE("where nothing fits the reason and what would fit are told, with 3") {
  const Placed job;
  const auto [options, message] = GENERATE(table<std::string, std::string>({
      {"--free 'node-[1-7]'", "8 nodes are needed for 64 ranks, 7 are free: node-0 not in --free"},
      {"--exclude 'node-[0-12]'", "7 are free: node-0 excluded"},
      {"--required leaf",
       "8 nodes are needed in one domain of level leaf (the largest, leaf-0 of "
       "level leaf, has 4 free nodes)"},
      {"--slice 4 --slice-level leaf --exclude node-3,node-4,node-8,node-12",
       "2 slices of 4 nodes are needed, each in one domain of level leaf (1 fit)"},
      {"--spare 13", "21 nodes are needed for 64 ranks and 13 spares, 20 are free"},
  }));
  const Outcome outcome = job.run("assign", options);
  CHECK(outcome.code == 3);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, message));
}

TEST_CASE("wrong words about nodes and levels are mistakes") {
  const Placed job;
  const auto [options, code, message] = GENERATE(table<std::string, int, std::string>({
      {"--required leef", 1, "the cluster has no level 'leef' (did you mean 'leaf'?)"},
      {"--free node-1,node-99", 1, "unknown node 'node-99'"},
      {"--free 'node-[1'", 1, "hostlist"},
      {"--to torchrun", 2, "torchrun"},
      {"--slice 2", 2, "--slice requires --slice-level"},
      {"--preferred leaf --required leaf", 2, "excludes"},
  }));
  const Outcome outcome = job.run("assign", options);
  CHECK(outcome.code == code);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, message));
}

TEST_CASE("slices stay in their domains, and a preferred level is climbed from") {
  const Placed job;
  const Outcome outcome =
      job.run("assign",
              "--confirm 0 --json - --slice 2 --slice-level leaf --free 'node-[0,1,4-6,"
              "8-10,12-14,16-18]'");
  REQUIRE(outcome.code == 0);
  const json nodes = json::parse(outcome.out)["nodes"];
  const auto leaf = [&](std::size_t i) {
    return std::stoi(nodes[i].get<std::string>().substr(5)) / 4;
  };
  for (std::size_t i = 0; i < 8; i += 2) CHECK(leaf(i) == leaf(i + 1));
  CHECK(contains(job.run("assign", "--preferred leaf").out, "of level spine"));
}

TEST_CASE("place evaluate holds a placement against rules and chance, and says what to swap") {
  const Placed job;
  // The pipeline's stages dealt out over the leaves: every ring leaves its leaf.
  const std::string nodes =
      "--nodes node-0,node-4,node-1,node-5,node-8,node-12,node-9,node-13 --random 6";
  const Outcome outcome = job.run("evaluate", nodes);
  REQUIRE(outcome.code == 0);
  for (const char* word : {"this placement", "best found", "Kueue BestFit", "Slurm topology/tree",
                           "dlcalc topoassign", "6 random ones", "swap node-"})
    CHECK(contains(outcome.out, word));
  const json answer = json::parse(job.run("evaluate", nodes + " --json -").out);
  CHECK(answer["schema"] == "foreshard.placement_evaluation.v1");
  CHECK(answer["placements"][1]["step_time_s"] <= answer["placements"][0]["step_time_s"]);
  CHECK(answer["changes"][0]["saved_s"].get<double>() > 0);
  CHECK(answer["random"]["count"] == 6);
  CHECK(job.run("evaluate", "--nodes node-0").code == 1);
}

/// Twelve nodes on three racks; a job of eight pods holds one of each pair by turns.
std::string dump_with_job() {
  json list{{"kind", "List"}, {"apiVersion", "v1"}, {"items", json::array()}};
  for (int i = 0; i < 12; ++i)
    list["items"].push_back(
        {{"kind", "Node"},
         {"apiVersion", "v1"},
         {"metadata",
          {{"name", "gpu-" + std::to_string(i)},
           {"labels",
            {{"nvidia.com/gpu.machine", "DGXH100"},
             {"nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"},
             {"nvidia.com/gpu.count", "8"},
             {"nvidia.com/gpu.memory", "81559"},
             {"example.com/rack", "rack-" + std::to_string(i / 4)}}}}},
         {"spec", json::object()},
         {"status",
          {{"allocatable", {{"nvidia.com/gpu", "8"}}},
           {"conditions", json::array({{{"type", "Ready"}, {"status", "True"}}})}}}});
  for (int i = 0; i < 8; ++i)
    list["items"].push_back(
        {{"kind", "Pod"},
         {"apiVersion", "v1"},
         {"metadata",
          {{"name", "llm-" + std::to_string(i)},
           {"namespace", "ml"},
           {"labels",
            {{"batch.kubernetes.io/job-name", "llm"},
             {"batch.kubernetes.io/job-completion-index", std::to_string(i)}}},
           {"ownerReferences",
            json::array({{{"kind", "Job"}, {"name", "llm"}, {"controller", true}}})}}},
         {"spec",
          {{"nodeName", "gpu-" + std::to_string(i * 5 % 12)},
           {"containers", json::array({{{"name", "main"},
                                        {"resources",
                                         {{"requests", {{"nvidia.com/gpu", "8"}}},
                                          {"limits", {{"nvidia.com/gpu", "8"}}}}}}})}}},
         {"status", {{"phase", "Running"}}}});
  return list.dump(1);
}

TEST_CASE("a job that runs is judged where its pods are, and others get what it leaves") {
  const Placed job;
  write_file(job.folder / "dump.json", dump_with_job());
  write_file(job.scenario,
             "name: job\n"
             "model: {layers: 8, hidden: 4096, ffn: 14336, heads: 32, kv_heads: 8, vocab: 32000}\n"
             "cluster: {import: dump.json, levels: [example.com/rack]}\n"
             "plan: {tensor_parallel: 8, pipeline_parallel: 2, data_parallel: 4, micro_batch: 1, "
             "global_batch: 64, sequence: 4096}\n");
  const Outcome outcome = job.run("evaluate", "--job ml/llm --random 0 --json -");
  REQUIRE(outcome.code == 0);
  const json nodes = json::parse(outcome.out)["placements"][0]["nodes"];
  CHECK(nodes ==
        json::array({"gpu-0", "gpu-5", "gpu-10", "gpu-3", "gpu-8", "gpu-1", "gpu-6", "gpu-11"}));
  const Outcome unknown = job.run("evaluate", "--job ml/lln");
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "did you mean 'ml/llm'?"));
  const Outcome taken = job.run("assign", "");
  CHECK(taken.code == 3);
  CHECK(contains(taken.err, "4 are free: gpu-0 has 0 of 8 GPUs free"));
  const Outcome rest = job.run(
      "assign", "--set plan.data_parallel=2 --required example.com/rack --confirm 0 --to hostlist");
  CHECK(rest.code == 3);
  CHECK(contains(rest.err, "4 nodes are needed in one domain of level example.com/rack"));
}

}  // namespace
