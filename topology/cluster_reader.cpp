#include "topology/cluster_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "topology/fabric/fabric.hpp"

namespace topology {

namespace {

constexpr auto kind_names = [] {
  std::array<std::pair<std::string_view, FabricKind>, fabric::kinds.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i)
    names[i] = {fabric::kinds[i].name, fabric::kinds[i].kind};
  return names;
}();

/// A key of `fabric` that only some kinds look at: elsewhere it would be silently without effect.
struct KeyOfKinds {
  std::string_view key;
  std::array<bool, 4> used;  ///< by FabricKind
};
//                                                 rail   tree   single dragonfly
constexpr std::array<KeyOfKinds, 11> keys_of_kinds{{
    {"nodes_per_leaf", {true, true, false, true}},
    {"oversubscription", {true, true, false, false}},
    {"core_oversubscription", {true, true, false, false}},
    {"spines", {true, true, false, false}},
    {"leaves_per_pod", {true, true, false, false}},
    {"switch_ports", {true, true, false, true}},
    {"uplink_rate", {true, true, false, true}},
    {"routers_per_group", {false, false, false, true}},
    {"global_links_per_router", {false, false, false, true}},
    {"nic_ports", {true, true, false, false}},
    {"planes", {true, true, false, false}},
}};

constexpr base::Range<int> from_one{1, 1'000'000};
constexpr base::Range<double> ratio{1, 1e6};

/// What is said of cables, whatever the fabric.
void read_cables(base::MapReader& reader, FabricSpec& out) {
  reader.read("oversubscription", out.oversubscription, ratio);
  reader.read("core_oversubscription", out.core_oversubscription, ratio);
  if (reader.read("uplink_rate", out.uplink_rate) && out.uplink_rate <= base::BytesPerSecond())
    reader.error("uplink_rate", "'uplink_rate' is 0, must be more");
  reader.read("switch_latency", out.switch_latency);
}

void read_fabric(base::MapReader& reader, FabricSpec& out) {
  reader.require_choice("kind", out.kind, kind_names);
  read_cables(reader, out);
  reader.read("nodes_per_leaf", out.nodes_per_leaf, from_one);
  reader.read("spines", out.spines, from_one);
  reader.read("leaves_per_pod", out.leaves_per_pod, from_one);
  reader.read("switch_ports", out.switch_ports, base::Range<int>{2, switch_ports_max});
  reader.read("routers_per_group", out.routers_per_group, base::Range<int>{1, 4096});
  reader.read("global_links_per_router", out.global_links_per_router, base::Range<int>{0, 4096});
  reader.read("nic_ports", out.nic_ports, base::Range<int>{1, nic_ports_max});
  if (reader.read("planes", out.planes) && out.planes != 1 && out.planes != out.nic_ports)
    reader.error("planes",
                 fmt::format("'planes' is {}, must be 1 or as many as 'nic_ports', which is {}",
                             out.planes, out.nic_ports));
  reader.finish();
  if (!reader.has("kind")) return;
  const auto kind = static_cast<std::size_t>(out.kind);
  for (const KeyOfKinds& row : keys_of_kinds)
    if (reader.has(row.key) && !row.used[kind])
      reader.error(row.key, fmt::format("'{}' has no meaning in a {} fabric", row.key,
                                        kind_names[kind].first));
}

/// Reads pools of nodes into a ClusterSpec.
class NodesReader {
 public:
  NodesReader(const HardwareRegistry& registry, ClusterSpec& out)
      : registry_(registry), out_(out) {}

  void read_pool(base::MapReader& pool) {
    const NodeType* type = read_type(pool);
    int count = 0;
    pool.require("count", count, base::Range<int>{1, cluster_nodes_max});
    int usable = type == nullptr ? 0 : type->gpus;
    const int most = type == nullptr ? 1024 : type->gpus;
    pool.read("usable_gpus", usable, base::Range<int>{1, most});
    std::string prefix = "node";
    if (pool.read("name", prefix) && prefix.empty()) pool.error("name", "'name' is empty");
    pool.finish();
    if (static_cast<int>(out_.nodes.size()) + count > cluster_nodes_max) {
      pool.error("count", fmt::format("the cluster has more than {} nodes", cluster_nodes_max));
      return;
    }
    if (type == nullptr) return;
    for (int i = 0; i < count; ++i)
      out_.nodes.push_back({fmt::format("{}-{}", prefix, out_.nodes.size()), type, {}, "", usable});
  }

 private:
  const NodeType* read_type(base::MapReader& pool) {
    if (pool.has("type") && pool.has("node")) {
      pool.find("type");
      pool.find("node");
      pool.error("node", "a pool has either 'type' or 'node', not both",
                 "'node: {base: ...}' changes a known type");
      return nullptr;
    }
    if (std::optional<base::MapReader> inline_type = pool.map("node"))
      return read_inline(*inline_type);
    std::string name;
    return pool.require("type", name) ? find(pool, "type", name) : nullptr;
  }

  const NodeType* find(base::MapReader& reader, std::string_view key, const std::string& name) {
    const NodeType* type = registry_.find_node(name);
    if (type == nullptr)
      reader.error(key, fmt::format("unknown node type '{}'", name),
                   base::suggest(name, registry_.node_names()));
    return type;
  }

  const NodeType* read_inline(base::MapReader& reader) {
    auto type = std::make_shared<NodeType>();
    type->name = "custom";
    std::string base_name;
    bool has_base = false;
    if (reader.read("base", base_name)) {
      const NodeType* base_type = find(reader, "base", base_name);
      if (base_type == nullptr) return nullptr;
      *type = *base_type;
      type->name = "custom " + base_type->name;
      type->aliases.clear();
      has_base = true;
    }
    reader.read("name", type->name);
    read_node_type(reader, *type, !has_base);
    reader.finish();
    if (reader.has("gpu")) {
      const GpuSpec* gpu = registry_.find_gpu(type->gpu);
      if (gpu == nullptr) {
        reader.error("gpu", fmt::format("unknown GPU '{}'", type->gpu),
                     base::suggest(type->gpu, registry_.gpu_names()));
        return nullptr;
      }
      type->gpu = gpu->name;
    }
    out_.custom_types.push_back(type);
    return type.get();
  }

  const HardwareRegistry& registry_;
  ClusterSpec& out_;
};

}  // namespace

void read_domain_fabric(base::MapReader& reader, FabricSpec& out) {
  read_cables(reader, out);
  reader.finish();
}

ClusterSpec read_cluster(base::MapReader& reader, const HardwareRegistry& registry) {
  ClusterSpec spec;
  spec.where = reader.where();
  NodesReader nodes(registry, spec);
  const base::Node* value = reader.find("nodes");
  if (value != nullptr && value->kind == base::Node::Kind::sequence) {
    for (base::MapReader& pool : reader.maps("nodes")) nodes.read_pool(pool);
  } else if (std::optional<base::MapReader> pool = reader.required_map("nodes")) {
    nodes.read_pool(*pool);
  }
  if (std::optional<base::MapReader> fabric = reader.map("fabric")) {
    spec.where = fabric->where();
    read_fabric(*fabric, spec.fabric);
  } else if (spec.nodes.size() > 1) {
    spec.notes.push_back({spec.where, "no 'fabric' is given: one ideal switch joins all nodes", "",
                          base::Severity::note});
  }
  reader.finish();
  return spec;
}

}  // namespace topology
