#include "viz/topology_json.hpp"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/name_table.hpp"
#include "topology/found_cluster_names.hpp"
#include "viz/report_json.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using topology::CableState;
using topology::FoundCluster;

bool inside_a_node(const topology::Device& device) {
  return device.kind == topology::DeviceKind::gpu || device.kind == topology::DeviceKind::nic ||
         device.kind == topology::DeviceKind::nvswitch ||
         device.kind == topology::DeviceKind::pcie_switch;
}

/// Links as columns: hundreds of thousands of objects are what browsers are slow at.
class LinkColumns {
 public:
  explicit LinkColumns(bool used) : used_(used) {}

  void add(std::string_view from, std::string_view to, double rate_bit_s, CableState state,
           double use) {
    if (state != CableState::up)
      states_.push_back(
          {{"link", from_.size()}, {"state", base::name_in(topology::cable_state_names, state)}});
    from_.push_back(index_of(from));
    to_.push_back(index_of(to));
    rate_.push_back(rate_bit_s);
    if (used_) use_.push_back(std::round(use * 1e6) / 1e6);
  }

  Json json() && {
    Json json{{"devices", std::move(devices_)},
              {"from", std::move(from_)},
              {"to", std::move(to_)},
              {"rate_bit_s", std::move(rate_)},
              {"not_up", std::move(states_)}};
    if (used_) json["use"] = std::move(use_);
    return json;
  }

 private:
  std::size_t index_of(std::string_view device) {
    const auto [entry, is_new] = index_.emplace(device, devices_.size());
    if (is_new) devices_.emplace_back(device);
    return entry->second;
  }

  bool used_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::string> devices_;
  std::vector<std::size_t> from_;
  std::vector<std::size_t> to_;
  std::vector<double> rate_;
  std::vector<double> use_;
  Json states_ = Json::array();
};

Json links_of(const topology::Cluster& cluster, const std::vector<double>& link_utilisation,
              const sim::LinkCourses* courses) {
  LinkColumns links(!link_utilisation.empty());
  std::vector<int> course;
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id) {
    const topology::Link& link = cluster.link(id);
    const topology::Device& from = cluster.device(link.from);
    const topology::Device& to = cluster.device(link.to);
    if (inside_a_node(from) && inside_a_node(to)) continue;
    const CableState state = link.down       ? CableState::down
                             : link.degraded ? CableState::degraded
                                             : CableState::up;
    links.add(from.name, to.name, link.rate.byte() * 8, state,
              id < link_utilisation.size() ? link_utilisation[id] : 0);
    if (courses != nullptr) course.push_back(courses->of_link[id]);
  }
  Json json = std::move(links).json();
  if (courses != nullptr) {
    json["course"] = std::move(course);
    json["courses"] = {{"intervals", courses->intervals}, {"load_permille", courses->distinct}};
  }
  return json;
}

std::string end_name(const FoundCluster& found, const topology::CableEnd& end) {
  if (end.at == topology::CableEnd::At::fabric_switch) return found.switches[end.index].id;
  const std::string& node = found.nodes[end.index].name;
  return end.nic.empty() ? node : node + "/" + end.nic;
}

Json links_of(const FoundCluster& found) {
  LinkColumns links(false);
  for (const topology::FoundCable& cable : found.cables) {
    const std::string a = end_name(found, cable.a);
    const std::string b = end_name(found, cable.b);
    links.add(a, b, cable.rate.byte() * 8, cable.state, 0);
    links.add(b, a, cable.rate.byte() * 8, cable.state, 0);
  }
  return std::move(links).json();
}

Json switch_json(const std::string& id, int tier, int rail) {
  return {{"id", id}, {"tier", tier}, {"rail", rail}};
}

/// Those that the dumps name, or else those that were built from what they say of domains.
Json switches_of(const FoundCluster& found, const topology::Cluster* cluster) {
  Json switches = Json::array();
  for (const topology::FoundSwitch& one : found.switches) {
    switches.push_back(switch_json(one.id, one.tier, one.rail));
    if (!one.name.empty()) switches.back()["name"] = one.name;
  }
  if (!switches.empty() || cluster == nullptr) return switches;
  for (topology::DeviceId id = 0; id < cluster->device_count(); ++id) {
    const topology::Device& device = cluster->device(id);
    if (!inside_a_node(device))
      switches.push_back(switch_json(device.name, device.tier, device.rail));
  }
  return switches;
}

/// Without what is not known.
Json node_json(const topology::FoundNode& node) {
  Json json{{"name", node.name}};
  if (!node.type.empty()) json["type"] = node.type;
  if (!node.gpu.empty()) json["gpu"] = node.gpu;
  if (node.gpus >= 0) json["gpus"] = node.gpus;
  if (node.usable_gpus >= 0) json["usable_gpus"] = node.usable_gpus;
  if (node.free_gpus >= 0) json["free_gpus"] = node.free_gpus;
  if (!node.unavailable.empty()) json["unavailable"] = node.unavailable;
  if (!node.domains.empty()) json["domains"] = node.domains;
  for (const topology::Occupant& one : node.occupants)
    json["occupants"].push_back({{"job", one.job.empty() ? one.pod : one.job}, {"gpus", one.gpus}});
  return json;
}

}  // namespace

std::string topology_json(const FoundCluster& found, const topology::Cluster* cluster,
                          const std::vector<double>& link_utilisation,
                          const sim::LinkCourses* courses) {
  Json json{{"schema", "foreshard.topology.v1"},
            {"sources", Json::array()},
            {"levels", found.levels},
            {"nodes", Json::array()},
            {"switches", switches_of(found, cluster)},
            {"links",
             cluster != nullptr ? links_of(*cluster, link_utilisation, courses) : links_of(found)},
            {"trouble", Json::array()},
            {"notes", diagnostics_json(found.notes)}};
  for (const FoundCluster::Source& source : found.sources)
    json["sources"].push_back(
        {{"format", source.format}, {"file", source.file}, {"told", source.told}});
  for (const topology::FoundNode& node : found.nodes) json["nodes"].push_back(node_json(node));
  for (const topology::FoundCable& cable : found.cables)
    if (cable.state != CableState::up)
      json["trouble"].push_back(
          {{"name", end_name(found, cable.a) + " - " + end_name(found, cable.b)},
           {"state", base::name_in(topology::cable_state_names, cable.state)},
           {"trouble", cable.trouble}});
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace viz
