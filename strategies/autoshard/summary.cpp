#include "strategies/autoshard/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "strategies/autoshard/difference.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

double elements_of(const placement::Shape& shape) {
  double elements = 1;
  for (const std::int64_t extent : shape) elements *= static_cast<double>(extent);
  return elements;
}

bool cut(const Layout& layout, std::size_t mesh_dim) {
  return placement::sharded_dim(layout.placements[mesh_dim]).has_value();
}

ActivationCut cut_of(const Layout& layout, std::size_t mesh_dim) {
  const std::optional<int> dim = placement::sharded_dim(layout.placements[mesh_dim]);
  if (!dim) return ActivationCut::none;
  return *dim == 0   ? ActivationCut::batch
         : *dim == 1 ? ActivationCut::sequence
                     : ActivationCut::other;
}

const Layout& layout_at(const Problem& problem, int graph, int layout) {
  return problem.layout_graphs[at(graph)].layouts[at(layout)];
}

class Summariser {
 public:
  Summariser(const TensorGraph& graph, const Pricing& pricing, const Solution& solution)
      : graph_(graph), pricing_(pricing), problem_(pricing.problem()), solution_(solution) {}

  Summary run() {
    const std::size_t dims = problem_.layout_graphs.front().layouts.front().placements.size();
    summary_.mesh_dims.resize(dims);
    add_parameters();
    add_activations();
    add_collectives();
    for (const NodeCost& cost : node_costs(pricing_, solution_.choices)) {
      summary_.compute += cost.compute;
      summary_.communication += cost.communication;
    }
    return std::move(summary_);
  }

 private:
  const Layout& made(int tensor) const {
    return layout_at(problem_, problem_.tensors[at(tensor)].layouts,
                     pricing_.layout_of(tensor, solution_.choices));
  }

  /// How the first forward operator that computes with a parameter needs it.
  Layout needed(int parameter) const {
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (node.phase != Phase::forward || node.operation.family == Family::cast ||
          node.operation.family == Family::alias)
        continue;
      for (std::size_t i = 0; i < node.operands.size(); ++i)
        for (const Source& source : node.operands[i])
          if (parameter_of(graph_, source.value) == parameter)
            return layout_at(problem_, problem_.nodes[n].operands[i],
                             problem_.nodes[n].choices[at(solution_.choices[n])].operands[i]);
    }
    return made(problem_.nodes[at(parameter)].results[0]);
  }

  /// How it, or its cast, is kept between forward and backward.
  Layout held(int parameter) const {
    for (const ProblemEdge& edge : problem_.edges) {
      const int maker = pricing_.producer(edge.tensor);
      const bool alias = at(edge.node) >= graph_.nodes.size();
      if (alias && problem_.nodes[at(edge.node)].once && at(maker) < graph_.nodes.size() &&
          parameter_of(graph_, {maker, 0}) == parameter)
        return made(problem_.nodes[at(edge.node)].results.front());
    }
    return made(problem_.nodes[at(parameter)].results[0]);
  }

  void add_parameters() {
    double total = 0;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (node.role != Role::parameter) continue;
      ParameterSummary parameter{static_cast<int>(n),
                                 node.copies * elements_of(node.results[0].shape),
                                 made(problem_.nodes[n].results[0]), held(static_cast<int>(n)),
                                 needed(static_cast<int>(n))};
      for (std::size_t d = 0; d < summary_.mesh_dims.size(); ++d) {
        const ParameterUse use = cut(parameter.use, d)    ? ParameterUse::parts
                                 : cut(parameter.held, d) ? ParameterUse::gathered
                                 : cut(parameter.rest, d) ? ParameterUse::held
                                                          : ParameterUse::copies;
        summary_.mesh_dims[d].parameters[static_cast<std::size_t>(use)] += parameter.elements;
      }
      total += parameter.elements;
      summary_.parameters.push_back(std::move(parameter));
    }
    for (MeshDimSummary& dim : summary_.mesh_dims)
      for (double& share : dim.parameters) share /= std::max(total, 1.0);
  }

  void add_activations() {
    double total = 0;
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const Node& node = graph_.nodes[n];
      if (node.role != Role::operation) continue;
      for (std::size_t r = 0; r < node.results.size(); ++r) {
        const int tensor = problem_.nodes[n].results[r];
        if (problem_.tensors[at(tensor)].kept_bytes.empty()) continue;
        const double elements = node.copies * elements_of(node.results[r].shape);
        total += elements;
        for (std::size_t d = 0; d < summary_.mesh_dims.size(); ++d)
          summary_.mesh_dims[d].activations[static_cast<std::size_t>(cut_of(made(tensor), d))] +=
              elements;
      }
    }
    for (MeshDimSummary& dim : summary_.mesh_dims)
      for (double& share : dim.activations) share /= std::max(total, 1.0);
  }

  void add_collectives() {
    std::map<std::tuple<std::optional<base::Collective>, std::vector<int>>, CollectiveSummary> all;
    for (std::size_t e = 0; e < problem_.edges.size(); ++e) {
      const ProblemEdge& edge = problem_.edges[e];
      const LayoutGraph& layouts =
          problem_.layout_graphs[at(problem_.tensors[at(edge.tensor)].layouts)];
      for (const int a : solution_.ways[e]) {
        const Arc& arc = layouts.arcs[at(a)];
        CollectiveSummary& one = all[{arc.op, arc.mesh_dims}];
        one.op = arc.op;
        one.mesh_dims = arc.mesh_dims;
        const double times = problem_.runs(edge) * edge.weight;
        one.count += times;
        one.bytes += times * arc.bytes.as_double();
        one.time += times * arc.time;
      }
    }
    for (auto& [key, one] : all) summary_.collectives.push_back(std::move(one));
    std::stable_sort(summary_.collectives.begin(), summary_.collectives.end(),
                     [](const auto& a, const auto& b) { return a.time > b.time; });
  }

  const TensorGraph& graph_;
  const Pricing& pricing_;
  const Problem& problem_;
  const Solution& solution_;
  Summary summary_;
};

}  // namespace

std::optional<int> parameter_of(const TensorGraph& graph, Value value) {
  for (;;) {
    const Node& node = graph.nodes[at(value.node)];
    if (node.role == Role::parameter) return value.node;
    const bool passes =
        node.operation.family == Family::cast || node.operation.family == Family::alias;
    if (!passes || node.operands.size() != 1 || node.operands[0].empty()) return std::nullopt;
    value = node.operands[0].front().value;
  }
}

std::string MeshDimSummary::words() const {
  const auto most = [](const auto& shares) {
    return std::max_element(shares.begin(), shares.end()) - shares.begin();
  };
  const auto parameters_do = static_cast<ParameterUse>(most(parameters));
  const auto activations_do = static_cast<ActivationCut>(most(activations));
  std::string words;
  switch (parameters_do) {
    case ParameterUse::copies:
      words = activations_do == ActivationCut::batch ? "data parallel with copies (DDP)"
                                                     : "copies of parameters";
      break;
    case ParameterUse::held: words = "data parallel, optimizer sharded (ZeRO-1, ZeRO-2)"; break;
    case ParameterUse::gathered: words = "fully sharded data parallel (FSDP)"; break;
    case ParameterUse::parts: words = "tensor parallel"; break;
  }
  if (activations_do == ActivationCut::sequence) words += ", sequence sharded";
  return words;
}

Summary summarise(const TensorGraph& graph, const Pricing& pricing, const Solution& solution) {
  return Summariser(graph, pricing, solution).run();
}

}  // namespace strategies::autoshard
