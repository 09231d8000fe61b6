#include "strategies/autoshard/parameter_update.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/check.hpp"
#include "strategies/autoshard/summary.hpp"

namespace strategies::autoshard {

namespace {

using placement::Shape;

ParameterTensors tensors_of(const Shape& piece, std::int64_t copies, bool hidden) {
  ParameterTensors tensors{placement::element_count(piece) * copies, copies, {}};
  if (piece.size() < 2) return tensors;
  const std::int64_t columns = piece.back();
  const std::int64_t rows = piece[piece.size() - 2];
  const std::int64_t count = copies * (piece.size() == 3 ? piece.front() : 1);
  tensors.matrices.push_back({rows, columns, count, hidden});
  return tensors;
}

bool reads(const Node& node, int maker) {
  return std::any_of(node.operands.begin(), node.operands.end(), [&](const auto& sources) {
    return std::any_of(sources.begin(), sources.end(),
                       [&](const Source& source) { return source.value.node == maker; });
  });
}

}  // namespace

bool between_hidden_states(const TensorGraph& graph, int parameter) {
  const int count = static_cast<int>(graph.nodes.size());
  const auto node = [&](int n) -> const Node& { return graph.nodes[static_cast<std::size_t>(n)]; };
  for (int n = 0; n < count; ++n) {
    if (node(n).phase != Phase::forward) continue;
    const bool uses = std::any_of(
        node(n).operands.begin(), node(n).operands.end(), [&](const std::vector<Source>& sources) {
          return std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
            return parameter_of(graph, source.value) == parameter;
          });
        });
    if (!uses) continue;
    if (node(n).operation.family == Family::embedding) return false;
    for (int reader = n + 1; reader < count; ++reader)
      if (node(reader).operation.family == Family::cross_entropy && reads(node(reader), n))
        return false;
  }
  return true;
}

bool has_masters(const Precision& precision) { return precision.master != precision.parameters; }

ParameterUpdate parameter_update(const TensorGraph& graph, int parameter,
                                 const placement::Layout& layout, const placement::Mesh& mesh,
                                 const Optimizer& optimizer, const Precision& precision) {
  const Node& node = graph.nodes[static_cast<std::size_t>(parameter)];
  CHECK_INVARIANT(node.role == Role::parameter);
  const Shape& whole = node.results.front().shape;
  const auto copies = static_cast<std::int64_t>(std::llround(node.copies));
  const bool hidden = between_hidden_states(graph, parameter);
  placement::Layout cut = layout;
  ParameterUpdate update;
  int ranks = 1;
  if (optimizer.kind == OptimizerKind::muon && hidden && whole.size() >= 2) {
    const int rows = static_cast<int>(whole.size()) - 2;
    for (std::size_t d = 0; d < cut.placements.size(); ++d) {
      if (placement::sharded_dim(cut.placements[d]).value_or(-1) < rows) continue;
      update.mesh_dims.push_back(static_cast<int>(d));
      ranks *= mesh.extent(static_cast<int>(d));
      cut.placements[d] = placement::Replicate{};
    }
  }
  const OptimizerWork work = optimizer_work(
      optimizer, precision, tensors_of(local_shape(cut, whole, mesh), copies, hidden), ranks,
      has_masters(precision));
  update.state_bytes = work.states.as_double();
  if (has_masters(precision))
    update.state_bytes +=
        static_cast<double>(placement::element_count(local_shape(layout, whole, mesh)) * copies) *
        base::bytes_of(precision.master);
  if (work.before.count() > 0) update.before.emplace_back(base::MemoryBound{work.before});
  update.exchanged = work.exchanged;
  update.kernels = work.kernels;
  return update;
}

base::Seconds time_of(const ParameterUpdate& update, const Prices& prices) {
  base::Seconds time;
  for (const base::Kernel& kernel : update.before) time += prices.kernel(kernel);
  for (const base::Kernel& kernel : update.kernels) time += prices.kernel(kernel);
  if (update.exchanged.count() > 0)
    time += 2 * prices.collective(base::Collective::all_to_all, update.exchanged, update.mesh_dims);
  return time;
}

}  // namespace strategies::autoshard
