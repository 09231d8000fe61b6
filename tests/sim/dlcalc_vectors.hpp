#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "sim/step_memory.hpp"
#include "strategies/dlcalc.hpp"
#include "strategies/shard.hpp"
#include "tests/support/catch.hpp"

/// dlcalc's own figures (github.com/jfc4050/dlcalc at cda3963, command 3dtrn) beside ours: the same
/// where it is right, apart by the arithmetic said where it is not. docs/dlcalc.md lists all
/// differences.
namespace sim::dlcalc {

/// dlcalc's files lie beside a developer's checkout and are not shipped: FORESHARD_REFERENCE names
/// their folder, ../shared/reference is where they usually are.
inline std::string reference_folder() {
  const char* chosen = std::getenv("FORESHARD_REFERENCE");
  return chosen != nullptr ? chosen : std::string(FORESHARD_SOURCE_DIR) + "/../shared/reference";
}

inline const base::Document& vectors() {
  static const base::Document document = [] {
    const std::string path = reference_folder() + "/dlcalc_vectors.json";
    const auto text = base::read_file(path);
    if (!text) {
      WARN("skipped: no " << path);
      return base::Document{{path}, {}};
    }
    const auto parsed = base::parse_json(*text, path);
    REQUIRE(parsed);
    REQUIRE(parsed->root.items.size() > 7);
    return *parsed;
  }();
  return document;
}

/// One run of dlcalc: its input, cut our way, and its answers.
struct Vector {
  std::string name;
  const base::Node* node = nullptr;
  strategies::DlcalcInput input;
  base::Diagnostics problems;  ///< that we have with the plan

  const strategies::ModelSpec& model() const { return input.model; }
  const strategies::Plan& plan() const { return input.plan; }

  bool has(const std::string& section) const { return node->find(section) != nullptr; }
  double number(const std::string& section, const std::string& key) const {
    const base::Node* map = node->find(section);
    REQUIRE(map != nullptr);
    const base::Node* value = map->find(key);
    INFO(name << ": " << section << "." << key);
    REQUIRE(value != nullptr);
    return std::stod(value->text);
  }
  std::int64_t count(const std::string& section, const std::string& key) const {
    return static_cast<std::int64_t>(number(section, key));
  }

  std::int64_t layers() const { return model().layer_count(); }
  std::int64_t mixtures() const {
    return std::count_if(model().layers.begin(), model().layers.end(),
                         [](const strategies::LayerKind& kind) { return kind.mixture; });
  }
  /// Tokens of a micro-batch that a context rank has, and that a rank normalises.
  double context_tokens() const {
    return static_cast<double>(plan().sequence * plan().micro_batch / plan().context.degree);
  }
  double shard_tokens() const {
    return context_tokens() / (plan().sequence_parallel ? plan().tensor : 1);
  }
  double hidden() const { return static_cast<double>(model().hidden); }
  double query_width() const { return static_cast<double>(model().heads * model().head_dim); }
  double key_width() const { return static_cast<double>(model().kv_heads * model().head_dim); }
  int expert_tensor() const { return plan().expert.tensor_or(plan().tensor); }
  /// Ranks with copies of an expert; "eDP" there.
  std::int64_t expert_copies() const {
    return static_cast<std::int64_t>(plan().data) * plan().context.degree * plan().tensor /
           (plan().expert.degree * expert_tensor());
  }
  /// dlcalc's output projection is hidden x hidden, ours is heads x head_dim by hidden.
  std::int64_t wider_output() const {
    return model().hidden * (model().heads * model().head_dim - model().hidden);
  }
  std::int64_t router() const {
    return model().mixture ? model().mixture->experts * model().hidden : 0;
  }
};

inline std::vector<Vector> read_vectors() {
  std::vector<Vector> all;
  for (const base::Node& node : vectors().root.items) {
    Vector one;
    one.name = node.find("name")->text;
    one.node = &node;
    INFO(one.name);
    auto input = strategies::read_dlcalc({vectors().files, *node.find("input")});
    REQUIRE(input);
    one.input = std::move(*input);
    one.problems =
        strategies::check_plan(one.input.plan, one.input.model, one.input.gpus, one.input.origins);
    all.push_back(std::move(one));
  }
  return all;
}

inline const Vector& vector_named(const std::vector<Vector>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Vector& one) { return one.name == name; });
  REQUIRE(found != all.end());
  return *found;
}

/// Those that both of us compute to the end.
inline std::vector<Vector> whole_vectors() {
  std::vector<Vector> all = read_vectors();
  std::erase_if(all, [](const Vector& one) { return one.has("error"); });
  CHECK((all.size() >= 7 || vectors().root.items.empty()));
  for (const Vector& one : all) {
    INFO(one.name);
    CHECK_FALSE(base::has_errors(one.problems));
  }
  return all;
}

inline const strategies::ShardedBlock* block_named(const strategies::ShardedGraph& graph,
                                                   const std::string& name) {
  for (const strategies::ShardedBlock& block : graph.blocks)
    if (block.name == name) return &block;
  return nullptr;
}

inline schedule::ScheduleTable table_of(const Vector& one) {
  return schedule::table_of(one.plan());
}

/// A stage of the pipeline with its model states, as build_step holds them.
struct Held {
  std::int64_t parameters = 0;
  std::map<MemoryPart, std::int64_t> bytes;
  std::int64_t states() const {
    std::int64_t sum = 0;
    for (const auto& [part, its] : bytes) sum += its;
    return sum;
  }
};

inline Held held_by(const Vector& one, const strategies::ShardedGraph& sharded,
                    std::size_t number) {
  const Stage stage(one.plan(), sharded, cut_layers(one.plan(), one.model())[number]);
  Program program;
  StepMemory memory(one.plan(), program);
  Held held;
  int index = 0;
  for (const ParameterClass& its : stage.classes()) {
    memory.hold_model(stage.parameters(index), its.shards, stage.optimizer_work(its).states, "");
    held.parameters += stage.parameters(index++);
  }
  for (const HeldMemory& its : program.held) held.bytes[its.part] += its.bytes.count();
  return held;
}

}  // namespace sim::dlcalc
