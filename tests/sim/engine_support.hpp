#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "sim/engine/ensemble.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

/// Machines and steps small enough to work out by hand.
namespace sim {

inline constexpr double nvlink_rate = 400e9;
inline constexpr double nic_rate = 50e9;

/// Nodes of `gpus` GPUs: each GPU has an NVLink port into the node's switch and a NIC. All NICs
/// meet in one switch; if `uplink` > 0 each node reaches it through one shared uplink of that rate.
struct Machine {
  int nodes = 1;
  int gpus = 1;
  double uplink = 0;

  enum class Port { nvlink_out, nvlink_in, nic_out, nic_in };
  topology::LinkId port(topology::GpuId gpu, Port which) const {
    return gpu * 4 + static_cast<topology::LinkId>(which);
  }
  topology::LinkId uplink_out(int node) const {
    return static_cast<topology::LinkId>(nodes * gpus * 4 + node * 2);
  }
  int node_of(topology::GpuId gpu) const { return static_cast<int>(gpu) / gpus; }

  engine::Fabric fabric() const {
    engine::Fabric made;
    for (int gpu = 0; gpu < nodes * gpus; ++gpu) {
      made.link_rate.insert(made.link_rate.end(), {nvlink_rate, nvlink_rate, nic_rate, nic_rate});
      made.domain_of_gpu.push_back(gpu / gpus);
      made.rail_of_gpu.push_back(gpu % gpus);
      made.meshed_gpu.push_back(false);
    }
    for (int node = 0; node < nodes; ++node)
      made.link_rate.insert(made.link_rate.end(), 2, uplink > 0 ? uplink : 1e15);
    made.route = [self = *this](topology::GpuId from, topology::GpuId to,
                                std::vector<topology::Route>& routes) {
      std::vector<topology::LinkId>& links = routes.emplace_back().hops;
      const int a = self.node_of(from);
      const int b = self.node_of(to);
      if (a == b) {
        links.insert(links.end(),
                     {self.port(from, Port::nvlink_out), self.port(to, Port::nvlink_in)});
        return true;
      }
      links.push_back(self.port(from, Port::nic_out));
      if (self.uplink > 0) links.insert(links.end(), {self.uplink_out(a), self.uplink_out(b) + 1});
      links.push_back(self.port(to, Port::nic_in));
      return true;
    };
    return made;
  }
};

/// Ranks sit on GPUs in order: rank r on GPU r.
inline std::vector<topology::GpuId> in_order(int ranks) {
  std::vector<topology::GpuId> gpus;
  for (int i = 0; i < ranks; ++i) gpus.push_back(static_cast<topology::GpuId>(i));
  return gpus;
}

inline calibrate::CollectiveCost cost_of_time(double latency, double total) {
  calibrate::CollectiveCost cost;
  cost.latency = base::Seconds::from_s(latency);
  cost.total.time = base::Seconds::from_s(total);
  return cost;
}

/// Builds step graphs in few words.
class StepBuilder {
 public:
  StepBuilder(int tensor, int context, int data, int pipeline, const Machine& machine) {
    graph_.grid =
        strategies::RankGrid({tensor, context, data, 1, pipeline}, strategies::default_order);
    machine_ = machine;
    graph_.labels = {"kernel"};
    graph_.sources = {"test"};
    graph_.program_of_rank.resize(static_cast<std::size_t>(graph_.grid.size()));
    for (int rank = 0; rank < graph_.grid.size(); ++rank)
      graph_.program_of_rank[static_cast<std::size_t>(rank)] =
          static_cast<std::uint16_t>(graph_.grid.coordinate(rank, strategies::Axis::pipeline));
    for (int stage = 0; stage < pipeline; ++stage)
      graph_.programs.push_back({"stage " + std::to_string(stage), {}, {}, {}, {}});
  }

