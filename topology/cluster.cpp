#include "topology/cluster.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.hpp"
#include "topology/fabric/fabric.hpp"
#include "topology/faults.hpp"
#include "topology/graph.hpp"
#include "topology/scale_up.hpp"

namespace topology {

namespace {

using Problems = base::Diagnostics;

void check_nodes(const ClusterSpec& spec, const HardwareRegistry& registry, Problems& problems) {
  const auto error = [&](std::string message, std::string hint = {}) {
    problems.push_back({spec.where, std::move(message), std::move(hint)});
  };
  if (spec.nodes.empty()) error("the cluster has no nodes");
  std::int64_t gpus = 0;
  std::set<std::string_view> names;
  for (const NodeSpec& node : spec.nodes) {
    if (!names.insert(node.name).second) error(fmt::format("two nodes are named '{}'", node.name));
    if (node.type == nullptr) {
      error(fmt::format("node '{}' has no type", node.name));
      continue;
    }
    if (node.usable_gpus < 0 || node.usable_gpus > node.type->gpus)
      error(fmt::format("node '{}' has {} usable GPUs, but a {} has 0 to {}", node.name,
                        node.usable_gpus, node.type->name, node.type->gpus));
    if (registry.find_gpu(node.type->gpu) == nullptr)
      error(fmt::format("node type '{}' has the unknown GPU '{}'", node.type->name, node.type->gpu),
            base::suggest(node.type->gpu, registry.gpu_names()));
    gpus += std::max(0, node.usable_gpus);
    if (node.type->nics > 0 && !(node.type->nic_rate > base::BytesPerSecond()))
      error(fmt::format("NICs of node type '{}' have no rate", node.type->name));
  }
  if (!spec.nodes.empty() && gpus == 0 && problems.empty()) error("no node has a usable GPU");
  if (gpus > cluster_gpus_max)
    error(fmt::format("the cluster has {} GPUs, more than {}", gpus, cluster_gpus_max));
}

void check_fabric(const ClusterSpec& spec, Problems& problems) {
  const FabricSpec& fabric = spec.fabric;
  const auto at_least = [&](std::string_view key, auto value, auto least) {
    if (!(value >= least))
      problems.push_back(
          {spec.where, fmt::format("'{}' is {}, must be at least {}", key, value, least), ""});
  };
  at_least("oversubscription", fabric.oversubscription, 1.0);
  at_least("core_oversubscription", fabric.core_oversubscription, 1.0);
  at_least("switch_ports", fabric.switch_ports, 2);
  if (fabric.switch_ports > switch_ports_max)
    problems.push_back({spec.where,
                        fmt::format("'switch_ports' is {}, must be at most {}", fabric.switch_ports,
                                    switch_ports_max),
                        ""});
  if (fabric.nic_ports < 1 || fabric.nic_ports > nic_ports_max)
    problems.push_back(
        {spec.where,
         fmt::format("'nic_ports' is {}, must be 1 to {}", fabric.nic_ports, nic_ports_max), ""});
  if (fabric.planes != 1 && fabric.planes != fabric.nic_ports)
    problems.push_back({spec.where,
                        fmt::format("'planes' is {}, must be 1 or 'nic_ports' {}", fabric.planes,
                                    fabric.nic_ports),
                        ""});
  at_least("nodes_per_leaf", fabric.nodes_per_leaf, 0);
  at_least("spines", fabric.spines, 0);
  at_least("leaves_per_pod", fabric.leaves_per_pod, 0);
  at_least("routers_per_group", fabric.routers_per_group, 0);
  at_least("global_links_per_router", fabric.global_links_per_router, 0);
}

/// Things a reader of the result should know about the nodes.
void note_nodes(const ClusterSpec& spec, base::Diagnostics& notes) {
  const auto note = [&](std::string message) {
    notes.push_back({spec.where, std::move(message), "", base::Severity::note});
  };
  std::set<std::string_view> types;
  int idle = 0;
  int partial = 0;
  for (const NodeSpec& node : spec.nodes) {
    types.insert(node.type->name);
    if (node.usable_gpus == 0)
      ++idle;
    else if (node.usable_gpus < node.type->gpus)
      ++partial;
  }
  if (types.size() > 1)
    note(fmt::format("node types are mixed ({}): a step is as fast as its slowest rank",
                     fmt::join(types, ", ")));
  if (idle > 0) note(fmt::format("nodes without a usable GPU: {} of {}", idle, spec.nodes.size()));
  if (partial > 0)
    note(fmt::format("nodes with fewer usable GPUs than their type has: {} of {}", partial,
                     spec.nodes.size()));
}

/// The network, unless every GPU is reached without it.
void build_fabric(const fabric::Site& site, int scale_up_domains) {
  if (scale_up_domains > 1)
    for (std::size_t node = 0; node < site.nics.size(); ++node)
      if (site.nics[node].empty() && site.spec.nodes[node].usable_gpus > 0)
        site.error(fmt::format("node '{}' of type '{}' has no NIC to reach the other nodes",
                               site.spec.nodes[node].name, site.type(node).name),
                   "set 'nics' and 'nic_rate'");
  if (site.rails() == 0 || base::has_errors(site.problems)) return;
  if (!site.spec.cabling.switches.empty()) {
    site.graph.fabric = "as cabled";
    fabric::build_as_cabled(site);
    return;
  }
  if (site.spec.fabric_from_domains) {
    site.graph.fabric = "switch tree of the nodes' domains";
    fabric::build_from_domains(site);
    return;
  }
  for (const fabric::Kind& kind : fabric::kinds) {
    if (kind.kind != site.spec.fabric.kind) continue;
    site.graph.fabric = kind.label;
    if (site.spec.fabric.planes > 1)
      site.graph.fabric += fmt::format(", {} planes", site.spec.fabric.planes);
    else if (site.spec.fabric.nic_ports > 1)
      site.graph.fabric += ", dual ToR";
    kind.build(site);
  }
}

}  // namespace

Cluster::Cluster(std::shared_ptr<const Graph> graph, std::vector<NodeInfo> nodes,
                 std::shared_ptr<const HardwareRegistry> registry, base::Diagnostics notes)
    : graph_(std::move(graph)),
      nodes_(std::move(nodes)),
      registry_(std::move(registry)),
      notes_(std::move(notes)) {
  for (DeviceId id = 0; id < device_count(); ++id) {
    if (device(id).kind != DeviceKind::gpu) continue;
    gpus_.push_back(id);
    node_of_gpu_.push_back(device(id).node);
  }
  for (const NodeInfo& node : nodes_) {
    spec_of_node_.push_back(registry_->find_gpu(node.type->gpu));
    CHECK_INVARIANT(spec_of_node_.back() != nullptr);
  }
}

std::size_t Cluster::device_count() const { return boost::num_vertices(*graph_); }

std::size_t Cluster::link_count() const { return graph_->links.size(); }

const Device& Cluster::device(DeviceId id) const { return (*graph_)[id]; }

const Link& Cluster::link(LinkId id) const { return *graph_->links[id]; }

const std::string& Cluster::fabric() const { return graph_->fabric; }

const std::vector<std::string>& Cluster::levels() const { return graph_->levels; }

int Cluster::rail_of(GpuId id) const {
  const NodeInfo& node = nodes_[static_cast<std::size_t>(node_of(id))];
  const int local = static_cast<int>(id - node.first_gpu);
  return local * node.type->nics / std::max(node.type->gpus, 1);
}

bool Cluster::same_scale_up_domain(GpuId a, GpuId b) const {
  return nodes_[static_cast<std::size_t>(node_of(a))].accelerator_domain ==
         nodes_[static_cast<std::size_t>(node_of(b))].accelerator_domain;
}

const GpuSpec& Cluster::gpu_spec(GpuId id) const {
  return *spec_of_node_[static_cast<std::size_t>(node_of(id))];
}

base::Result<Cluster> build_cluster(const ClusterSpec& spec,
                                    std::shared_ptr<const HardwareRegistry> registry) {
  base::Diagnostics problems;
  check_nodes(spec, *registry, problems);
  check_fabric(spec, problems);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));

  base::Diagnostics notes = spec.notes;
  note_nodes(spec, notes);
  auto graph = std::make_shared<Graph>();
  graph->custom_types = spec.custom_types;
  graph->levels = spec.levels;
  ScaleUp built = build_scale_up(*graph, spec, notes);
  build_fabric({*graph, spec, std::move(built.nics), problems, notes}, built.domains);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  apply_faults(*graph, spec, problems, notes);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  if (!spec.faults.empty() || !spec.cabling.switches.empty())
    check_reach(Cluster(graph, built.nodes, registry, {}), spec, problems, notes);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return Cluster(std::move(graph), std::move(built.nodes), std::move(registry), std::move(notes));
}

Cluster uniform_cluster(const NodeType& type, int nodes, int gpus,
                        std::shared_ptr<const HardwareRegistry> registry) {
  ClusterSpec spec;
  spec.custom_types.push_back(std::make_shared<const NodeType>(type));
  for (int node = 0; node < nodes; ++node)
    spec.nodes.push_back({.name = fmt::format("node-{}", node),
                          .type = spec.custom_types.back().get(),
                          .usable_gpus = gpus});
  auto cluster = build_cluster(spec, std::move(registry));
  CHECK_INVARIANT(cluster.has_value());
  return std::move(*cluster);
}

}  // namespace topology
