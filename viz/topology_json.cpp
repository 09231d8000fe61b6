#include "viz/topology_json.hpp"

#include <nlohmann/json.hpp>

#include "base/check.hpp"
#include "topology/export/writers.hpp"

namespace viz {

std::string topology_json(const topology::FoundCluster& found, const topology::Cluster* cluster,
                          const std::vector<double>& link_utilisation) {
  using Json = nlohmann::ordered_json;
  const auto written = topology::write_foreshard_json(found);
  CHECK_INVARIANT(written.has_value());
  Json links = Json::array();
  for (topology::LinkId id = 0; cluster != nullptr && id < cluster->link_count(); ++id) {
    const topology::Link& link = cluster->link(id);
    Json one{{"from", cluster->device(link.from).name},
             {"to", cluster->device(link.to).name},
             {"rate_bit_s", link.rate.byte() * 8}};
    if (link.down) one["state"] = "down";
    if (link.degraded) one["state"] = "degraded";
    if (id < link_utilisation.size()) one["use"] = link_utilisation[id];
    links.push_back(std::move(one));
  }
  const Json json{{"schema", "foreshard.topology.v1"},
                  {"cluster", Json::parse(written->text)},
                  {"links", std::move(links)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace viz
