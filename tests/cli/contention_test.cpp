// What placement is for: on pieces of a cluster a job meets its neighbour on the way out of leaves,
// on the nodes that `place assign` chooses it does not.

#include <regex>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace {

/// Leaves of two nodes, uplinks half as wide as their NICs together.
const std::string cluster = "model: {config: " FORESHARD_SOURCE_DIR
                            "/scenarios/models/llama-3.1-8b/config.json}\n"
                            "cluster:\n  nodes: {type: dgx-h100, count: 8}\n"
                            "  fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 2}\n"
                            "network: {routing: adaptive}\n";
const std::string plan =
    "tensor_parallel: 8, zero: 1, sequence_parallel: true, micro_batch: 1, global_batch: 16, "
    "sequence: 4096";

/// How many times as long the second job's step takes beside the first.
double slowdown(const std::string& json) {
  static const std::regex pattern("\"slowdown\": ([0-9.e+-]+)");
  auto match = std::sregex_iterator(json.begin(), json.end(), pattern);
  REQUIRE(std::distance(match, std::sregex_iterator()) == 2);
  return std::stod((*++match)[1]);
}

}  // namespace

TEST_CASE("the placement that is chosen on a fragmented cluster takes the contention away") {
  const Folder folder;
  // node-0 and node-2 are taken, so the first four free ones are in pieces: 1, 3, 4, 5.
  const std::string alone = folder / "alone.yaml";
  write_file(alone, cluster + "plan: {data_parallel: 4, " + plan + "}\n");
  const Outcome assign =
      foreshard("place assign '" + alone + "' --free 'node-[1,3-7]' --to hostlist");
  REQUIRE(assign.code == 0);
  CHECK(assign.out == "node-[4-7]\n");

  const auto beside = [&](const std::string& nodes) {
    const std::string file = folder / "jobs.yaml";
    write_file(file, cluster + "plan: {" + plan +
                         "}\njobs:\n"
                         "- {name: other, placement: {nodes: [node-0, node-2]}}\n"
                         "- {name: mine, placement: {nodes: [" +
                         nodes + "]}}\n");
    return foreshard("run '" + file + "' --json -");
  };
  const Outcome pieces = beside("node-1, node-3, node-4, node-5");
  REQUIRE(pieces.code == 0);
  CHECK(slowdown(pieces.out) > 1.01);
  CHECK(pieces.out.find("leaf-0 -> spine-0") != std::string::npos);  // where they meet
  const Outcome chosen = beside("node-4, node-5, node-6, node-7");
  REQUIRE(chosen.code == 0);
  CHECK(slowdown(chosen.out) == Approx(1).epsilon(1e-6));
}
