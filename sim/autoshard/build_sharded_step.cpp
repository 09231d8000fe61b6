#include "sim/autoshard/build_sharded_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "sim/autoshard/mesh_grid.hpp"
#include "sim/autoshard/step_writer.hpp"
#include "sim/library_memory.hpp"
#include "sim/pricer.hpp"
#include "strategies/autoshard/choice_kernels.hpp"
#include "strategies/autoshard/parameter_update.hpp"
#include "strategies/autoshard/unroll.hpp"

namespace sim::autoshard {

namespace {

using base::Bytes;
using strategies::Axis;
using strategies::AxisSet;
using strategies::autoshard::Arc;
using strategies::autoshard::Choice;
using strategies::autoshard::Instance;
using strategies::autoshard::LayoutGraph;
using strategies::autoshard::Node;
using strategies::autoshard::ParameterUpdate;
using strategies::autoshard::ProblemNode;
using strategies::autoshard::Read;
using strategies::autoshard::Role;
using strategies::autoshard::UnrolledStep;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string block_of(const std::string& name) { return name.substr(0, name.find('.')); }

/// A tensor on its way to a reader.
struct Transfer {
  bool begun = false;
  bool unpacking = false;  ///< the collective before `next` is written, the copy behind it is not
  std::size_t next = 0;    ///< arc of the way
  Ready value;
};

class Builder {
 public:
  Builder(const ShardedStepInput& input, StepGraph& graph, Pricer& pricer)
      : input_(input),
        pricer_prices_(input.profile, input.cluster, input.placed),
        axes_(axes_of(input.placed.mesh)),
        step_(unroll(input.graph, input.problem)),
        writer_(input.plan, pricer, graph),
        resting_(strategies::autoshard::resting_gradients(input.graph)),
        kernels_(input.problem.nodes.size()) {
    results_.resize(step_.instances.size());
    for (const Instance& instance : step_.instances) transfers_.emplace_back(instance.reads.size());
    readers_.resize(step_.instances.size());
    by_unit_.resize(at(step_.units) + 1);
    for (std::size_t i = 0; i < step_.instances.size(); ++i) {
      const Instance& instance = step_.instances[i];
      by_unit_[at(instance.unit + 1)].push_back(static_cast<int>(i));
      for (std::size_t r = 0; r < instance.reads.size(); ++r)
        readers_[at(instance.reads[r].source)].push_back({static_cast<int>(i), r});
    }
  }

  Program build() {
    hold_states();
    for (const int i : by_unit_.front()) execute(i);
    for (int unit = 0; unit < step_.units; ++unit) {
      writer_.close();
      if (unit == 0) move_early(unit);
      // Casts for the unit behind come first, then what is gathered of them.
      const std::vector<int>& own = by_unit_[at(unit + 1)];
      std::size_t next = 0;
      for (; next < own.size() && is_early_cast(own[next]); ++next) execute(own[next]);
      if (unit == 0) move_early(unit);
      if (unit + 1 < step_.units) move_early(unit + 1);
      move_kept(unit);
      if (unit + 1 == step_.units) add_up_reduced();  // all that comes to rest is there
      std::vector<int> late;
      for (; next < own.size(); ++next) {
        if (made(own[next])) continue;
        if (waits_for_reduction(own[next]))
          late.push_back(own[next]);
        else
          execute(own[next]);
      }
      add_up_reduced();
      reduced_ = std::move(late);
    }
    update();
    return writer_.finish("rank");
  }

  std::vector<int> take_edges() { return std::move(edge_of_task_); }

 private:
  struct Reader {
    int instance = 0;
    std::size_t read = 0;
  };

  const Instance& instance(int i) const { return step_.instances[at(i)]; }
  const ProblemNode& node_of(const Instance& one) const {
    return input_.problem.nodes[at(one.node)];
  }
  const Choice& choice_of(const Instance& one) const {
    return node_of(one).choices[at(input_.solution.choices[at(one.node)])];
  }
  /// Of the tensor graph; none: an alias.
  const Node* graph_node(const Instance& one) const {
    return at(one.node) < input_.graph.nodes.size() ? &input_.graph.nodes[at(one.node)] : nullptr;
  }
  bool is_early_cast(int i) const {
    const Node* node = graph_node(instance(i));
    return instance(i).early && node != nullptr && node->role == Role::operation;
  }
  const LayoutGraph& layouts(int tensor) const {
    return input_.problem.layout_graphs[at(input_.problem.tensors[at(tensor)].layouts)];
  }
  static Phase phase_of(const Instance& one) {
    return one.phase == strategies::autoshard::Phase::forward ? Phase::forward : Phase::backward;
  }

  // --- moving ------------------------------------------------------------------------------------

