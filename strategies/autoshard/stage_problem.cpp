#include "strategies/autoshard/stage_problem.hpp"

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string block_name(const ProblemNode& node) { return node.name.substr(0, node.name.find('.')); }

/// Nodes whose results are given, or come of one given tensor alone (casts and aliases of it).
std::vector<bool> given(const Problem& problem, const std::vector<int>& producer) {
  std::vector<bool> given;
  for (const ProblemNode& node : problem.nodes) given.push_back(node.operands.size() <= 1);
  for (bool changed = true; changed;) {
    changed = false;
    for (const ProblemEdge& edge : problem.edges) {
      if (!given[at(edge.node)] || given[at(producer[at(edge.tensor)])]) continue;
      given[at(edge.node)] = false;
      changed = true;
    }
  }
  return given;
}

}  // namespace

std::vector<Block> blocks_of(const Problem& problem) {
  std::vector<Block> blocks;
  for (const ProblemNode& node : problem.nodes) {
    const std::string name = block_name(node);
    const bool known = std::any_of(blocks.begin(), blocks.end(),
                                   [&](const Block& block) { return block.name == name; });
    if (!known) blocks.push_back({name, static_cast<int>(std::lround(node.copies))});
  }
  return blocks;
}

namespace {

class StageMaker {
 public:
  StageMaker(const Problem& problem, const std::map<std::string, int>& copies, int in_flight,
             const StageMessages& messages)
      : problem_(problem),
        blocks_(blocks_of(problem)),
        copies_(copies),
        in_flight_(in_flight),
        messages_(messages),
        new_node_(problem.nodes.size(), -1),
        new_tensor_(problem.tensors.size(), -1),
        producer_(problem.tensors.size(), -1) {}

  std::optional<StageProblem> make() {
    made().layout_graphs = problem_.layout_graphs;
    made().fixed_bytes = problem_.fixed_bytes;
    made().micro_batches = problem_.micro_batches;
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n) add_node(static_cast<int>(n));
    const std::vector<bool> is_given = given(problem_, producer_);
    for (const ProblemEdge& edge : problem_.edges) {
      const int from = producer_[at(edge.tensor)];
      const bool made_here = new_node_[at(from)] >= 0;
      const bool read_here = new_node_[at(edge.node)] >= 0;
      if (read_here && !made_here && is_given[at(from)]) return std::nullopt;
      if (made_here && read_here) keep_edge(edge);
      if (!made_here && read_here) receive(edge);
      if (made_here && !read_here && !is_given[at(from)]) send(edge);
    }
    for (const auto& [a, b] : problem_.ties)
      if (new_tensor_[at(a)] >= 0 && new_tensor_[at(b)] >= 0)
        made().ties.emplace_back(new_tensor_[at(a)], new_tensor_[at(b)]);
    return std::move(stage_);
  }

 private:
  Problem& made() { return stage_.problem; }

  int copies_in(int node) const {
    const auto found = copies_.find(block_name(problem_.nodes[at(node)]));
    return found == copies_.end() ? 0 : found->second;
  }

  int add_tensor(ProblemTensor tensor) {
    made().tensors.push_back(std::move(tensor));
    return static_cast<int>(made().tensors.size()) - 1;
  }

  void add_node(int index) {
    const ProblemNode& node = problem_.nodes[at(index)];
    for (const int tensor : node.results) producer_[at(tensor)] = index;
    const int left = copies_in(index);
    if (left == 0) return;
    new_node_[at(index)] = static_cast<int>(made().nodes.size());
    made().nodes.push_back(node);
    ProblemNode& copy = made().nodes.back();
    copy.copies = left;
    copy.results.clear();
    for (const int tensor : node.results) {
      new_tensor_[at(tensor)] = add_tensor(problem_.tensors[at(tensor)]);
      copy.results.push_back(new_tensor_[at(tensor)]);
      // What belongs to parameters is kept once, activations of every micro-batch in flight.
      const bool once = node.once || node.accumulates || node.operands.empty();
      const double times = left / node.copies * (once ? 1 : in_flight_);
      for (double& bytes : made().tensors.back().kept_bytes) bytes *= times;
    }
  }