  /// A collective that costs `cost` for every group shape.
  int collective(calibrate::Collective op, strategies::AxisSet axes, std::int64_t bytes,
                 const calibrate::CollectiveCost& cost) {
    add_groups(axes);
    CollectiveUse use;
    use.name = "collective " + std::to_string(graph_.collectives.size());
    use.op = op;
    use.axes = axes;
    use.bytes = base::Bytes::from_count(bytes);
    use.cost.assign(graph_.groups_of(axes).shapes.size(), cost);
    if (op == calibrate::Collective::all_to_all || op == calibrate::Collective::send_receive)
      for (calibrate::CollectiveCost& one : use.cost)
        one.algorithm = base::CollectiveAlgorithm::direct;
    graph_.collectives.push_back(std::move(use));
    return static_cast<int>(graph_.collectives.size() - 1);
  }

  static Piece piece(double compute, int collective = -1) {
    Piece made;
    made.compute = base::Seconds::from_s(compute);
    made.collective = collective;
    return made;
  }

  int segment(std::vector<Piece> pieces) {
    Segment made;
    made.name = "segment " + std::to_string(graph_.segments.size());
    for (const Piece& one : pieces) made.compute += one.compute;
    made.pieces = std::move(pieces);
    graph_.segments.push_back(std::move(made));
    return static_cast<int>(graph_.segments.size() - 1);
  }

  int message(const std::string& name, int peer_stage, std::int64_t bytes,
              const calibrate::CollectiveCost& inside, const calibrate::CollectiveCost& across) {
    graph_.messages.push_back(
        {name, peer_stage, 0, base::Bytes::from_count(bytes), {inside, across}});
    return static_cast<int>(graph_.messages.size() - 1);
  }

  /// Appends a task to the program of a stage; returns its number.
  std::uint32_t task(int stage, TaskKind kind, Stream stream, int index,
                     std::vector<std::uint32_t> after = {}, int micro_batch = -1) {
    Program& program = graph_.programs[static_cast<std::size_t>(stage)];
    Task made;
    made.kind = kind;
    made.stream = stream;
    made.micro_batch = micro_batch;
    made.index = static_cast<std::uint32_t>(index);
    made.first_dependency = static_cast<std::uint32_t>(program.dependencies.size());
    made.dependency_count = static_cast<std::uint32_t>(after.size());
    program.dependencies.insert(program.dependencies.end(), after.begin(), after.end());
    program.tasks.push_back(made);
    return static_cast<std::uint32_t>(program.tasks.size() - 1);
  }

  /// Gives one rank a program of its own, a copy of that of its stage.
  Program& own_program(int rank) {
    std::uint16_t& program = graph_.program_of_rank[static_cast<std::size_t>(rank)];
    graph_.programs.push_back(graph_.programs[program]);
    program = static_cast<std::uint16_t>(graph_.programs.size() - 1);
    return graph_.programs.back();
  }

  const StepGraph& graph() const { return graph_; }
  StepGraph& graph() { return graph_; }

 private:
  void add_groups(strategies::AxisSet axes) {
    for (const StepGraph::Groups& groups : graph_.groups)
      if (groups.axes == axes) return;
    StepGraph::Groups made;
    made.axes = axes;
    for (int group = 0; group < graph_.grid.group_count(axes); ++group) {
      std::vector<int> in_node(static_cast<std::size_t>(machine_.nodes), 0);
      for (const int rank : graph_.grid.members(group, axes))
        ++in_node[static_cast<std::size_t>(machine_.node_of(static_cast<topology::GpuId>(rank)))];
      calibrate::GroupShape shape;
      shape.ranks = graph_.grid.extent(axes);
      shape.nodes = 0;
      for (const int members : in_node) {
        shape.nodes += members > 0 ? 1 : 0;
        shape.ranks_per_node = std::max(shape.ranks_per_node, members);
      }
      const auto known = std::find(made.shapes.begin(), made.shapes.end(), shape);
      made.shape_of_group.push_back(static_cast<std::uint16_t>(known - made.shapes.begin()));
      if (known == made.shapes.end()) made.shapes.push_back(shape);
    }
    graph_.groups.push_back(std::move(made));
  }

  StepGraph graph_;
  Machine machine_;
};

inline Timeline play(const StepBuilder& step, const Machine& machine,
                     const engine::PlayOptions& options = {}) {
  check_step_graph(step.graph());
  return engine::play_in_child(step.graph(), machine.fabric(), in_order(step.graph().grid.size()),
                               options);
}

}  // namespace sim
