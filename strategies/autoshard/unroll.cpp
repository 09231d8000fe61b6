#include "strategies/autoshard/unroll.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Place in the order: unit, then the node it is or goes with, then before or behind that.
struct Place {
  int unit = 0;
  int node = 0;
  int turn = 0;
  auto operator<=>(const Place&) const = default;
};

class Unroller {
 public:
  Unroller(const TensorGraph& graph, const Problem& problem) : graph_(graph), problem_(problem) {}

  UnrolledStep run() {
    describe_nodes();
    add_instances();
    link();
    place_aliases();
    return sorted();
  }

 private:
  struct Copy {
    Instance instance;
    Place place;
  };

  bool is_alias(int node) const { return node >= static_cast<int>(graph_.nodes.size()); }

  int units_of_micro_batch() const { return 2 * static_cast<int>(graph_.walk.size()); }

  int unit_of(const Instance& instance) const {
    const int units = units_of_micro_batch();
    const int in_turn =
        instance.phase == Phase::forward ? instance.position : units - 1 - instance.position;
    return instance.micro_batch * units + in_turn;
  }

  /// What runs once is of the first micro-batch, but gradients come to rest behind the last.
  std::pair<int, int> micro_batches_of(int node) const {
    const int count = problem_.micro_batches;
    if (!problem_.nodes[at(node)].once) return {0, count};
    return resting_.contains(node) ? std::pair(count - 1, count) : std::pair(0, 1);
  }

