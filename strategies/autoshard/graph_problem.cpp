#include "strategies/autoshard/graph_problem.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "strategies/autoshard/choice_kernels.hpp"
#include "strategies/autoshard/parameter_update.hpp"
#include "strategies/autoshard/summary.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;
using placement::Mesh;

/// The mesh dims along which a sum is pending, as bits.
unsigned sums(const Layout& layout) {
  unsigned bits = 0;
  for (std::size_t d = 0; d < layout.placements.size(); ++d)
    if (placement::pending(layout.placements[d])) bits |= 1U << d;
  return bits;
}

/// Keeps of equal operands and results the fastest choice.
void drop_dominated(std::vector<Choice>& choices) {
  const auto same = [](const Choice& a, const Choice& b) {
    return a.operands == b.operands && a.results == b.results;
  };
  std::stable_sort(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    return std::tie(a.operands, a.results, a.time) < std::tie(b.operands, b.results, b.time);
  });
  choices.erase(std::unique(choices.begin(), choices.end(), same), choices.end());
}

/// One operand of one node that reads a tensor.
struct Reader {
  int node = 0;
  int operand = 0;
  double copies = 1;
};

class Maker {
 public:
  Maker(const TensorGraph& graph, const Mesh& mesh, const Prices& prices,
        const ProblemOptions& options)
      : graph_(graph), mesh_(mesh), prices_(prices), options_(options) {}