  CommKind kind_of(const Reader& reader) const {
    const Instance& to = instance(reader.instance);
    if (instance(to.reads[reader.read].source).of_parameter) return CommKind::parameter;
    return is_gradient(to) ? CommKind::data : CommKind::tensor;
  }

  bool accumulates(const Instance& one) const { return node_of(one).accumulates; }
  /// Of a parameter or an input, when it is added up or comes to rest.
  bool is_gradient(const Instance& one) const {
    return resting_.contains(one.node) || accumulates(one);
  }
  /// A gradient that each micro-batch reduces is added up a unit later, for kernels not to wait.
  bool waits_for_reduction(int i) const {
    if (!accumulates(instance(i))) return false;
    const Read& read = instance(i).reads.front();
    const LayoutGraph& graph = layouts(input_.problem.edges[at(read.edge)].tensor);
    const std::vector<int>& way = input_.solution.ways[at(read.edge)];
    return std::any_of(way.begin(), way.end(),
                       [&](int arc) { return graph.arcs[at(arc)].op.has_value(); });
  }

  void allocate(Ready& value, CommKind kind, Bytes bytes) {
    switch (kind) {
      case CommKind::parameter:
        return writer_.allocate(value, MemoryPart::gathered, "parameters", bytes);
      case CommKind::data:
        return writer_.allocate(value, MemoryPart::gradients, "gradients", bytes);
      default:
        return writer_.allocate(value, MemoryPart::activations, "moved to other layouts", bytes);
    }
  }

  /// A copy pass over `bytes`, before or behind a collective.
  void copy(Ready& value, const std::string& what, Phase phase, CommKind kind, Bytes passed,
            Bytes made) {
    value = writer_.compute(what, phase, {base::MemoryBound{passed * 2}}, {value});
    allocate(value, kind, made);
  }

  /// Goes on with a transfer. Unless `wanted` now, it stops where a kernel would have to wait for
  /// a collective.
  void move(const Reader& reader, bool wanted, bool behind_all) {
    const Instance& to = instance(reader.instance);
    const Read& read = to.reads[reader.read];
    const strategies::autoshard::ProblemEdge& edge = input_.problem.edges[at(read.edge)];
    const LayoutGraph& graph = layouts(edge.tensor);
    const std::string& name = input_.problem.tensors[at(edge.tensor)].name;
    const std::vector<int>& way = input_.solution.ways[at(read.edge)];
    Transfer& transfer = transfers_[at(reader.instance)][reader.read];
    if (!transfer.begun) {
      transfer.begun = true;
      transfer.value = results_[at(read.source)][at(read.result)];
    }
    const CommKind kind = kind_of(reader);
    const Phase phase = phase_of(to);
    while (transfer.unpacking || transfer.next < way.size()) {
      if (transfer.unpacking) {
        if (!wanted) return;
        const Arc& done = graph.arcs[at(way[transfer.next - 1])];
        const Bytes bytes = graph.local_bytes[at(done.to)];
        copy(transfer.value, "unpack " + name, phase, kind, bytes, bytes);
        transfer.unpacking = false;
        continue;
      }
      const Arc& arc = graph.arcs[at(way[transfer.next])];
      if (arc.op) {
        if (arc.packs) {
          if (!wanted && !transfer.value.comm.empty()) return;
          const Bytes bytes = graph.local_bytes[at(arc.from)];
          copy(transfer.value, "pack " + name, phase, kind, bytes, bytes);
        }
        communicate(transfer.value, arc, name, kind, behind_all, read.edge);
        allocate(transfer.value, kind, arc.unpacks ? arc.bytes : graph.local_bytes[at(arc.to)]);
      }
      transfer.unpacking = arc.unpacks;
      ++transfer.next;
    }
  }

  void communicate(Ready& value, const Arc& arc, const std::string& name, CommKind kind,
                   bool behind_all, int edge) {
    AxisSet axes;
    for (const int d : arc.mesh_dims) axes = axes | axes_[at(d)];
    std::string text(base::name_of(*arc.op));
    std::replace(text.begin(), text.end(), '_', '-');
    value = writer_.communicate(fmt::format("{} {}", text, name), kind, {*arc.op, axes, arc.bytes},
                                value, behind_all);
    edge_of_task_.resize(writer_.tasks(), -1);
    edge_of_task_.back() = edge;
  }

  bool made(int i) const { return !results_[at(i)].empty(); }

  /// Parameters that a unit reads, while the one before is computed. Their aliases are there as
  /// soon as what they read is.
  void move_early(int unit) {
    for (const int i : by_unit_[at(unit + 1)]) {
      bool all_there = true;
      for (std::size_t r = 0; r < instance(i).reads.size(); ++r) {
        const int source = instance(i).reads[r].source;
        if (instance(source).early && made(source)) move({i, r}, false, true);
        all_there = all_there && there(i, r);
      }
      if (instance(i).early && graph_node(instance(i)) == nullptr && all_there && !made(i))
        execute(i);
    }
  }

