// Scenarios with several jobs as they are read: defaults, seats, and every mistake at its place.

#include "sim/workload.hpp"

#include <fstream>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace sim {
namespace {

/// Lines 1 to 5; `jobs` follow.
const std::string head = "model: {config: " FORESHARD_SOURCE_DIR
                         "/scenarios/models/llama-3.1-8b/config.json}\n"
                         "cluster:\n"
                         "  nodes: {type: dgx-h100, count: 4}\n"
                         "  fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 2}\n"
                         "plan: {tensor_parallel: 8, global_batch: 8, sequence: 1024}\n";

const std::string rows =
    "job_name,gpu_request,worker_num,submit_time,duration,job_type\n"
    "two,8,2,0,100,HP\nhalf,4,1,5,60,HP\nthree,8,3,7,60,HP\nhuge,8,64,9,10,HP\n";

base::Result<std::variant<Scenario, Workload>> read(const std::string& jobs) {
  const Folder folder;
  std::ofstream(folder / "s.yaml") << head << jobs;
  std::ofstream(folder / "t.csv") << rows;
  return load({folder / "s.yaml", {}, FORESHARD_SOURCE_DIR "/scenarios/hardware"});
}

Workload workload(const std::string& jobs) {
  auto loaded = read(jobs);
  INFO((loaded ? std::string() : loaded.error().front().format()));
  REQUIRE(loaded);
  return std::move(std::get<Workload>(*loaded));
}

/// The mistakes, without the folder.
std::string told(const std::string& jobs) {
  const auto loaded = read(jobs);
  if (loaded) return "";
  std::string text;
  for (const base::Diagnostic& one : loaded.error()) {
    if (one.severity != base::Severity::error) continue;
    const std::string line = one.format();
    text += line.substr(line.find_last_of('/', line.find(": error: ")) + 1) + "\n";
  }
  return text;
}

TEST_CASE("keys of a job go before those of the scenario") {
  const Workload made = workload(
      "jobs:\n"
      "- {name: a, placement: {nodes: [node-2, node-0]}}\n"
      "- {placement: {nodes: [node-1]}, plan: {zero: 1, global_batch: 4}}\n");
  REQUIRE(made.jobs.size() == 2);
  CHECK(made.policies.empty());  // played at once
  CHECK(made.jobs[0].scenario.name == "a");
  CHECK(made.jobs[1].scenario.name == "job 2");
  CHECK(made.jobs[0].scenario.plan.data == 2);
  CHECK(place_ranks(made.jobs[0].scenario).front() == 16);
  CHECK(made.jobs[1].scenario.plan.zero == 1);
  CHECK(made.jobs[1].scenario.plan.tensor == 8);
  CHECK(made.jobs[1].scenario.plan.global_batch == 4);
}

TEST_CASE("jobs without nodes of their own queue, with the plan that their GPUs give") {
  const Workload made = workload(
      "queue: {policy: [first-fit, foreshard], backfill: true}\n"
      "jobs:\n"
      "- {gpus: 16, steps: 10}\n"
      "- {gpus: 4, plan: {tensor_parallel: 2}, duration: 1 min, arrival: 3 s, priority: 2}\n");
  REQUIRE(made.policies.size() == 2);
  CHECK(made.policies[1]->name == "foreshard");
  CHECK(made.backfill);
  CHECK(made.jobs[0].request == queue::Request{2, 8});
  CHECK(made.jobs[0].scenario.plan.data == 2);
  CHECK(made.jobs[0].steps == 10);
  CHECK(made.jobs[1].request == queue::Request{1, 4});
  CHECK(made.jobs[1].scenario.plan.data == 2);
  CHECK(made.jobs[1].arrival.s() == 3);
  CHECK(made.jobs[1].duration.s() == 60);
  CHECK(made.jobs[1].priority == 2);
}

TEST_CASE("jobs of a trace are played by the smallest rung that has their GPUs") {
  const Workload made = workload(
      "jobs: {trace: t.csv, format: alibaba-spot, map: [{gpus: 32}, {gpus: 8}, {gpus: 16}]}\n");
  REQUIRE(made.replay);
  const Replay& replay = *made.replay;
  REQUIRE(replay.trace.jobs.size() == 3);  // `huge` is left out
  CHECK(replay.rung_of_job[0] == 1U);      // rungs are in order: 8, 16, 32
  CHECK(replay.rung_of_job[1] == std::nullopt);
  CHECK(replay.rung_of_job[2] == 2U);
  std::string notes;
  for (const base::Diagnostic& note : made.notes) notes += note.message + "\n";
  CHECK(notes.find("1 jobs need more GPUs than the largest rung") != std::string::npos);
  CHECK(notes.find("1 jobs get the GPUs of the next larger rung") != std::string::npos);
  CHECK(notes.find("synthetic pairing") != std::string::npos);
}

TEST_CASE("mistakes of scenarios with several jobs are told at their places") {
  CHECK(told("jobs: []\n") == "s.yaml:6:7: error: 'jobs' has 0 entries (from 1 to 1000)\n");
  for (const char* none : {"jobs:\n", "jobs: many\n"})
    CHECK(told(none).find("error: 'jobs' is neither a list nor a map") != std::string::npos);
  CHECK(told("jobs:\n- {name: a}\n") ==
        "s.yaml:7:3: error: 'a' has neither 'gpus' nor a 'placement' (say how many GPUs it needs, "
        "or which nodes it has)\n");
  CHECK(told("jobs:\n- {gpus: 64}\n") ==
        "s.yaml:7:10: error: 64 GPUs are more than the cluster can give to one job\n");
  CHECK(told("jobs:\n- {gpus: 12, plan: {tensor_parallel: 4, global_batch: 6}}\n") ==
        "s.yaml:7:10: error: 12 GPUs are no whole nodes of 8 (part of one node, or whole ones)\n");
  CHECK(told("jobs:\n- {placement: {nodes: [node-0]}}\n- {placement: {nodes: [node-0]}}\n") ==
        "s.yaml:8:3: error: 'job 1' and 'job 2' both have GPUs of node-0\n");
  CHECK(told("jobs:\n- {gpus: 8}\n- {placement: {nodes: [node-1]}}\n")
            .starts_with("s.yaml:8:3: error: a job of a queue is placed by the queue's policy"));
  CHECK(told("jobs:\n- {gpus: 8, step: 3}\n").find("s.yaml:7:13: error: unknown key 'step'") == 0);
  CHECK(told("queue: {policy: kueu}\njobs:\n- {gpus: 8}\n") ==
        "s.yaml:6:17: error: unknown policy 'kueu' (did you mean 'kueue'?)\n");
  // What all jobs have in common is wrong once.
  CHECK(
      told("network: {routng: ecmp}\njobs:\n- {gpus: 8}\n- {gpus: 16}\n").find("unknown key", 60) ==
      std::string::npos);
  CHECK(told("jobs: {trace: t.csv, format: helios, map: [{gpus: 8}]}\n")
            .find("t.csv:1:1: error: the column 'job_id' is missing") == 0);
  CHECK(told("jobs: {trace: t.csv, format: lingjun, map: [{gpus: 8}]}\n")
            .find("s.yaml:6:15: error: lingjun takes 2 files, not 1") == 0);
}

TEST_CASE("whoever asks for one job is told that there are several") {
  const Folder folder;
  std::ofstream(folder / "s.yaml") << head << "jobs:\n- {gpus: 8}\n";
  const auto one =
      load_scenario({folder / "s.yaml", {}, FORESHARD_SOURCE_DIR "/scenarios/hardware"});
  REQUIRE_FALSE(one);
  CHECK(one.error().front().message == "a scenario with several jobs");
}

}  // namespace
}  // namespace sim