  void describe_nodes() {
    maker_.assign(problem_.tensors.size(), {-1, -1});
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n)
      for (std::size_t r = 0; r < problem_.nodes[n].results.size(); ++r)
        maker_[at(problem_.nodes[n].results[r])] = {static_cast<int>(n), static_cast<int>(r)};
    edges_.resize(problem_.nodes.size());
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n)
      edges_[n].resize(problem_.nodes[n].operands.size());
    for (std::size_t e = 0; e < problem_.edges.size(); ++e)
      edges_[at(problem_.edges[e].node)][at(problem_.edges[e].operand)].push_back(
          static_cast<int>(e));
    resting_ = resting_gradients(graph_);
    describe();
  }

  /// An alias is of the block that it reads, and of forward if that reads it. Aliases read those
  /// before them only.
  void describe() {
    for (const Node& node : graph_.nodes) {
      block_.push_back(node.block);
      phase_.push_back(node.phase);
    }
    for (std::size_t n = graph_.nodes.size(); n < problem_.nodes.size(); ++n)
      block_.push_back(block_[at(maker_of(edges_[n].front().front()).node)]);
    phase_.resize(problem_.nodes.size(), Phase::backward);
    for (auto edge = problem_.edges.rbegin(); edge != problem_.edges.rend(); ++edge) {
      const int maker = maker_[at(edge->tensor)].node;
      if (is_alias(maker) && !is_alias(edge->node) && phase_[at(edge->node)] == Phase::forward)
        phase_[at(maker)] = Phase::forward;
    }
    for (int n = static_cast<int>(problem_.nodes.size()) - 1; is_alias(n); --n) {
      const int read = maker_of(edges_[at(n)].front().front()).node;
      if (is_alias(read) && phase_[at(n)] == Phase::forward) phase_[at(read)] = Phase::forward;
    }
  }

  Value maker_of(int edge) const { return maker_[at(problem_.edges[at(edge)].tensor)]; }

  void add_instances() {
    for (std::size_t n = 0; n < problem_.nodes.size(); ++n) {
      const int node = static_cast<int>(n);
      int copies = 0;
      for (std::size_t position = 0; position < graph_.walk.size(); ++position) {
        if (graph_.walk[position] != block_[n]) continue;
        ++copies;
        const auto [first, last] = micro_batches_of(node);
        for (int micro_batch = first; micro_batch < last; ++micro_batch) {
          Copy copy;
          copy.instance.node = node;
          copy.instance.position = static_cast<int>(position);
          copy.instance.micro_batch = micro_batch;
          copy.instance.phase = phase_[n];
          index_[{node, copy.instance.position, micro_batch}] = static_cast<int>(copies_.size());
          copies_.push_back(std::move(copy));
        }
      }
      CHECK_INVARIANT(copies == static_cast<int>(problem_.nodes[n].copies));
    }
  }

  /// Where the copy of `block` is that a reader at `position` means: the one behind it or before
  /// it, as the maker's phase goes.
  std::optional<int> nearest(int block, int position, Phase phase) const {
    std::optional<int> found;
    for (std::size_t i = 0; i < graph_.walk.size(); ++i) {
      const int other = static_cast<int>(i);
      const bool behind = phase == Phase::forward ? other < position : other > position;
      if (graph_.walk[i] == block && behind &&
          (!found || std::abs(other - position) < std::abs(*found - position)))
        found = other;
    }
    return found;
  }

  Read read_of(const std::vector<int>& edges, const Instance& reader) const {
    const auto [node, position] = std::pair(reader.node, reader.position);
    std::optional<std::pair<int, int>> best;  // position, edge
    for (const int edge : edges) {
      const int maker = maker_of(edge).node;
      const int block = block_[at(maker)];
      std::optional<int> found = position;
      if (edges.size() > 1 || block != block_[at(node)])
        found = nearest(block, position, phase_[at(maker)]);
      // An alias of a value of another block's: the other way round.
      if (!found) found = nearest(block, position, Phase::forward);
      if (!found) found = nearest(block, position, Phase::backward);
      if (found && (!best || std::abs(*found - position) < std::abs(best->first - position)))
        best = {*found, edge};
    }
    CHECK_INVARIANT(best);
    const Value maker = maker_of(best->second);
    const int micro_batch =
        std::max(micro_batches_of(maker.node).first,
                 std::min(reader.micro_batch, micro_batches_of(maker.node).second - 1));
    return {best->second, index_.at({maker.node, best->first, micro_batch}), maker.result};
  }

  void link() {
    for (Copy& copy : copies_)
      for (const std::vector<int>& edges : edges_[at(copy.instance.node)])
        copy.instance.reads.push_back(read_of(edges, copy.instance));
    for (Copy& copy : copies_) {
      mark(copy);
      if (!is_alias(copy.instance.node)) copy.place = place_of(copy);
    }
    for (Copy& copy : copies_)
      if (accumulates(copy.instance.node)) copy.place = place_behind_source(copy);
  }

  /// Whether a node may be early when what it reads is.
  bool follows(int node) const {
    if (is_alias(node)) return true;
    const Node& its = graph_.nodes[at(node)];
    return its.operation.family == Family::cast && its.phase == Phase::forward;
  }

  void mark(Copy& copy) {
    Instance& instance = copy.instance;
    if (!is_alias(instance.node) && graph_.nodes[at(instance.node)].role != Role::operation) {
      instance.early = true;
      instance.of_parameter = graph_.nodes[at(instance.node)].role == Role::parameter;
      return;
    }
    if (!follows(instance.node)) return;
    instance.early = instance.of_parameter = true;
    for (const Read& read : instance.reads) {
      Copy& source = copies_[at(read.source)];
      mark(source);
      instance.early = instance.early && source.instance.early;
      instance.of_parameter = instance.of_parameter && source.instance.of_parameter;
    }
  }

  Place place_of(const Copy& copy) const {
    const Instance& instance = copy.instance;
    const Node& node = graph_.nodes[at(instance.node)];
    const int unit = unit_of(instance);
    if (node.role != Role::operation) return {-1, instance.node, 0};
    if (resting_.contains(instance.node))
      return {problem_.micro_batches * units_of_micro_batch(), instance.node, 0};
    if (instance.early) return {std::max(0, unit - 1), -1, instance.node};
    // A gradient is cast as soon as it is made.
    if (instance.phase == Phase::backward && node.operation.family == Family::cast)
      return {unit, copies_[at(instance.reads.front().source)].instance.node, 1};
    return {unit, instance.node, 0};
  }

  bool accumulates(int node) const { return problem_.nodes[at(node)].accumulates; }

  Place place_behind_source(const Copy& sum) const {
    Place place = copies_[at(sum.instance.reads.front().source)].place;
    ++place.turn;
    return place;
  }

  /// Right before the first of their readers: those of other aliases after these.
  void place_aliases() {
    std::vector<bool> placed;
    for (const Copy& copy : copies_)
      placed.push_back(!is_alias(copy.instance.node) || accumulates(copy.instance.node));
    const auto place_before = [&](const Copy& copy) {
      for (const Read& read : copy.instance.reads) {
        Copy& source = copies_[at(read.source)];
        if (!is_alias(source.instance.node) || accumulates(source.instance.node)) continue;
        const Place before{copy.place.unit, copy.place.node, copy.place.turn - 1};
        if (!placed[at(read.source)] || before < source.place) source.place = before;
        placed[at(read.source)] = true;
      }
    };
    for (const Copy& copy : copies_)
      if (!is_alias(copy.instance.node)) place_before(copy);
    for (auto copy = copies_.rbegin(); copy != copies_.rend(); ++copy)  // aliases are the last
      if (is_alias(copy->instance.node)) place_before(*copy);
    CHECK_INVARIANT(std::find(placed.begin(), placed.end(), false) == placed.end());
  }

  UnrolledStep sorted() {
    std::vector<int> order(copies_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return copies_[at(a)].place < copies_[at(b)].place; });
    std::vector<int> number(copies_.size());
    for (std::size_t i = 0; i < order.size(); ++i) number[at(order[i])] = static_cast<int>(i);
    UnrolledStep step;
    step.units = problem_.micro_batches * units_of_micro_batch() + 1;
    for (const int old : order) {
      Instance instance = std::move(copies_[at(old)].instance);
      instance.unit = copies_[at(old)].place.unit;
      for (Read& read : instance.reads) {
        read.source = number[at(read.source)];
        CHECK_INVARIANT(read.source < static_cast<int>(step.instances.size()));
      }
      step.instances.push_back(std::move(instance));
    }
    return step;
  }

  const TensorGraph& graph_;
  const Problem& problem_;
  std::vector<Value> maker_;                          // by tensor
  std::vector<std::vector<std::vector<int>>> edges_;  // by node and operand
  std::set<int> resting_;                             // nodes
  std::vector<int> block_;
  std::vector<Phase> phase_;
  std::vector<Copy> copies_;
  std::map<std::tuple<int, int, int>, int> index_;  // by node, position and micro-batch
};

}  // namespace

std::set<int> resting_gradients(const TensorGraph& graph) {
  std::set<int> nodes;
  for (const auto& [value, gradient] : graph.gradients)
    if (graph.nodes[at(gradient.node)].role == Role::operation) nodes.insert(gradient.node);
  return nodes;
}

UnrolledStep unroll(const TensorGraph& graph, const Problem& problem) {
  return Unroller(graph, problem).run();
}

}  // namespace strategies::autoshard
