// Checkpoints as they are on disk: files of torch.save, shards of safetensors and a distributed
// checkpoint from tests/strategies/checkpoint_files/write.py, and what damage to them is told.

#include "strategies/checkpoint_file/checkpoint_file.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/document.hpp"
#include "strategies/checkpoint_file/comparison.hpp"
#include "strategies/checkpoint_file/distributed.hpp"
#include "strategies/checkpoint_file/pickle.hpp"
#include "strategies/checkpoint_file/pickled_tensors.hpp"
#include "strategies/checkpoint_file/safetensors.hpp"
#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/folder.hpp"

namespace strategies::checkpoint_file {
namespace {

namespace fs = std::filesystem;

const std::string shipped =
    std::string(FORESHARD_SOURCE_DIR) + "/tests/strategies/checkpoint_files/";

const SavedTensor* find(const Checkpoint& checkpoint, const std::string& name) {
  for (const SavedTensor& tensor : checkpoint.tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

std::vector<std::string> messages(const base::Diagnostics& problems) {
  std::vector<std::string> all;
  for (const base::Diagnostic& one : problems) all.push_back(one.message);
  return all;
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A copy of a shipped folder that a test may damage.
void copy(const std::string& name, const std::string& to) {
  fs::copy(shipped + name, to, fs::copy_options::recursive);
}

TEST_CASE("a training state of torch.save is read without calling anything") {
  const auto checkpoint = read_checkpoint(shipped + "train.pt");
  REQUIRE(checkpoint);
  CHECK(checkpoint->format == "PyTorch (zip)");
  CHECK(checkpoint->problems.empty());
  // 4 of the model, 3 x 3 of AdamW, a random state, a view.
  CHECK(checkpoint->tensors.size() == 15);
  const SavedTensor* weight = find(*checkpoint, "model.fc.weight");
  REQUIRE(weight != nullptr);
  CHECK(weight->shape == Shape{16, 8});
  CHECK(weight->type->name == "F32");
  CHECK(weight->role() == Role::model);
  CHECK(find(*checkpoint, "optimizer.state.0.exp_avg")->role() == Role::optimizer);
  CHECK(find(*checkpoint, "rng_state")->role() == Role::other);
  // A view of 2 x 2 in a storage of 2 x 3 bf16.
  const SavedTensor* half = find(*checkpoint, "half");
  CHECK(half->bytes().count() == 8);
  CHECK(half->reserved.count() == 12);
  // The head is the embedding.
  CHECK(shared_tensors(*checkpoint) ==
        std::vector<std::vector<std::string>>{{"model.embed.weight", "model.head.weight"}});
  // Storages 0 to 13, as the archive lists them: 512 + 512 + 64 for the model, 3 x 4 for steps,
  // 4 x 512 + 2 x 64 for moments, 16 of the random state, 12 of the view.
  CHECK(stored_bytes(*checkpoint).count() == 512 + 512 + 64 + 12 + 2048 + 128 + 16 + 12);
  CHECK(checkpoint->values == std::vector<std::pair<std::string, std::string>>{{"iteration", "3"}});
  CHECK(checkpoint->unknown.empty());
}

TEST_CASE("the older format of torch.save and whole modules are read, too") {
  const auto legacy = read_checkpoint(shipped + "legacy.bin");
  REQUIRE(legacy);
  CHECK(legacy->format == "PyTorch (legacy)");
  CHECK(legacy->problems.empty());
  CHECK(legacy->tensors.size() == 4);
  CHECK(find(*legacy, "fc.bias")->shape == Shape{16});

  const auto module = read_checkpoint(shipped + "module.pt");
  REQUIRE(module);
  CHECK(module->problems.empty());
  REQUIRE(find(*module, "fc.weight") != nullptr);
  CHECK(find(*module, "fc.weight")->shape == Shape{16, 8});
  // Its class would have to be imported to build it; it is only named.
  CHECK(module->unknown.contains("torch.nn.modules.container.Sequential"));
}

TEST_CASE("shards with an index add up") {
  for (const std::string path : {"sharded", "sharded/model.safetensors.index.json"}) {
    const auto checkpoint = read_checkpoint(shipped + path);
    REQUIRE(checkpoint);
    CHECK(checkpoint->format == "safetensors");
    CHECK(checkpoint->problems.empty());
    CHECK(checkpoint->files.size() == 2);
    // Two layers of 64 + 32 + 32 + 64 + 3 x 128 + 2 x 8 elements, 2 x 256 outside, a norm of 8.
    std::int64_t elements = 0;
    for (const SavedTensor& tensor : checkpoint->tensors) elements += tensor.elements();
    CHECK(elements == 2 * (192 + 384 + 16) + 512 + 8);
    CHECK(stored_bytes(*checkpoint).count() == 2 * elements);
  }
}

TEST_CASE("a distributed checkpoint is read from its metadata") {
  const auto checkpoint = read_checkpoint(shipped + "distributed");
  REQUIRE(checkpoint);
  CHECK(checkpoint->format == "distributed");
  for (const base::Diagnostic& one : checkpoint->problems) FAIL_CHECK(one.format());
  CHECK(checkpoint->tensors.size() == 3);
  const SavedTensor* weight = find(*checkpoint, "model.layers.0.weight");
  REQUIRE(weight != nullptr);
  CHECK(weight->shape == Shape{16, 8});
  CHECK(weight->type->name == "BF16");
  CHECK(weight->parts == 2);
  CHECK(checkpoint->files.size() == 2);
  CHECK(find(*checkpoint, "optimizer.state.layers.0.weight.exp_avg")->role() == Role::optimizer);
}

TEST_CASE("what index and shards do not agree on is told from both sides") {
  const Folder folder;
  copy("sharded", folder / "m");
  const std::string index_path = folder / "m/model.safetensors.index.json";
  std::string index = base::read_file(index_path).value();
  const auto replace = [&](const std::string& from, const std::string& to) {
    const std::size_t at = index.find(from);
    REQUIRE(at != std::string::npos);
    index.replace(at, from.size(), to);
  };
  replace("\"model.norm.weight\"", "\"model.other.weight\"");
  // 1,704 elements of 2 bytes.
  replace("\"total_size\": 3408", "\"total_size\": 3410");
  write(index_path, index);
  const auto checkpoint = read_checkpoint(folder / "m");
  REQUIRE(checkpoint);
  CHECK(messages(checkpoint->problems) ==
        std::vector<std::string>{
            "tensor 'model.other.weight' is not in model-00002-of-00002.safetensors",
            "tensor 'model.norm.weight' of model-00002-of-00002.safetensors is not in the index",
            "'total_size' is 3410, but the tensors have 3408 bytes"});
  CHECK(checkpoint->problems[0].where.line > 1);

  fs::remove(folder / "m/model-00001-of-00002.safetensors");
  const auto cut = read_checkpoint(folder / "m");
  REQUIRE(cut);
  CHECK(cut->problems.front().message ==
        "shard 'model-00001-of-00002.safetensors' is not in the folder");
  // And the three from before: that ten tensors went with it goes without saying.
  CHECK(cut->problems.size() == 4);
}

TEST_CASE("a shard that was cut off is told") {
  const Folder folder;
  copy("sharded", folder / "m");
  fs::resize_file(folder / "m/model-00002-of-00002.safetensors", 2700);
  const auto checkpoint = read_checkpoint(folder / "m");
  REQUIRE(checkpoint);
  REQUIRE(!checkpoint->problems.empty());
  CHECK(checkpoint->problems.front().message.find("bytes follow the header") != std::string::npos);
}

TEST_CASE("damaged headers of safetensors are told, each with its byte") {
  struct Row {
    const char* header;
    std::uint64_t data;
    std::string wanted;
  };
  const Row row = GENERATE(values<Row>({
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8, ""},
      {R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4, ""},
      {R"({"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]}})", 0, ""},
      {R"([1])", 0, "f:1:1: error: the header is no JSON object"},
      {R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8,
       "f:1:15: error: tensor 'a' has the unknown type 'F33'"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}})", 9,
       "f:1:48: error: tensor 'a' has 9 bytes, but its shape and type need 8"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8,
       "f:1:30: error: 'shape' of tensor 'a' is no whole number from 0 up"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4,
       "f:1:48: error: tensor 'a' ends at byte 8, but 4 bytes follow the header (the file was cut "
       "off or is damaged)"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 12,
       "f: error: the last 4 bytes belong to no tensor"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8,
       "f:1:48: error: bytes 0 to 4 before tensor 'a' belong to no tensor"},
      {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
       R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
       6, "f:1:99: error: tensor 'b' begins at byte 2, inside tensor 'a', which ends at 4"},
      {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4,
       "f:1:28: error: tensor 'a' has more elements than can be counted"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2,
       "f:1:47: error: tensor 'a' has 2 bytes, but its shape and type need 2"},
  }));
  Checkpoint checkpoint;
  read_safetensors_header(row.header, row.data, "f", checkpoint);
  const std::string told = checkpoint.problems.empty() ? "" : checkpoint.problems[0].format();
  INFO(row.header);
  CHECK(told == row.wanted);
}