  Problem make() {
    problem_.micro_batches = options_.micro_batches;
    for (const auto& [value, gradient] : graph_.gradients) {
      resting_.insert(value);
      resting_.insert(gradient);
      if (node_at(value.node).role == Role::parameter) parameter_gradients_.insert(gradient.node);
    }
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) add_node(static_cast<int>(n));
    for (const auto& [value, gradient] : graph_.gradients)
      problem_.ties.emplace_back(tensor_of(value), tensor_of(gradient));
    collect_readers();
    keep_parameters();
    for (const auto& [value, readers] : readers_) connect(value, readers);
    drop_unreachable_sums();
    return std::move(problem_);
  }

 private:
  int layouts_of(const TensorType& type) {
    const auto found = std::find_if(problem_.layout_graphs.begin(), problem_.layout_graphs.end(),
                                    [&](const LayoutGraph& g) { return g.type == type; });
    if (found != problem_.layout_graphs.end())
      return static_cast<int>(found - problem_.layout_graphs.begin());
    problem_.layout_graphs.push_back(make_layout_graph(type, mesh_, prices_));
    return static_cast<int>(problem_.layout_graphs.size()) - 1;
  }

  const LayoutGraph& graph_at(int index) const {
    return problem_.layout_graphs[static_cast<std::size_t>(index)];
  }

  int tensor_of(Value value) const {
    return problem_.nodes[static_cast<std::size_t>(value.node)]
        .results[static_cast<std::size_t>(value.result)];
  }

  int add_tensor(std::string name, int layouts) {
    problem_.tensors.push_back({std::move(name), layouts, {}});
    return static_cast<int>(problem_.tensors.size()) - 1;
  }

  void add_node(int index) {
    const Node& node = node_at(index);
    ProblemNode made{.name = node.name, .copies = node.copies, .once = runs_once(index)};
    for (const TensorType& type : node.operand_types) made.operands.push_back(layouts_of(type));
    for (std::size_t r = 0; r < node.results.size(); ++r) {
      std::string name = node.results.size() == 1 ? node.name : node.name + "." + std::to_string(r);
      made.results.push_back(add_tensor(std::move(name), layouts_of(node.results[r])));
    }
    made.choices = node.role == Role::operation ? choices_of(node, made) : given(made);
    if (node.role == Role::parameter) add_updates(index, made);
    std::erase_if(made.choices, [&](const Choice& choice) {
      for (std::size_t r = 0; r < choice.results.size(); ++r)
        if (resting_.contains({index, static_cast<int>(r)}) && result_sums(made, choice, r) != 0)
          return true;
      return false;
    });
    problem_.nodes.push_back(std::move(made));
  }

  const LayoutGraph& result_layouts(const ProblemNode& node, std::size_t result) const {
    const int tensor = node.results[result];
    return graph_at(problem_.tensors[static_cast<std::size_t>(tensor)].layouts);
  }

  /// Whole values in any layout.
  std::vector<Choice> given(const ProblemNode& node) const {
    std::vector<Choice> choices;
    const LayoutGraph& layouts = result_layouts(node, 0);
    for (std::size_t i = 0; i < layouts.layouts.size(); ++i)
      if (sums(layouts.layouts[i]) == 0) choices.push_back({{}, {static_cast<int>(i)}, {}});
    return choices;
  }

  ParameterUpdate update_of(int parameter, const placement::Layout& layout) const {
    return parameter_update(graph_, parameter, layout, mesh_, options_.optimizer,
                            options_.precision);
  }

  /// All copies in one go.
  void add_updates(int index, ProblemNode& parameter) const {
    const LayoutGraph& layouts = result_layouts(parameter, 0);
    for (Choice& choice : parameter.choices) {
      const Layout& layout = layouts.layouts[static_cast<std::size_t>(choice.results.front())];
      choice.time = time_of(update_of(index, layout), prices_) * (1 / parameter.copies);
    }
  }

  /// Parameters, casts of them, and their gradients when they come to rest.
  bool runs_once(int index) const {
    const Node& node = node_at(index);
    const bool cast = node.operation.family == Family::cast && node.phase == Phase::forward;
    return node.role == Role::parameter || parameter_gradients_.contains(index) ||
           (cast && of_parameter({index, 0}));
  }
  /// Whether a value is a parameter, or a cast of one.
  bool of_parameter(Value value) const { return parameter_of(graph_, value).has_value(); }

  std::vector<Choice> choices_of(const Node& node, const ProblemNode& made) const {
    const Signature signature = signature_of(node);
    std::map<std::vector<std::int64_t>, base::Seconds> times;
    std::vector<Choice> choices;
    for (const Sharding& sharding : enumerate_shardings(signature, mesh_)) {
      Choice choice;
      for (std::size_t i = 0; i < made.operands.size(); ++i)
        choice.operands.push_back(
            graph_at(made.operands[i])
                .find(operand_layout(signature, sharding, static_cast<int>(i))));
      for (std::size_t r = 0; r < made.results.size(); ++r)
        choice.results.push_back(
            result_layouts(made, r).find(result_layout(signature, sharding, static_cast<int>(r))));
      const auto missing = [](int layout) { return layout < 0; };
      if (std::any_of(choice.operands.begin(), choice.operands.end(), missing) ||
          std::any_of(choice.results.begin(), choice.results.end(), missing))
        continue;
      std::vector<std::int64_t> sizes = local_sizes(signature, sharding, mesh_);
      const auto [time, added] = times.emplace(sizes, base::Seconds{});
      if (added)
        for (const base::Kernel& kernel : kernels_of(node, signature, sizes))
          time->second += prices_.kernel(kernel);
      choice.time = time->second;
      choices.push_back(std::move(choice));
    }
    drop_dominated(choices);
    return choices;
  }

  unsigned result_sums(const ProblemNode& node, const Choice& choice, std::size_t result) const {
    return sums(
        result_layouts(node, result).layouts[static_cast<std::size_t>(choice.results[result])]);
  }

  /// Nothing leads to a pending sum, so an operand can only be one along mesh dims along which its
  /// maker may give one. What one pass drops another may build upon.
  void drop_unreachable_sums() {
    while (drop_sums_once()) {
    }
  }

  bool drop_sums_once() {
    std::vector<std::set<unsigned>> given(problem_.tensors.size());
    for (const ProblemNode& node : problem_.nodes)
      for (const Choice& choice : node.choices)
        for (std::size_t r = 0; r < choice.results.size(); ++r)
          given[static_cast<std::size_t>(node.results[r])].insert(result_sums(node, choice, r));
    std::size_t dropped = 0;
    for (const ProblemEdge& edge : problem_.edges) {
      ProblemNode& node = problem_.nodes[static_cast<std::size_t>(edge.node)];
      const auto operand = static_cast<std::size_t>(edge.operand);
      const LayoutGraph& layouts = graph_at(node.operands[operand]);
      const std::set<unsigned>& from = given[static_cast<std::size_t>(edge.tensor)];
      dropped += std::erase_if(node.choices, [&](const Choice& choice) {
        const unsigned needed =
            sums(layouts.layouts[static_cast<std::size_t>(choice.operands[operand])]);
        return std::none_of(from.begin(), from.end(),
                            [&](unsigned sums) { return (sums & needed) == needed; });
      });
    }
    return dropped > 0;
  }

  void keep(int tensor, double factor) {
    ProblemTensor& kept = problem_.tensors[static_cast<std::size_t>(tensor)];
    for (const base::Bytes bytes : graph_at(kept.layouts).local_bytes)
      kept.kept_bytes.push_back(bytes.as_double() * factor);
  }

  /// Weights with their gradients and what the optimizer has of them. Those that have a ".kept" are
  /// kept in its layout, and gradients that are added up in that of their sum.
  void keep_parameters() {
    for (const auto& [value, gradient] : graph_.gradients) {
      const Node& node = node_at(value.node);
      if (node.role != Role::parameter) continue;
      ProblemTensor& kept = problem_.tensors[static_cast<std::size_t>(tensor_of(value))];
      const LayoutGraph& layouts = graph_at(kept.layouts);
      const double own = base::bytes_of(layouts.type.dtype);
      double bytes = holds(value) ? 0 : own;
      if (options_.micro_batches == 1) bytes += base::bytes_of(type_of(graph_, gradient).dtype);
      for (std::size_t l = 0; l < layouts.layouts.size(); ++l) {
        const double local = layouts.local_bytes[l].as_double();
        const bool pending = sums(layouts.layouts[l]) != 0;
        kept.kept_bytes.push_back(
            node.copies * local * bytes / own +
            (pending ? 0 : update_of(value.node, layouts.layouts[l]).state_bytes));
      }
    }
  }

  /// Whether there is a ".kept" of a value: a layout in which it waits for backward, or, of a
  /// parameter or its cast, for all micro-batches.
  bool holds(Value value) const {
    const auto found = readers_.find(value);
    if (found == readers_.end() || is_alias(value.node)) return false;
    const Node& maker = node_at(value.node);
    if (maker.phase != Phase::forward || of_phase(found->second, Phase::forward).empty())
      return false;
    if (maker.role == Role::input) return false;
    if (maker.role == Role::parameter && (!has_masters(options_.precision) || is_cast(value)))
      return false;
    const bool again = options_.micro_batches > 1 && of_parameter(value);
    return again || !of_phase(found->second, Phase::backward).empty();
  }

  /// Whether all that reads a parameter is a cast of it.
  bool is_cast(Value value) const {
    const std::vector<Reader>& readers = readers_.at(value);
    return std::all_of(readers.begin(), readers.end(), [&](const Reader& reader) {
      return node_at(reader.node).operation.family == Family::cast;
    });
  }

  void collect_readers() {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n)
      for (std::size_t i = 0; i < graph_.nodes[n].operands.size(); ++i)
        for (const Source& source : graph_.nodes[n].operands[i])
          readers_[source.value].push_back(
              {static_cast<int>(n), static_cast<int>(i), source.copies});
  }

  const Node& node_at(int index) const { return graph_.nodes[static_cast<std::size_t>(index)]; }

  /// Aliases of the graph get the tensor themselves, for all of their readers.
  bool is_alias(int node) const { return node_at(node).operation.family == Family::alias; }

  std::vector<Reader> of_phase(const std::vector<Reader>& readers, Phase phase) const {
    std::vector<Reader> found;
    for (const Reader& reader : readers)
      if (!is_alias(reader.node) && node_at(reader.node).phase == phase) found.push_back(reader);
    return found;
  }

  void connect(Value value, const std::vector<Reader>& readers) {
    const Node& maker = node_at(value.node);
    int tensor = tensor_of(value);
    for (const Reader& reader : readers) {
      if (!is_alias(reader.node)) continue;
      const bool adds_up = options_.micro_batches > 1 && parameter_gradients_.contains(reader.node);
      add_edge(adds_up ? add_accumulation(tensor, reader) : tensor, reader);
      problem_.edges.back().shrinks = adds_up;
    }
    const std::vector<Reader> forward = of_phase(readers, Phase::forward);
    const std::vector<Reader> backward = of_phase(readers, Phase::backward);
    const bool held = holds(value);
    const bool kept = maker.phase == Phase::forward && !backward.empty();
    if (held) {
      tensor = add_alias(tensor, ".kept", maker.copies);
      problem_.nodes.back().once = of_parameter(value);
    }
    if (held || (kept && maker.role != Role::parameter)) keep(tensor, maker.copies);
    connect(tensor, is_alias(value.node), ".read", forward);
    connect(tensor, is_alias(value.node), ".read_backward", backward);
  }

  /// The sum of a gradient over micro-batches, in the layout that suits. Its memory may be that of
  /// what comes to rest in the end.
  int add_accumulation(int gradient, const Reader& reader) {
    const std::string& rest = node_at(reader.node).name;
    const int sum = add_alias(gradient, ".accumulated", reader.copies);
    ProblemNode& node = problem_.nodes.back();
    node.accumulates = true;
    node.name = rest.substr(0, rest.size() - std::string_view(".rest").size()) + ".accumulated";
    problem_.tensors[static_cast<std::size_t>(sum)].name = node.name;
    const LayoutGraph& layouts = graph_at(node.operands.front());
    for (Choice& choice : node.choices)
      choice.time = prices_.kernel(accumulation_kernel(
          layouts.local_bytes[static_cast<std::size_t>(choice.results.front())]));
    keep(sum, reader.copies);
    return sum;
  }

  void connect(int tensor, bool of_alias, std::string_view name,
               const std::vector<Reader>& readers) {
    if (readers.size() > 1 && !of_alias) tensor = add_alias(tensor, name, readers.front().copies);
    for (const Reader& reader : readers) add_edge(tensor, reader);
  }

  void add_edge(int tensor, const Reader& reader) {
    problem_.edges.push_back(
        {tensor, reader.node, reader.operand, reader.copies, node_at(reader.node).still});
  }

  /// Gives the tensor in a layout that several readers share.
  int add_alias(int tensor, std::string_view name, double copies) {
    const ProblemTensor& read = problem_.tensors[static_cast<std::size_t>(tensor)];
    const int layouts = read.layouts;
    ProblemNode alias{
        .name = read.name + std::string(name), .operands = {layouts}, .copies = copies};
    const int result = add_tensor(alias.name, layouts);
    alias.results = {result};
    for (int i = 0; i < static_cast<int>(graph_at(layouts).layouts.size()); ++i)
      alias.choices.push_back({{i}, {i}, {}});
    problem_.edges.push_back({tensor, static_cast<int>(problem_.nodes.size()), 0, copies, false});
    problem_.nodes.push_back(std::move(alias));
    return result;
  }

  const TensorGraph& graph_;
  const Mesh& mesh_;
  const Prices& prices_;
  ProblemOptions options_;
  Problem problem_;
  std::set<Value> resting_;
  std::set<int> parameter_gradients_;  // nodes at which they come to rest
  std::map<Value, std::vector<Reader>> readers_;
};

}  // namespace

Problem make_problem(const TensorGraph& graph, const Mesh& mesh, const Prices& prices,
                     const ProblemOptions& options) {
  return Maker(graph, mesh, prices, options).make();
}

}  // namespace strategies::autoshard
