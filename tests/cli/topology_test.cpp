#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace {

const std::string nodes = "tests/topology/dumps/kubernetes/nodes.yaml";
const std::string pods = "tests/topology/dumps/kubernetes/pods.yaml";
const std::string kueue = "tests/topology/dumps/kubernetes/kueue.yaml";
const std::string fabric = "tests/topology/dumps/ibsim-rails.ibnetdiscover";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("topology import joins dumps, and what it writes is read as the same cluster") {
  const Folder folder;
  const std::string file = folder / "c.json";
  const Outcome import =
      foreshard("topology import " + nodes + " " + pods + " " + kueue + " --output " + file);
  REQUIRE(import.code == 0);
  CHECK(contains(import.err, "levels as Kueue Topology default declares them"));
  const Outcome direct = foreshard("topology import " + nodes + " " + pods + " " + kueue);
  const Outcome again = foreshard("topology import " + file);
  CHECK(again.out == direct.out);
  const Outcome slurm = foreshard("topology import " + file + " --to slurm-tree");
  CHECK(slurm.code == 0);
  CHECK(contains(slurm.out, "SwitchName="));
  CHECK(foreshard("topology import " + file + " --to slum-tree").code == 2);
}

TEST_CASE("topology import leaves names out when the cluster is to be shown to others") {
  const Outcome whole = foreshard("topology import " + nodes + " " + pods + " " + kueue);
  const Outcome shown = foreshard("topology import --redact " + nodes + " " + pods + " " + kueue);
  REQUIRE(shown.code == 0);
  for (const std::string name : {"gpu-0", "gpu-3", "pod-1", "rack-", "10.", "yaml"}) {
    INFO(name);
    CHECK(contains(whole.out, name));
    CHECK_FALSE(contains(shown.out, name));
  }
  CHECK(contains(shown.out, "\"L1-1\""));
  CHECK(contains(shown.out, "cordoned"));
  // What is left is a cluster like the other.
  const Outcome fabric_shown = foreshard("topology import --redact " + fabric);
  const Folder folder;
  write_file(folder / "c.json", fabric_shown.out);
  const std::string show = "topology show --node-type dgx-h100 --json - ";
  const auto levels = [](const std::string& json) {
    return json.substr(json.find("\"bisection_bit_s\""), 60);
  };
  CHECK(levels(foreshard(show + "'" + (folder / "c.json") + "'").out) ==
        levels(foreshard(show + fabric).out));
}

TEST_CASE("strict imports write nothing when something is doubtful") {
  const Outcome loose = foreshard("topology import " + nodes);
  CHECK(contains(loose.err, "warning"));
  CHECK(loose.code == 0);
  const Outcome strict = foreshard("topology import --strict " + nodes);
  CHECK(strict.code == 1);
  CHECK(strict.out.empty());
}

TEST_CASE("topology show counts what the registry knows and says why nodes take nothing new") {
  const Outcome text = foreshard("topology show " + nodes + " " + pods);
  REQUIRE(text.code == 0);
  CHECK(contains(text.out, "cordoned"));
  CHECK(contains(text.out, "not Ready"));
  const Outcome unknown = foreshard("topology show " + fabric);
  CHECK(unknown.code == 0);
  CHECK(contains(unknown.out, "6 nodes, 0 GPUs"));
  CHECK(contains(unknown.err, "no dump tells which GPUs they have"));
  const Outcome typed = foreshard("topology show --node-type dgx-h100 " + fabric + " --json -");
  CHECK(typed.code == 0);
  CHECK(contains(typed.out, "\"schema\": \"foreshard.survey.v1\""));
  CHECK(contains(typed.out, "\"gpus\": 48"));  // 6 nodes of 8
}

TEST_CASE("topology diff tells what changed; what a calibration saw counts as a dump") {
  const Folder folder;
  const std::string before = folder / "before.json";
  const std::string after = folder / "after.json";
  write_file(before, R"({"schema": "foreshard.cluster.v1",
    "nodes": [{"name": "a", "gpus": 8}, {"name": "b", "gpus": 8}]})");
  write_file(after, R"({"schema": "foreshard.cluster.v1",
    "nodes": [{"name": "a", "gpus": 7}, {"name": "c", "gpus": 8}]})");
  const Outcome diff = foreshard("topology diff " + before + " " + after);
  CHECK(diff.code == 0);
  CHECK(diff.out ==
        "node gone (1)\n  b\n"
        "node new (1)\n  c\n"
        "number of GPUs (1)\n  a: 8 -> 7\n");
  CHECK(foreshard("topology diff " + before + " " + before).out == "no difference\n");
  CHECK(foreshard("topology diff " + before).code == 2);
}

TEST_CASE("topology render draws nodes by state, job or rank, and the network") {
  const Outcome state = foreshard("topology render --colour state " + nodes + " " + pods);
  REQUIRE(state.code == 0);
  CHECK(contains(state.out, "digraph"));
  CHECK(contains(state.out, "cordoned: 1 node"));
  CHECK(contains(foreshard("topology render --colour job " + nodes + " " + pods).out, "GPUs)"));
  CHECK(contains(foreshard("topology render scenarios/llama3-70b-64xh100.yaml --colour rank").out,
                 "stage 0"));
  CHECK(contains(foreshard("topology render --node-type dgx-h100 " + fabric).out, "leaf switch"));
  const Outcome dumps = foreshard("topology render --colour load " + nodes);
  CHECK(dumps.code == 1);
  CHECK(contains(dumps.err, "--colour load needs a scenario"));
  CHECK(foreshard("topology render --colour heat " + nodes).code == 1);
  const Outcome json = foreshard("topology render --node-type dgx-h100 --json - " + fabric);
  CHECK(contains(json.out, "\"schema\":\"foreshard.topology.v1\""));
}

TEST_CASE("every file that cannot be read or recognised is told") {
  const Folder folder;
  const std::string odd = folder / "odd.txt";
  write_file(odd, "hello\n");
  const Outcome outcome = foreshard("topology import " + odd + " no/such/file.json");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "no/such/file.json"));
  const Outcome unknown = foreshard("topology import " + odd);
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "is in no format that is known (name its format: foreshard, "));
  CHECK(contains(foreshard("topology import --format ibnetdiscove " + odd).err,
                 "did you mean 'ibnetdiscover'?"));
  const Outcome labels = foreshard("topology show --levels a,b " + fabric);
  CHECK(labels.code == 1);
  CHECK(contains(labels.err, "'levels' has no effect: no dump has labels of nodes"));
}