TEST_CASE("a header longer than the file or than safetensors allows is refused") {
  const Folder folder;
  write(folder / "a.safetensors", std::string("\xff\xff\xff\xff\0\0\0\0{}", 10));
  const auto large = read_checkpoint(folder / "a.safetensors");
  REQUIRE(!large);
  CHECK(large.error()[0].message.find("4294967295 bytes, more than the 100000000") !=
        std::string::npos);
  write(folder / "b.safetensors", std::string("\x40\0\0\0\0\0\0\0{}", 10));
  const auto longer = read_checkpoint(folder / "b.safetensors");
  REQUIRE(!longer);
  CHECK(longer.error()[0].message == "the header is said to have 64 bytes, the file has 10");
}

// --- pickles -----------------------------------------------------------------------------------

std::string told(const std::string& pickle) {
  const auto read = read_pickle(pickle, "p");
  return read ? "" : read.error()[0].message;
}

TEST_CASE("hostile pickles end in a word, and call nothing") {
  // posix.system('echo') would run under Python.
  const std::string pickle = std::string("cposix\nsystem\n(X\x04\0\0\0", 20) + "echotR.";
  const auto read = read_pickle(pickle, "p");
  REQUIRE(read);
  Checkpoint checkpoint;
  find_tensors(*read, "p", checkpoint);
  CHECK(checkpoint.unknown == std::map<std::string, std::string>{{"posix.system", "the root"}});

  CHECK(told("") == "pickle, byte 0: 1 bytes are announced, 0 are left");
  CHECK(told(std::string("X\xff\xff\xff\x7f", 5)) ==
        "pickle, byte 5: 2147483647 bytes are announced, 0 are left");
  CHECK(told("R.") == "pickle, byte 1: the stack is empty");
  CHECK(told("t.") == "pickle, byte 1: there is no mark");
  CHECK(told("h\x05.") == "pickle, byte 2: memo 5 is empty");
  CHECK(told("NN.") == "pickle, byte 3: it ends with 2 values on the stack");
  CHECK(told("Na.") == "pickle, byte 2: the stack is empty");
  CHECK(told("NNa.") == "pickle, byte 3: entries are put into what is no container");
  CHECK(told("\x82\x01.") == "pickle, byte 1: opcode 0x82 is not known");
}

