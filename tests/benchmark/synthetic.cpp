#include "tests/benchmark/synthetic.hpp"

#include <fmt/format.h>

#include <numeric>

#include "base/check.hpp"
#include "base/document.hpp"
#include "base/map_reader.hpp"
#include "sim/groups.hpp"
#include "sim/schedule/schedule.hpp"
#include "topology/cluster_reader.hpp"
#include "topology/hardware.hpp"

namespace sim::benchmark {

namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;
using calibrate::Collective;
using strategies::Axis;

/// Latency of the hops of a ring, then wire bytes at nine tenths of what the links give.
calibrate::CollectiveCost price(Collective op, Bytes bytes, const calibrate::GroupShape& shape) {
  calibrate::CollectiveCost cost;
  const bool across = shape.nodes > 1;
  const BytesPerSecond rate = across ? shape.network_rate : shape.scale_up_rate;
  cost.latency =
      (across ? shape.network_latency : shape.scale_up_latency) * shape.nodes + Seconds::from_us(5);
  cost.bus_rate = rate * 0.9;
  const double wire = bytes.as_double() * calibrate::bus_factor(op, shape.ranks);
  cost.total.time = cost.latency + Bytes::from_double(wire) / cost.bus_rate;
  return cost;
}

std::shared_ptr<const topology::HardwareRegistry> shipped_registry() {
  auto read =
      topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  CHECK_INVARIANT(read.has_value());
  return std::make_shared<const topology::HardwareRegistry>(std::move(*read));
}

class Synthetic {
 public:
  Synthetic(const Size& size, const topology::Cluster& cluster)
      : size_(size), cluster_(cluster), gpus_(in_order(size.ranks())) {
    graph_.grid = strategies::RankGrid({size.tensor, 1, size.data, 1, size.pipeline},
                                       strategies::default_order);
    graph_.labels = {"layer"};
    graph_.sources = {"synthetic"};
    for (int rank = 0; rank < size.ranks(); ++rank)
      graph_.program_of_rank.push_back(
          static_cast<std::uint16_t>(graph_.grid.coordinate(rank, Axis::pipeline)));
  }

  int collective(Collective op, strategies::AxisSet axes, Bytes bytes) {
    std::size_t of_axes = 0;
    while (of_axes < graph_.groups.size() && graph_.groups[of_axes].axes != axes) ++of_axes;
    if (of_axes == graph_.groups.size())
      graph_.groups.push_back(group_shapes(graph_.grid, axes, cluster_, gpus_));
    CollectiveUse use;
    use.name = "collective";
    use.op = op;
    use.axes = axes;
    use.bytes = bytes;
    for (const calibrate::GroupShape& shape : graph_.groups[of_axes].shapes)
      use.cost.push_back(price(op, bytes, shape));
    graph_.collectives.push_back(std::move(use));
    return static_cast<int>(graph_.collectives.size() - 1);
  }

  std::uint32_t message(const char* name, int peer_stage, int sender_chunk) {
    const calibrate::GroupShape pair = shape_of({gpus_[0], gpus_[gpus_.size() - 1]}, cluster_);
    const Bytes bytes = Bytes::from_mib(8);
    const auto cost = price(Collective::send_receive, bytes, pair);
    graph_.messages.push_back({name, peer_stage, sender_chunk, bytes, {cost, cost}});
    return static_cast<std::uint32_t>(graph_.messages.size() - 1);
  }

  std::uint32_t add(Program& program, TaskKind kind, Stream stream, std::uint32_t index,
                    int micro_batch, const std::vector<std::uint32_t>& after) {
    Task task;
    task.kind = kind;
    task.stream = stream;
    task.micro_batch = micro_batch;
    task.index = index;
    task.first_dependency = static_cast<std::uint32_t>(program.dependencies.size());
    task.dependency_count = static_cast<std::uint32_t>(after.size());
    program.dependencies.insert(program.dependencies.end(), after.begin(), after.end());
    program.tasks.push_back(task);
    return static_cast<std::uint32_t>(program.tasks.size() - 1);
  }

  std::uint32_t segment(double layer_ms, int layers, int collective) {
    Segment made;
    made.name = "segment";
    for (int i = 0; i < layers * 4; ++i) {
      made.pieces.push_back({.phase = Phase::forward, .compute = Seconds::from_ms(layer_ms / 4)});
      made.pieces.push_back({.phase = Phase::communication, .collective = collective});
    }
    graph_.segments.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph_.segments.size() - 1);
  }