  /// Whether a transfer is written to its end.
  bool there(int i, std::size_t read) const {
    const Transfer& transfer = transfers_[at(i)][read];
    const int edge = instance(i).reads[read].edge;
    return transfer.begun && !transfer.unpacking &&
           transfer.next == input_.solution.ways[at(edge)].size();
  }

  /// What backward reads of forward.
  void move_kept(int unit) {
    for (const int i : by_unit_[at(unit + 1)])
      for (std::size_t r = 0; r < instance(i).reads.size(); ++r) {
        const int source = instance(i).reads[r].source;
        if (made(source) && !instance(source).early) move({i, r}, false, false);
      }
  }

  /// What others read of it soon, and gradients at once.
  void move_on(int i) {
    if (instance(i).early) return;
    for (const Reader& reader : readers_[at(i)]) {
      const Instance& to = instance(reader.instance);
      if (to.unit <= instance(i).unit + 1 || is_gradient(to)) move(reader, false, false);
    }
  }

  // --- computing ---------------------------------------------------------------------------------

  void execute(int i) {
    const Instance& one = instance(i);
    std::vector<Ready> inputs;
    for (std::size_t r = 0; r < one.reads.size(); ++r) {
      move({i, r}, true, false);
      inputs.push_back(transfers_[at(i)][r].value);
    }
    const std::vector<base::Kernel>& kernels = kernels_of(one);
    const std::size_t count = node_of(one).results.size();
    if (kernels.empty()) {
      results_[at(i)].assign(count, pass_on(inputs));
    } else if (accumulates(one)) {
      results_[at(i)] = {add_up(one, kernels, inputs)};
    } else {
      const Ready done = writer_.compute(node_of(one).name, phase_of(one), kernels, inputs);
      results_[at(i)].assign(count, done);
      for (std::size_t r = 0; r < count; ++r) allocate_result(i, r);
    }
    move_on(i);
  }

  void add_up_reduced() {
    for (const int i : reduced_) execute(i);
    reduced_.clear();
  }

  /// Into the memory that the first micro-batch takes for it.
  Ready add_up(const Instance& one, const std::vector<base::Kernel>& kernels,
               std::vector<Ready> inputs) {
    Ready& sum = sums_[{one.node, one.position}];
    const bool first = sum.buffer < 0;
    if (!first) inputs.push_back(sum);
    Ready done = writer_.compute(node_of(one).name, Phase::backward, kernels, inputs);
    done.buffer = sum.buffer;
    const int tensor = node_of(one).results.front();
    if (first)
      writer_.allocate(done, MemoryPart::gradients, "gradients",
                       layouts(tensor).local_bytes[at(choice_of(one).results.front())]);
    return sum = done;
  }

  /// What a node without work gives: when all it reads is there, in the memory of the first.
  static Ready pass_on(const std::vector<Ready>& inputs) {
    Ready all;
    for (const Ready& input : inputs) {
      all.run = std::max(all.run, input.run);
      all.comm.insert(all.comm.end(), input.comm.begin(), input.comm.end());
    }
    if (!inputs.empty()) all.buffer = inputs.front().buffer;
    return all;
  }

  const std::vector<base::Kernel>& kernels_of(const Instance& one) {
    std::optional<std::vector<base::Kernel>>& known = kernels_[at(one.node)];
    if (!known)
      known = strategies::autoshard::kernels_of(input_.graph, input_.problem, one.node,
                                                choice_of(one), input_.placed.mesh, pricer_prices_);
    return *known;
  }

  void allocate_result(int i, std::size_t result) {
    const Instance& one = instance(i);
    const int tensor = node_of(one).results[result];
    const Bytes bytes = layouts(tensor).local_bytes[at(choice_of(one).results[result])];
    const std::string block = block_of(node_of(one).name);
    Ready& value = results_[at(i)][result];
    if (one.early)
      writer_.allocate(value, MemoryPart::weights, "cast parameters", bytes);
    else if (one.phase == strategies::autoshard::Phase::forward)
      writer_.allocate(value, MemoryPart::activations, block, bytes);
    else if (becomes_gradient(i, result))
      writer_.allocate(value, MemoryPart::gradients, "gradients", bytes);
    else
      writer_.allocate(value, MemoryPart::activations, "while a backward runs", bytes);
  }

