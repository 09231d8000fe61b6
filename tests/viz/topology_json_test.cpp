#include "viz/topology_json.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "topology/found_cluster.hpp"

namespace viz {
namespace {

using nlohmann::json;

TEST_CASE("cables of dumps of which nothing can be built are links in both directions") {
  topology::FoundCluster found;
  found.nodes = {{.name = "n0", .gpus = 8}, {.name = "n1", .unavailable = "cordoned"}};
  found.nodes[0].occupants = {{.job = "team/run", .gpus = 4}, {.pod = "team/pod", .gpus = 1}};
  found.switches = {{.id = "leaf", .tier = 1, .rail = 0}};
  topology::FoundCable cable;
  cable.a = {.at = topology::CableEnd::At::node, .index = 1, .nic = "nic-0"};
  cable.b = {.at = topology::CableEnd::At::fabric_switch, .index = 0};
  cable.rate = base::BytesPerSecond::from_gbyte(50);
  cable.state = topology::CableState::degraded;
  cable.trouble = "half of its lanes";
  found.cables = {cable};
  const json topology = json::parse(topology_json(found, nullptr, {}));
  const json& links = topology.at("links");
  CHECK(links.at("devices") == json{"n1/nic-0", "leaf"});
  CHECK(links.at("from") == json{0, 1});
  CHECK(links.at("to") == json{1, 0});
  CHECK(links.at("rate_bit_s") == json{400e9, 400e9});
  CHECK(links.at("not_up").size() == 2);
  CHECK_FALSE(links.contains("use"));
  CHECK(topology.at("trouble")[0].at("name") == "n1/nic-0 - leaf");
  // Only what is known, and a pod where nobody named its job.
  CHECK(topology.at("nodes")[1] == json{{"name", "n1"}, {"unavailable", "cordoned"}});
  CHECK(topology.at("nodes")[0].at("occupants")[1].at("job") == "team/pod");
}

TEST_CASE("switches that no dump names are those that were built") {
  const auto registry = std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
  const topology::Cluster cluster =
      topology::uniform_cluster(*registry->find_node("dgx-h100"), 2, 8, registry);
  const json switches = json::parse(topology_json({}, &cluster, {})).at("switches");
  REQUIRE(switches.size() == 1);  // both nodes under one ideal switch
  CHECK(switches[0].at("tier") == 1);
}

TEST_CASE("each link between devices names its course over the step") {
  const auto registry = std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
  const topology::Cluster cluster =
      topology::uniform_cluster(*registry->find_node("dgx-h100"), 2, 8, registry);
  sim::LinkCourses courses{2, {{0, 500}, {1000, 0}}, std::vector<int>(cluster.link_count(), -1)};
  std::vector<int> expected;  // of links that are not inside a node: NICs to the switch and back
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id) {
    const bool from_nic = cluster.device(cluster.link(id).from).kind == topology::DeviceKind::nic &&
                          cluster.device(cluster.link(id).to).node < 0;
    const bool to_nic = cluster.device(cluster.link(id).from).node < 0 &&
                        cluster.device(cluster.link(id).to).kind == topology::DeviceKind::nic;
    if (from_nic) courses.of_link[id] = 0;
    if (to_nic) courses.of_link[id] = 1;
    if (from_nic || to_nic) expected.push_back(courses.of_link[id]);
  }
  REQUIRE(expected.size() == 32);  // 16 NICs, both directions
  const json links =
      json::parse(
          topology_json({}, &cluster, std::vector<double>(cluster.link_count(), 0.25), &courses))
          .at("links");
  CHECK(links.at("course") == expected);
  CHECK(links.at("courses") == json{{"intervals", 2}, {"load_permille", {{0, 500}, {1000, 0}}}});
}

}  // namespace
}  // namespace viz