  Program stage_program(int stage) {
    Program program;
    program.name = fmt::format("stage {}", stage);
    const bool first = stage == 0;
    const bool last = stage == size_.pipeline - 1;
    std::vector<std::uint32_t> gathered;
    for (int b = 0; b < size_.buckets; ++b)
      gathered.push_back(add(program, TaskKind::collective, Stream::data_comm,
                             static_cast<std::uint32_t>(gather_), -1, {}));
    std::vector<std::uint32_t> forward(static_cast<std::size_t>(size_.micro_batches));
    const auto cells = schedule::one_f_one_b_cells({size_.pipeline, 1, size_.micro_batches}, stage);
    for (const schedule::Cell& cell : cells) {
      const int mb = cell.micro_batch;
      std::vector<std::uint32_t> after;
      const bool from_peer = cell.forward() ? !first : !last;
      const char* const name = cell.forward() ? "activation" : "gradient";
      if (from_peer) {
        const int peer = cell.forward() ? stage - 1 : stage + 1;
        after.push_back(
            add(program, TaskKind::receive, Stream::receive, message(name, peer, 0), mb, {}));
      }
      std::uint32_t done = 0;
      if (cell.forward()) {
        if (mb == 0) after.insert(after.end(), gathered.begin(), gathered.end());
        done = add(program, TaskKind::run, Stream::compute, forward_, mb, after);
        forward[static_cast<std::size_t>(mb)] = done;
      } else {
        after.push_back(forward[static_cast<std::size_t>(mb)]);
        done = backward(program, mb, after);
      }
      const bool to_peer = cell.forward() ? !last : !first;
      if (to_peer)
        add(program, TaskKind::send, Stream::send,
            message(name, cell.forward() ? stage + 1 : stage - 1, 0), mb, {done});
    }
    return program;
  }

  /// The last micro-batch is cut so that a bucket can be reduced while the next is computed.
  std::uint32_t backward(Program& program, int mb, std::vector<std::uint32_t> after) {
    if (mb + 1 < size_.micro_batches)
      return add(program, TaskKind::run, Stream::compute, backward_, mb, after);
    std::uint32_t done = 0;
    for (int b = 0; b < size_.buckets; ++b) {
      done = add(program, TaskKind::run, Stream::compute, part_, mb, after);
      add(program, TaskKind::collective, Stream::data_comm, static_cast<std::uint32_t>(scatter_),
          -1, {done});
      after = {done};
    }
    return done;
  }

  StepGraph build() {
    const int tensor = collective(Collective::all_reduce, Axis::tensor, Bytes::from_mib(32));
    gather_ = collective(Collective::all_gather, Axis::data_shard, Bytes::from_mib(256));
    scatter_ = collective(Collective::reduce_scatter, Axis::data_shard, Bytes::from_mib(512));
    forward_ = segment(2, size_.layers, tensor);
    backward_ = segment(4, size_.layers, tensor);
    part_ = segment(4, std::max(1, size_.layers / size_.buckets), tensor);
    for (int stage = 0; stage < size_.pipeline; ++stage)
      graph_.programs.push_back(stage_program(stage));
    return std::move(graph_);
  }

  StepGraph build_lone(Bytes bytes) {
    const int use = collective(Collective::all_reduce, Axis::data_shard, bytes);
    graph_.programs.emplace_back();
    add(graph_.programs.back(), TaskKind::collective, Stream::data_comm,
        static_cast<std::uint32_t>(use), -1, {});
    return std::move(graph_);
  }

 private:
  Size size_;
  const topology::Cluster& cluster_;
  std::vector<topology::GpuId> gpus_;
  StepGraph graph_;
  int gather_ = 0;
  int scatter_ = 0;
  std::uint32_t forward_ = 0;
  std::uint32_t backward_ = 0;
  std::uint32_t part_ = 0;
};

}  // namespace

std::vector<topology::GpuId> in_order(int ranks) {
  std::vector<topology::GpuId> gpus(static_cast<std::size_t>(ranks));
  std::iota(gpus.begin(), gpus.end(), 0U);
  return gpus;
}

std::shared_ptr<const topology::Cluster> cluster_for(int gpus, int oversubscription) {
  const auto registry = shipped_registry();
  const std::string yaml = fmt::format(
      "nodes: {{type: dgx-h100, count: {}}}\nfabric: {{kind: rail_optimized, oversubscription: "
      "{}}}\n",
      (gpus + 7) / 8, oversubscription);
  const auto document = base::parse_yaml(yaml, "benchmark");
  CHECK_INVARIANT(document.has_value());
  base::Diagnostics problems;
  base::MapReader root(*document, document->root, "", problems);
  const topology::ClusterSpec spec = topology::read_cluster(root, *registry);
  auto cluster = topology::build_cluster(spec, registry);
  CHECK_INVARIANT(cluster.has_value());
  return std::make_shared<const topology::Cluster>(std::move(*cluster));
}

std::shared_ptr<const topology::Cluster> switch_cluster(int nodes, int gpus_per_node) {
  const auto registry = shipped_registry();
  return std::make_shared<const topology::Cluster>(
      topology::uniform_cluster(*registry->find_node("dgx-h100"), nodes, gpus_per_node, registry));
}

StepGraph synthetic_step(const Size& size, const topology::Cluster& cluster) {
  return Synthetic(size, cluster).build();
}

StepGraph lone_all_reduce(int ranks, base::Bytes bytes, const topology::Cluster& cluster,
                          double pressure) {
  StepGraph graph = Synthetic({1, ranks, 1, 1, 1, 1}, cluster).build_lone(bytes);
  for (CollectiveUse& use : graph.collectives)
    for (calibrate::CollectiveCost& cost : use.cost)
      cost.total.time = cost.latency + base::Seconds::from_s(cost.wire_time() / pressure);
  return graph;
}

}  // namespace sim::benchmark
