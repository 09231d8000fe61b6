#include <nlohmann/json.hpp>
#include <string_view>

#include "base/name_table.hpp"
#include "topology/export/writers.hpp"
#include "topology/found_cluster_names.hpp"
#include "topology/hardware_reader.hpp"

namespace topology {

namespace {

using Json = nlohmann::ordered_json;

/// A map that leaves out what is unknown, so that ten thousand nodes stay readable.
class Map {
 public:
  void add(std::string_view key, const std::string& text) {
    if (!text.empty()) json_[key] = text;
  }
  void add(std::string_view key, const std::vector<std::string>& texts) {
    if (!texts.empty()) json_[key] = texts;
  }
  void add(std::string_view key, int number, int unknown) {
    if (number != unknown) json_[key] = number;
  }
  void add_rate(std::string_view key, base::BytesPerSecond rate) {
    if (rate > base::BytesPerSecond()) json_[key] = rate.byte() * 8;
  }
  void add_json(std::string_view key, Json value) {
    if (!value.empty()) json_[key] = std::move(value);
  }
  Json take() { return std::move(json_); }

 private:
  Json json_ = Json::object();
};

void add_role(Map& map, FabricRole role) {
  if (role != FabricRole::unknown)
    map.add("role", std::string(base::name_in(fabric_role_names, role)));
}

template <class T, class Write>
Json list_of(const std::vector<T>& values, Write write) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(write(value));
  return list;
}

Json nic_json(const FoundNic& nic) {
  Map map;
  map.add("name", nic.name);
  map.add("id", nic.id);
  map.add_rate("rate_bit_s", nic.rate);
  map.add("ports", nic.ports, 1);
  map.add("rail", nic.rail, -1);
  add_role(map, nic.role);
  map.add_json("gpus", nic.gpus);
  return map.take();
}

Json inside_json(const FoundInside& inside) {
  Map map;
  map.add("scale_up", std::string(base::name_in(scale_up_names, inside.scale_up)));
  map.add_rate("scale_up_bit_s", inside.scale_up_rate);
  map.add_rate("pcie_bit_s", inside.pcie_rate);
  return map.take();
}

Json occupant_json(const Occupant& occupant) {
  Map map;
  map.add("job", occupant.job);
  map.add("pod", occupant.pod);
  map.add("gpus", occupant.gpus, 0);
  map.add("index", occupant.index, -1);
  return map.take();
}

Json node_json(const FoundNode& node) {
  Map map;
  map.add("name", node.name);
  map.add("aliases", node.aliases);
  map.add("type", node.type);
  map.add("gpu", node.gpu);
  map.add("gpus", node.gpus, -1);
  map.add("usable_gpus", node.usable_gpus, -1);
  map.add("free_gpus", node.free_gpus, -1);
  map.add("unavailable", node.unavailable);
  map.add("domains", node.domains);
  map.add("accelerator_domain", node.accelerator_domain);
  map.add("accelerator_partition", node.accelerator_partition);
  map.add_json("nics", list_of(node.nics, nic_json));
  if (!node.inside.empty()) map.add_json("inside", inside_json(node.inside.front()));
  map.add_json("occupants", list_of(node.occupants, occupant_json));
  return map.take();
}

Json switch_json(const FoundSwitch& found) {
  Map map;
  map.add("id", found.id);
  map.add("name", found.name);
  map.add("model", found.model);
  map.add("tier", found.tier, 0);
  map.add("rail", found.rail, -1);
  add_role(map, found.role);
  return map.take();
}

Json end_json(const CableEnd& end, const FoundCluster& cluster) {
  Map map;
  if (end.at == CableEnd::At::node)
    map.add("node", cluster.nodes[end.index].name);
  else
    map.add("switch", cluster.switches[end.index].id);
  map.add("nic", end.nic);
  map.add("port", end.port);
  return map.take();
}

Json cable_json(const FoundCable& cable, const FoundCluster& cluster) {
  Map map;
  map.add_json("a", end_json(cable.a, cluster));
  map.add_json("b", end_json(cable.b, cluster));
  map.add_rate("rate_bit_s", cable.rate);
  map.add_rate("built_bit_s", cable.built);
  if (cable.state != CableState::up)
    map.add("state", std::string(base::name_in(cable_state_names, cable.state)));
  map.add("trouble", cable.trouble);
  return map.take();
}

Json declaration_json(const LevelDeclaration& declared) {
  Map map;
  map.add("by", declared.by);
  map.add("keys", declared.keys);
  return map.take();
}

Json source_json(const FoundCluster::Source& source) {
  return {{"format", source.format}, {"file", source.file}, {"told", source.told}};
}

Json note_json(const base::Diagnostic& note) {
  Map map;
  map.add("severity", std::string(base::name_of(note.severity)));
  map.add("file", note.where.file);
  map.add("line", note.where.line, 0);
  map.add("column", note.where.column, 0);
  map.add("message", note.message);
  map.add("hint", note.hint);
  return map.take();
}

}  // namespace

base::Result<Exported> write_foreshard_json(const FoundCluster& cluster) {
  const Json json{
      {"schema", found_cluster_schema},
      {"sources", list_of(cluster.sources, source_json)},
      {"levels", cluster.levels},
      {"nodes", list_of(cluster.nodes, node_json)},
      {"switches", list_of(cluster.switches, switch_json)},
      {"cables", list_of(cluster.cables,
                         [&](const FoundCable& cable) { return cable_json(cable, cluster); })},
      {"declared", list_of(cluster.declared, declaration_json)},
      {"notes", list_of(cluster.notes, note_json)}};
  return Exported{json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n", {}};
}

}  // namespace topology