  void keep_edge(const ProblemEdge& edge) {
    const ProblemNode& reader = problem_.nodes[at(edge.node)];
    ProblemEdge kept = edge;
    kept.node = new_node_[at(edge.node)];
    kept.tensor = new_tensor_[at(edge.tensor)];
    if (block_name(problem_.nodes[at(producer_[at(edge.tensor)])]) == block_name(reader))
      kept.weight = std::max(0.0, edge.weight - (reader.copies - copies_in(edge.node)));
    made().edges.push_back(kept);
  }

  /// Whether an edge goes on through the model, as activations do; gradients go back.
  bool goes_on(const ProblemEdge& edge) const {
    const auto place = [&](int node) {
      const std::string name = block_name(problem_.nodes[at(node)]);
      return std::find_if(blocks_.begin(), blocks_.end(),
                          [&](const Block& block) { return block.name == name; }) -
             blocks_.begin();
    };
    return place(producer_[at(edge.tensor)]) < place(edge.node);
  }

  /// Choices for a tensor that is complete, in any layout.
  std::vector<int> complete(int layout_graph) {
    std::vector<int> all;
    const LayoutGraph& graph = made().layout_graphs[at(layout_graph)];
    for (int l = 0; l < static_cast<int>(graph.layouts.size()); ++l) {
      const auto& placements = graph.layouts[at(l)].placements;
      if (std::none_of(placements.begin(), placements.end(),
                       [](const auto& p) { return placement::pending(p).has_value(); }))
        all.push_back(l);
    }
    return all;
  }

  void receive(const ProblemEdge& edge) {
    const bool activation = goes_on(edge);
    const int layouts = problem_.tensors[at(edge.tensor)].layouts;
    const auto& message = activation ? messages_.from_before : messages_.from_behind;
    ProblemNode node{.name = problem_.nodes[at(edge.node)].name + ".received"};
    for (const int layout : complete(layouts))
      node.choices.push_back(
          {{}, {layout}, message(made().layout_graphs[at(layouts)].local_bytes[at(layout)])});
    const int tensor = add_tensor({node.name, layouts, {}});
    node.results = {tensor};
    (activation ? stage_.ends.activation_in : stage_.ends.gradient_in) =
        static_cast<int>(made().nodes.size());
    made().nodes.push_back(std::move(node));
    made().edges.push_back({tensor, new_node_[at(edge.node)], edge.operand, 1, false});
  }

  void send(const ProblemEdge& edge) {
    const int layouts = problem_.tensors[at(edge.tensor)].layouts;
    ProblemNode node{.name = problem_.tensors[at(edge.tensor)].name + ".sent",
                     .operands = {layouts}};
    for (const int layout : complete(layouts)) node.choices.push_back({{layout}, {}, {}});
    const int index = static_cast<int>(made().nodes.size());
    (goes_on(edge) ? stage_.ends.activation_out : stage_.ends.gradient_out) = index;
    made().nodes.push_back(std::move(node));
    made().edges.push_back({new_tensor_[at(edge.tensor)], index, 0, 1, false});
  }

  const Problem& problem_;
  std::vector<Block> blocks_;
  const std::map<std::string, int>& copies_;
  int in_flight_;
  const StageMessages& messages_;
  StageProblem stage_;
  std::vector<int> new_node_;
  std::vector<int> new_tensor_;
  std::vector<int> producer_;
};

}  // namespace

std::optional<StageProblem> stage_problem(const Problem& problem,
                                          const std::map<std::string, int>& copies, int in_flight,
                                          const StageMessages& messages) {
  return StageMaker(problem, copies, in_flight, messages).make();
}

}  // namespace strategies::autoshard
