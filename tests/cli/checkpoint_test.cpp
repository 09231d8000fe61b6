// foreshard checkpoint summarize: what scripts see of it.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/program.hpp"
#include "tests/support/catch.hpp"

namespace {

using nlohmann::json;

const std::string files = "tests/strategies/checkpoint_files/";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The model of tests/strategies/checkpoint_files/sharded on one GPU of a node.
std::string scenario(const std::string& extra = "") {
  return "name: small\n"
         "model: {layers: 2, hidden: 8, ffn: 16, heads: 2, kv_heads: 1, head_dim: 4, vocab: 32,\n"
         "        positions: 64, gated: true, activation: silu, norm: rms, position: rotary}\n"
         "cluster: {nodes: {type: dgx-h100, count: 1}, fabric: {kind: single_switch}}\n"
         "plan: {data_parallel: 4, zero: 3, global_batch: 4, sequence: 16" +
         extra + "}\n";
}

TEST_CASE("a checkpoint is summarised as text and as JSON") {
  const Outcome text = foreshard("checkpoint summarize " + files + "train.pt --depth 1");
  CHECK(text.code == 0);
  CHECK(text.err.empty());
  CHECK(contains(text.out, "PyTorch (zip), 1 file, 15 tensors"));
  CHECK(contains(text.out, "model.embed.weight = model.head.weight"));
  CHECK(contains(text.out, "iteration: 3"));
  const Outcome outcome = foreshard("checkpoint summarize " + files + "train.pt --json -");
  REQUIRE(outcome.code == 0);
  const json answer = json::parse(outcome.out);
  CHECK(answer.at("schema") == "foreshard.checkpoint.v1");
  CHECK(answer.at("tensors").size() == 15);
  std::int64_t optimizer = 0;
  for (const json& total : answer.at("totals"))
    if (total.at("role") == "optimizer") optimizer += total.at("bytes").get<std::int64_t>();
  // Two moments of 128 + 128 + 16 floats and three steps.
  CHECK(optimizer == 4 * (2 * (128 + 128 + 16) + 3));
}

TEST_CASE("the tree of modules adds up and is as deep as asked") {
  const Outcome outcome = foreshard("checkpoint summarize " + files + "sharded --depth 3 --json -");
  REQUIRE(outcome.code == 0);
  std::int64_t top = 0;
  int deepest = 0;
  const json answer = json::parse(outcome.out);
  for (const json& row : answer.at("modules")) {
    if (row.at("depth") == 0) top += row.at("bytes").get<std::int64_t>();
    deepest = std::max(deepest, row.at("depth").get<int>());
  }
  CHECK(top == 3408);
  CHECK(deepest == 2);
}

TEST_CASE("damage ends with 1, and what could be read is still shown") {
  const Folder folder;
  std::filesystem::copy(std::string(FORESHARD_SOURCE_DIR) + "/" + files + "sharded", folder / "m");
  std::filesystem::remove(folder / "m/model-00002-of-00002.safetensors");
  const Outcome outcome = foreshard("checkpoint summarize '" + (folder / "m") + "'");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err,
                 "error: shard 'model-00002-of-00002.safetensors' is not in the folder"));
  CHECK(contains(outcome.out, "safetensors, 1 file, 10 tensors"));
  const Outcome none = foreshard("checkpoint summarize no/such/file.pt");
  CHECK(none.code == 1);
  CHECK(contains(none.err, "no/such/file.pt: error: is no file and no folder"));
  write_file(folder / "text.pt", "hello, this is text");
  CHECK(contains(foreshard("checkpoint summarize '" + (folder / "text.pt") + "'").err,
                 "neither safetensors nor a file of torch.save"));
}

TEST_CASE("a checkpoint is held against a scenario") {
  const Folder folder;
  write_file(folder / "s.yaml", scenario());
  const std::string command =
      "checkpoint summarize " + files + "sharded --scenario '" + (folder / "s.yaml") + "'";
  const Outcome outcome = foreshard(command + " --json -");
  REQUIRE(outcome.code == 0);
  const json fit = json::parse(outcome.out).at("fit");
  CHECK(fit.at("naming") == "Llama");
  CHECK(fit.at("parameters_saved") == 1704);
  CHECK(fit.at("parameters_wanted") == 1704);
  CHECK(fit.at("missing").empty());
  // A quarter of 3,408 bytes.
  CHECK(fit.at("rank_read_bytes") == 852);
  CHECK(fit.at("loads") == true);
  CHECK(contains(foreshard(command).out, "as Llama: 21 tensors match"));
}

TEST_CASE("another model than the scenario's ends with 1") {
  const Folder folder;
  std::string other = scenario();
  other.replace(other.find("ffn: 16"), 7, "ffn: 24");
  write_file(folder / "s.yaml", other);
  const Outcome outcome = foreshard("checkpoint summarize " + files + "sharded --scenario '" +
                                    (folder / "s.yaml") + "'");
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.err, "0 are missing, 6 have another shape"));
  CHECK(contains(outcome.out,
                 "model.layers.0.mlp.gate_proj.weight: [16, 8], the model wants [24, 8]"));
}

TEST_CASE("a plan whose states do not fit a GPU ends with 3") {
  // Llama-3.1-70B whole on one GPU: 70.6 billion parameters at 2 + 4 + 4 + 8 bytes.
  const Folder folder;
  write_file(folder / "s.yaml",
             "model: {config: " FORESHARD_SOURCE_DIR
             "/scenarios/models/llama-3.1-70b/config.json}\n"
             "cluster: {nodes: {type: dgx-h100, count: 1}, fabric: {kind: single_switch}}\n"
             "plan: {data_parallel: 1, global_batch: 1, sequence: 1024}\n");
  const Outcome outcome = foreshard("checkpoint summarize " + files + "legacy.bin --scenario '" +
                                    (folder / "s.yaml") + "'");
  CHECK(outcome.code == 3);
  CHECK(contains(outcome.err, "cannot be loaded"));
}

}  // namespace