TEST_CASE("a pickle that holds itself, nests deep or names exponentially many paths is bounded") {
  const auto problems = [](const std::string& pickle) {
    const auto read = read_pickle(pickle, "p");
    REQUIRE(read);
    Checkpoint checkpoint;
    find_tensors(*read, "p", checkpoint);
    return messages(checkpoint.problems);
  };
  // l = []; l.append(l)
  CHECK(problems(std::string("]q\0h\0a.", 7)) == std::vector<std::string>{"'0' holds itself"});
  // A hundred thousand lists, one in the other.
  std::string deep(100'000, ']');
  deep += std::string(99'999, 'a') + ".";
  CHECK(problems(deep).front().find("nested more than 100 deep") != std::string::npos);
  // Each list holds the one before twice: 2^60 paths.
  std::string twice = std::string("]q\0", 3);
  for (int i = 1; i <= 60; ++i) {
    const char before = static_cast<char>(i - 1);
    twice += std::string("0]q") + static_cast<char>(i) + "(h" + before + "h" + before + "e";
  }
  CHECK(problems(twice + ".").front().find("more than 4000000 objects") != std::string::npos);
}

TEST_CASE("a storage that is not in the archive or too small is told") {
  // torch._utils._rebuild_tensor_v2(storage '0' of 2 floats, 0, (4,), (1,), False, {})
  const std::string pickle =
      "ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI2\ntQ"
      "I0\nI4\n\x85I1\n\x85\x89}tR.";
  const auto read = read_pickle(pickle, "p");
  REQUIRE(read);
  Checkpoint checkpoint;
  find_tensors(*read, "p", checkpoint);
  REQUIRE(checkpoint.tensors.size() == 1);
  CHECK(messages(checkpoint.problems) ==
        std::vector<std::string>{"tensor '' reaches beyond its storage '0' of 8 bytes"});
}

TEST_CASE("metadata of a distributed checkpoint that lost a file or a chunk is told") {
  const Folder folder;
  copy("distributed", folder / "d");
  fs::remove(folder / "d/__1_0.distcp");
  fs::resize_file(folder / "d/__0_0.distcp", 700);
  const auto checkpoint = read_checkpoint(folder / "d");
  REQUIRE(checkpoint);
  CHECK(
      messages(checkpoint->problems) ==
      std::vector<std::string>{"has 700 bytes, 710 are used of it", "'__1_0.distcp' is not there"});

  // Another row in one chunk: 8 becomes 9 (BININT1) in the sizes of the first one.
  std::string metadata = base::read_file(shipped + "distributed/.metadata").value();
  const std::size_t sizes = metadata.find("sizes");
  const std::size_t eight = metadata.find("K\x08K\x08", sizes);
  REQUIRE(eight != std::string::npos);
  metadata[eight + 1] = 9;
  Checkpoint changed;
  REQUIRE(read_distributed_metadata(metadata, "m", changed));
  CHECK(messages(changed.problems).front().find("chunks of tensor 'model.layers.0.weight' have") !=
        std::string::npos);

  Checkpoint none;
  CHECK_FALSE(read_distributed_metadata("N.", "m", none));
}

// --- against a model -----------------------------------------------------------------------------

ModelSpec small_llama() {
  const std::string yaml =
      "layers: 2\nhidden: 8\nffn: 16\nheads: 2\nkv_heads: 1\nhead_dim: 4\nvocab: 32\n"
      "positions: 64\ngated: true\nactivation: silu\nnorm: rms\nposition: rotary\n";
  const auto document = base::parse_yaml(yaml, "m.yaml");
  REQUIRE(document);
  const auto model = read_model(*document, document->root, "");
  if (!model) FAIL(model.error()[0].format());
  return *model;
}

TEST_CASE("a checkpoint is compared with a model name by name") {
  const auto checkpoint = read_checkpoint(shipped + "sharded");
  REQUIRE(checkpoint);
  const ModelSpec model = small_llama();
  const Comparison same = compare(*checkpoint, model);
  CHECK(same.naming == "Llama");
  CHECK(same.fits());
  CHECK(same.matching == 21);
  CHECK(same.saved == same.wanted);

  ModelSpec wider = model;
  wider.ffn = 24;
  wider.layers.push_back(wider.layers.back());
  const Comparison other = compare(*checkpoint, wider);
  CHECK_FALSE(other.fits());
  CHECK(other.missing.size() == 9);        // the third layer
  CHECK(other.different.size() == 3 * 2);  // three matrices of each MLP
  CHECK(other.different.front().name == "model.layers.0.mlp.gate_proj.weight");
  CHECK(other.different.front().wanted == Shape{24, 8});
}

TEST_CASE("a rank loads its share") {
  const auto checkpoint = read_checkpoint(shipped + "sharded");
  REQUIRE(checkpoint);
  const ModelSpec model = small_llama();
  Plan plan;
  plan.data = 4;
  plan.zero = 3;
  plan.global_batch = 4;
  plan.sequence = 16;
  REQUIRE_FALSE(base::has_errors(check_plan(plan, model, 4, {})));
  const RankShare share = share_of_rank(*checkpoint, model, plan);
  // 1,704 parameters over 4 ranks, 2 bytes each as saved.
  CHECK(share.parameters == 1704);
  CHECK(share.kept == 426);
  CHECK(share.read.count() == 852);
  CHECK(share.whole.count() == 3408);
  CHECK(share.largest_tensor.count() == 512);

  Plan stages;
  stages.pipeline = 2;
  stages.data = 1;
  stages.global_batch = 4;
  stages.sequence = 16;
  REQUIRE_FALSE(base::has_errors(check_plan(stages, model, 2, {})));
  // The last stage: a layer of 592, the head of 256 and the norm of 8.
  CHECK(share_of_rank(*checkpoint, model, stages).parameters == 592 + 256 + 8);
}

}  // namespace
}  // namespace strategies::checkpoint_file
