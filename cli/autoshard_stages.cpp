#include "cli/autoshard_stages.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <utility>

#include "base/quantity.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "strategies/autoshard/stage_cuts.hpp"
#include "strategies/autoshard/stage_problem.hpp"
#include "viz/table.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

class Stages {
 public:
  Stages(const AutoshardProblem& whole, int stages) : whole_(whole), stages_(stages) {
    // Every constraint must mean something in the whole model.
    const autoshard::Pricing pricing(whole.problem);
    for (const autoshard::Constraint& constraint : whole.demands.constraints)
      value_or_leave(autoshard::allowed_choices(pricing, constraint));
    const std::vector<autoshard::Block> blocks = autoshard::blocks_of(whole.problem);
    first_ = blocks.front().name;
    last_ = blocks.back().name;
    for (std::size_t b = 1; b + 1 < blocks.size(); ++b) {
      if (blocks[b].name.find("_window") != std::string::npos)
        leave("layers that take turns cannot be cut into stages here", "leave --stages out");
      layers_.insert(layers_.end(), at(blocks[b].copies), blocks[b].name);
    }
    if (static_cast<int>(layers_.size()) < stages)
      leave(fmt::format("{} layers cannot make {} stages", layers_.size(), stages), "fewer stages");
  }

  StagesAnswer answer() {
    const std::optional<autoshard::StageCuts> cuts = autoshard::cut_stages(
        {static_cast<int>(layers_.size()), stages_, whole_.micro_batches,
         [this](int first, int last, int in_flight) -> std::optional<base::Seconds> {
           const auto& solution = solved(first, last, in_flight);
           return solution ? std::optional(solution->time) : std::nullopt;
         }});
    if (!cuts) {
      print({{{whole_.scenario.name},
              fmt::format("no cuts into {} stages meet the demands", stages_),
              "more stages, more micro-batches, or more memory"}});
      throw CLI::RuntimeError(infeasible);
    }
    return {text_of(*cuts), json_of(*cuts)};
  }

 private:
  [[noreturn]] void leave(std::string message, std::string hint) const {
    print({{{"--stages"}, std::move(message), std::move(hint)}});
    throw CLI::RuntimeError(mistake);
  }

  /// The best of layers [first, last) with so many micro-batches in flight.
  const std::optional<autoshard::Solution>& solved(int first, int last, int in_flight) {
    std::map<std::string, int> copies;
    for (int layer = first; layer < last; ++layer) ++copies[layers_[at(layer)]];
    if (first == 0) copies[first_] = 1;
    if (last == static_cast<int>(layers_.size())) copies[last_] = 1;
    const auto [it, is_new] = solutions_.try_emplace({copies, in_flight});
    if (!is_new) return it->second;
    const std::optional<autoshard::Problem> stage =
        autoshard::stage_problem(whole_.problem, copies, in_flight);
    if (!stage)
      leave("tied embeddings are read on the first and on the last stage", "leave --stages out");
    autoshard::Demands demands{{}, whole_.demands.memory};
    const auto covers_any = [&](const autoshard::Constraint& constraint) {
      for (const autoshard::ProblemTensor& tensor : stage->tensors)
        if (autoshard::covers(constraint.tensors, tensor.name)) return true;
      for (const autoshard::ProblemNode& node : stage->nodes)
        if (autoshard::covers(constraint.tensors, node.name)) return true;
      return false;
    };
    for (const autoshard::Constraint& constraint : whole_.demands.constraints)
      if (covers_any(constraint)) demands.constraints.push_back(constraint);
    const auto answer = value_or_leave(autoshard::solve_with(autoshard::Pricing(*stage), demands));
    if (answer) it->second = *answer;
    return it->second;
  }

  struct Row {
    int stage = 0;
    int first = 0;
    int last = 0;
    autoshard::Solution solution;
  };

  std::vector<Row> rows_of(const autoshard::StageCuts& cuts) {
    std::vector<Row> rows;
    for (int s = 0; s < stages_; ++s) {
      const int first = cuts.first_layers[at(s)];
      const int last =
          s + 1 < stages_ ? cuts.first_layers[at(s) + 1] : static_cast<int>(layers_.size());
      rows.push_back(
          {s, first, last, *solved(first, last, std::min(stages_ - s, whole_.micro_batches))});
    }
    return rows;
  }

  std::string text_of(const autoshard::StageCuts& cuts) {
    std::vector<std::vector<std::string>> table;
    base::Seconds slowest;
    bool proven = true;
    for (const Row& row : rows_of(cuts)) {
      slowest = std::max(slowest, row.solution.time);
      proven = proven && row.solution.bound == row.solution.time;
      table.push_back({std::to_string(row.stage), fmt::format("{}-{}", row.first, row.last - 1),
                       base::format_seconds(row.solution.time),
                       base::format_bytes(base::Bytes::from_double(row.solution.memory_bytes))});
    }
    std::string out = fmt::format(
        "{} stages, each on a mesh of {}; {} micro-batches of {} sequences of {} tokens\n"
        "step {}: all stages once, and {} more turns of the slowest; {:.1f} % of it is bubble\n"
        "{}; messages between stages are not priced\n\n",
        stages_, fmt::join(whole_.header.mesh, "x"), whole_.micro_batches, whole_.shape.batch,
        whole_.shape.seq, base::format_seconds(cuts.step), whole_.micro_batches - 1,
        100 * (1 - whole_.micro_batches * slowest / cuts.step),
        proven ? "proven optimal" : "not every stage is proven optimal");
    return out +
           viz::table({{"stage", true}, {"layers", true}, {"time", true}, {"memory", true}}, table);
  }

  std::string json_of(const autoshard::StageCuts& cuts) {
    nlohmann::ordered_json json{{"schema", "foreshard.autoshard_stages.v1"},
                                {"scenario", whole_.scenario.name},
                                {"mesh", whole_.header.mesh},
                                {"micro_batches", whole_.micro_batches},
                                {"step_s", cuts.step.s()}};
    for (const Row& row : rows_of(cuts))
      json["stages"].push_back({{"first_layer", row.first},
                                {"layers", row.last - row.first},
                                {"time_s", row.solution.time.s()},
                                {"bound_s", row.solution.bound.s()},
                                {"memory_bytes", row.solution.memory_bytes}});
    return json.dump(1) + "\n";
  }

  const AutoshardProblem& whole_;
  int stages_;
  std::string first_;
  std::string last_;
  std::vector<std::string> layers_;  ///< the block of each
  std::map<std::pair<std::map<std::string, int>, int>, std::optional<autoshard::Solution>>
      solutions_;
};

}  // namespace

StagesAnswer autoshard_stages(const AutoshardProblem& whole, int stages) {
  return Stages(whole, stages).answer();
}

}  // namespace cli
