#include "topology/scale_up.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace topology {

namespace {

/// Numbers the scale-up domain of each node. Named domains hold the nodes of one type that share
/// the name; unnamed nodes of a type made for large domains fill them in order.
std::vector<int> domains_of(const ClusterSpec& spec, base::Diagnostics& notes) {
  struct Filling {
    int domain = 0;
    int nodes = 0;
  };
  std::vector<int> domains;
  std::map<std::pair<std::string, const NodeType*>, int> named;
  std::map<int, std::pair<const NodeSpec*, int>> sizes;  // of named domains, with one member
  std::map<const NodeType*, Filling> filling;
  int count = 0;
  int ignored = 0;
  int assumed = 0;
  for (const NodeSpec& node : spec.nodes) {
    const bool spans =
        node.type->scale_up == ScaleUpKind::nvswitch && node.type->scale_up_domain_nodes > 1;
    if (!node.accelerator_domain.empty() && !spans) ++ignored;
    if (!spans) {
      domains.push_back(count++);
    } else if (!node.accelerator_domain.empty()) {
      const auto [at, is_new] = named.emplace(std::pair(node.accelerator_domain, node.type), count);
      if (is_new) ++count;
      domains.push_back(at->second);
      ++sizes.emplace(at->second, std::pair(&node, 0)).first->second.second;
    } else {
      Filling& open = filling[node.type];
      if (open.nodes % node.type->scale_up_domain_nodes == 0) open.domain = count++;
      ++open.nodes;
      ++assumed;
      domains.push_back(open.domain);
    }
  }
  const auto note = [&](std::string message) {
    notes.push_back({spec.where, std::move(message), "", base::Severity::note});
  };
  if (ignored > 0)
    note(
        fmt::format("nodes whose accelerator domain is ignored, since NVLink of their type ends "
                    "at the node: {}",
                    ignored));
  for (const auto& [domain, members] : sizes)
    if (members.second > members.first->type->scale_up_domain_nodes)
      note(fmt::format("accelerator domain '{}' has {} nodes, but NVLink of a {} joins {} at most",
                       members.first->accelerator_domain, members.second, members.first->type->name,
                       members.first->type->scale_up_domain_nodes));
  if (assumed > 0)
    note(fmt::format("nodes grouped into NVLink domains by their order: {}", assumed));
  return domains;
}

class Builder {
 public:
  explicit Builder(Graph& graph) : graph_(graph) {}

  /// `domain` says which nodes share a switch.
  void add_node(const NodeSpec& node, int domain, ScaleUp& out) {
    const NodeType& type = *node.type;
    const int index = static_cast<int>(out.nodes.size());
    NodeInfo info{node.name,        &type,          node.domains,    domain, next_gpu_,
                  node.usable_gpus, node.free_gpus, node.unavailable};
    next_gpu_ += static_cast<GpuId>(node.usable_gpus);
    std::vector<DeviceId> gpus;
    for (int i = 0; i < node.usable_gpus; ++i)
      gpus.push_back(
          add_device(graph_, DeviceKind::gpu, fmt::format("{}/gpu-{}", node.name, i), index));
    std::vector<DeviceId> nics;
    for (int i = 0; i < type.nics; ++i)
      nics.push_back(
          add_device(graph_, DeviceKind::nic, fmt::format("{}/nic-{}", node.name, i), index, i));
    if (type.scale_up == ScaleUpKind::pcie)
      join_by_pcie(node, index, gpus, nics);
    else
      join_directly(type, gpus, nics);
    if (type.scale_up == ScaleUpKind::mesh) join_by_mesh(type, gpus);
    if (type.scale_up == ScaleUpKind::nvswitch) join_by_switch(node, index, domain, gpus);
    out.nodes.push_back(std::move(info));
    out.nics.push_back(std::move(nics));
  }

 private:
  base::BytesPerSecond usable(const NodeType& type) const {
    return type.scale_up_rate * type.scale_up_efficiency;
  }

  void join_directly(const NodeType& type, const std::vector<DeviceId>& gpus,
                     const std::vector<DeviceId>& nics) {
    for (std::size_t i = 0; i < gpus.size() && !nics.empty(); ++i) {
      const std::size_t nic = i * nics.size() / static_cast<std::size_t>(type.gpus);
      add_cable(graph_, gpus[i], nics[nic], type.pcie_rate, base::Seconds(), static_cast<int>(nic));
    }
  }

  /// One PCIe switch stands for the switches and the host of the node; to the NICs as well, so
  /// that traffic between GPUs and to the network shares the slot of a GPU.
  void join_by_pcie(const NodeSpec& node, int index, const std::vector<DeviceId>& gpus,
                    const std::vector<DeviceId>& nics) {
    const NodeType& type = *node.type;
    const DeviceId host = add_device(graph_, DeviceKind::pcie_switch, node.name + "/pcie", index);
    for (const DeviceId gpu : gpus)
      add_cable(graph_, gpu, host, usable(type), type.scale_up_latency / 2);
    for (std::size_t i = 0; i < nics.size(); ++i)
      add_cable(graph_, host, nics[i], type.pcie_rate, base::Seconds(), static_cast<int>(i));
  }

  void join_by_mesh(const NodeType& type, const std::vector<DeviceId>& gpus) {
    if (type.gpus < 2) return;
    const base::BytesPerSecond pair = usable(type) / (type.gpus - 1);
    for (std::size_t a = 0; a < gpus.size(); ++a)
      for (std::size_t b = a + 1; b < gpus.size(); ++b)
        add_cable(graph_, gpus[a], gpus[b], pair, type.scale_up_latency);
  }

  void join_by_switch(const NodeSpec& node, int index, int domain,
                      const std::vector<DeviceId>& gpus) {
    const NodeType& type = *node.type;
    const bool spans = type.scale_up_domain_nodes > 1;
    auto at = switches_.find(domain);
    if (at == switches_.end()) {
      const std::string owner = spans ? fmt::format("nvlink-{}", domain) : node.name;
      at = switches_
               .emplace(domain, add_device(graph_, DeviceKind::nvswitch, owner + "/nvswitch",
                                           spans ? -1 : index))
               .first;
    }
    for (const DeviceId gpu : gpus)
      add_cable(graph_, gpu, at->second, usable(type), type.scale_up_latency / 2);
  }

  Graph& graph_;
  GpuId next_gpu_ = 0;
  std::map<int, DeviceId> switches_;  ///< NVSwitch of each domain
};

}  // namespace

ScaleUp build_scale_up(Graph& graph, const ClusterSpec& spec, base::Diagnostics& notes) {
  const std::vector<int> domains = domains_of(spec, notes);
  ScaleUp out;
  Builder builder(graph);
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    builder.add_node(spec.nodes[i], domains[i], out);
    out.domains = std::max(out.domains, domains[i] + 1);
  }
  return out;
}

}  // namespace topology