  /// Whether it is, or is cast to, what comes to rest.
  bool becomes_gradient(int i, std::size_t result) const {
    return std::any_of(readers_[at(i)].begin(), readers_[at(i)].end(), [&](const Reader& reader) {
      const Instance& to = instance(reader.instance);
      if (at(to.reads[reader.read].result) != result) return false;
      const Node* node = graph_node(to);
      return is_gradient(to) ||
             (node != nullptr && node->operation.family == strategies::autoshard::Family::cast);
    });
  }

  // --- the end of the step -----------------------------------------------------------------------

  /// By node.
  template <class Visit>
  void for_each_update(const Visit& visit) const {
    for (int n = 0; n < static_cast<int>(input_.graph.nodes.size()); ++n) {
      if (input_.graph.nodes[at(n)].role != Role::parameter) continue;
      const ProblemNode& made = input_.problem.nodes[at(n)];
      const int layout = made.choices[at(input_.solution.choices[at(n)])].results.front();
      visit(n, parameter_update(input_.graph, n, layouts(made.results.front()).layouts[at(layout)],
                                input_.placed.mesh, input_.plan.optimizer, input_.plan.precision));
    }
  }

  void hold_states() {
    Bytes weights;
    for (const Instance& one : step_.instances) {
      const Node* node = graph_node(one);
      if (node == nullptr || node->role != Role::parameter) continue;
      weights +=
          layouts(node_of(one).results.front()).local_bytes[at(choice_of(one).results.front())];
    }
    writer_.hold(MemoryPart::weights, weights, "parameters");
    double states = 0;
    for_each_update([&](int, const ParameterUpdate& update) { states += update.state_bytes; });
    writer_.hold(MemoryPart::optimizer, Bytes::from_double(states), "parameters");
    const topology::GpuId gpu = input_.placed.gpu_of_rank.front();
    writer_.hold(MemoryPart::buffers, workspace_bytes(input_.cluster.gpu_spec(gpu)),
                 "cuBLAS workspaces");
    writer_.hold(MemoryPart::framework, context_bytes(), "context");
  }

  void update() {
    std::vector<Ready> gradients;
    for (std::size_t i = 0; i < step_.instances.size(); ++i)
      if (resting_.contains(step_.instances[i].node)) gradients.push_back(results_[i].front());
    writer_.begin_update();
    const std::string name(name_of(input_.plan.optimizer.kind));
    for_each_update([&](int node, const ParameterUpdate& update) {
      std::vector<Ready> inputs = gradients;
      const auto exchange = [&](Ready ready) {
        AxisSet axes;
        for (const int d : update.mesh_dims) axes = axes | axes_[at(d)];
        return writer_.communicate(
            "all-to-all " + input_.problem.nodes[at(node)].name, CommKind::data,
            {base::Collective::all_to_all, axes, update.exchanged}, ready, false);
      };
      const bool exchanges = update.exchanged.count() > 0;
      if (!update.before.empty())
        inputs = {writer_.compute(name, Phase::optimizer, update.before, inputs)};
      if (exchanges) inputs = {exchange(inputs.front())};
      const Ready done = writer_.compute(name, Phase::optimizer, update.kernels, inputs);
      if (exchanges) exchange(done);
    });
  }

  const ShardedStepInput& input_;
  ProfilePrices pricer_prices_;
  std::vector<Axis> axes_;
  UnrolledStep step_;
  StepWriter writer_;
  std::set<int> resting_;                                          // nodes
  std::vector<std::vector<Ready>> results_;                        // by instance; empty: not yet
  std::vector<std::vector<Transfer>> transfers_;                   // by instance and read
  std::vector<std::vector<Reader>> readers_;                       // by instance
  std::vector<std::vector<int>> by_unit_;                          // instances, from unit -1 on
  std::vector<std::optional<std::vector<base::Kernel>>> kernels_;  // by node
  std::map<std::pair<int, int>, Ready> sums_;  // of gradients so far, by node and place in the walk
  std::vector<int> reduced_;                   // instances to add up what is being reduced
  std::vector<int> edge_of_task_;
};

}  // namespace

ShardedStep build_sharded_step(const ShardedStepInput& input) {
  ShardedStep step;
  step.graph.grid = grid_of(input.placed.mesh);
  step.graph.sources = input.profile.sources();
  const strategies::ShardedGraph no_blocks;
  const StepInput priced{
      input.model, input.plan, no_blocks, input.cluster, input.placed.gpu_of_rank, input.profile};
  Pricer pricer(priced, step.graph);
  Builder builder(input, step.graph, pricer);
  step.graph.programs.push_back(builder.build());
  step.edge_of_task = builder.take_edges();
  step.edge_of_task.resize(step.graph.programs.front().tasks.size(), -1);
  step.graph.program_of_rank.assign(at(input.placed.mesh.size()), 0);
  hold_communicators(step.graph);
  check_step_graph(step.graph);
  return step;
}

}  // namespace sim::autoshard
