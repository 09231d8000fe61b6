// lldpctl-*.json: printed by lldpctl 1.0.16 of a device "leaf-1" (-f json), of a host "gpu-01"
// beside it (-f json0), and of one port of that host (-f json); two network namespaces joined by
// two veth pairs. The kernel's version was rewritten.

#include "tests/support/catch.hpp"
#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

std::string fabric_of(std::string_view format, const std::vector<DumpFile>& files) {
  const auto found = read_together(format, files);
  return found ? fabric_text(*found) + text_of(found->notes) : text_of(found.error());
}

TEST_CASE("both ends of LLDP cables are one cable, in both forms of JSON") {
  CHECK(detected(fixture("lldpctl-leaf-1.json")) == "lldp");
  CHECK(detected(fixture("lldpctl-gpu-01.json")) == "lldp");
  const std::string want =
      "gpu-01 eth4 eth5\n"
      "leaf-1 tier 1\n"
      "gpu-01/eth4 - leaf-1:Ethernet32 10\n"
      "gpu-01/eth5 - leaf-1:Ethernet36 10\n";
  CHECK(fabric_of("lldp", {{"leaf-1.json", fixture("lldpctl-leaf-1.json")},
                           {"d/gpu-01.json", fixture("lldpctl-gpu-01.json")}}) == want);
  CHECK(fabric_of("lldp", {{"leaf-1.json", fixture("lldpctl-leaf-1.json")}}) == want);
  CHECK(fabric_of("lldp", {{"gpu-01.json", fixture("lldpctl-one.json")}}) ==
        "gpu-01 eth4\nleaf-1 tier 1\ngpu-01/eth4 - leaf-1:Ethernet32 10\n");
}

TEST_CASE("LLDP without neighbours or with half of one is told") {
  CHECK(fabric_of("lldp", {{"gpu-01.json", "{\"lldp\": {}}"}}) ==
        "gpu-01.json: note: gpu-01 sees no neighbour\n");
  CHECK(mistakes_of("lldp", "{\"lldp\": 1}") ==
        "f:1:1: error: no map 'lldp' (write it with: lldpctl -f json)\n");
  CHECK(mistakes_of("lldp", "{\"lldp\": {\"interface\": {\"eth0\": {\"chassis\": {}}}}}") ==
        "f:1:33: error: interface 'eth0' tells no chassis and port\n");
}

TEST_CASE("SONiC's config tells neighbours with rates, and which ports are off") {
  const std::string config =
      R"({"DEVICE_METADATA": {"localhost": {"hostname": "leaf-1"}},
 "DEVICE_NEIGHBOR": {"Ethernet0": {"name": "gpu-1", "port": "eth2"},
                     "Ethernet8": {"name": "spine-1", "port": "Ethernet4"}},
 "DEVICE_NEIGHBOR_METADATA": {"gpu-1": {"type": "Server"}},
 "PORT": {"Ethernet0": {"speed": "400000"},
          "Ethernet8": {"speed": "800000", "admin_status": "down"}}})";
  CHECK(detected(config) == "sonic");
  CHECK(fabric_of("sonic", {{"x.json", config}}) ==
        "gpu-1 eth2\nleaf-1 tier 1\nspine-1 tier 2\n"
        "gpu-1/eth2 - leaf-1:Ethernet0 400\n"
        "leaf-1:Ethernet8 - spine-1:Ethernet4 800 down\n");
  CHECK(mistakes_of("sonic", R"({"DEVICE_NEIGHBOR": {"Ethernet0": {"name": "a"}},
 "PORT": {"Ethernet0": {"speed": "fast"}}})") ==
        "f:2:34: error: 'speed' is 'fast', must be a number of Mbit/s\n");
  CHECK(mistakes_of("sonic", R"({"DEVICE_NEIGHBOR": {"Ethernet0": {"port": "a"}}})") ==
        "f:1:35: error: the neighbour of 'Ethernet0' has no 'name'\n");
}

TEST_CASE("SONiC's show lldp table is read by its columns, the switch by the file") {
  const std::string table =
      "Capability codes: (R) Router, (B) Bridge, (O) Other\n"
      "LocalPort    RemoteDevice    RemotePortID       Capability    RemotePortDescr\n"
      "-----------  --------------  -----------------  ------------  -----------------\n"
      "Ethernet0    gpu-1           AA:BB:CC:00:00:01                ens4f0np0\n"
      "Ethernet4    spine-1         Ethernet12         BR            to leaf 2\n"
      "--------------------------------------------------\n"
      "Total entries displayed:  2\n";
  CHECK(detected(table) == "sonic");
  const auto found = read_together("sonic", {{"dumps/leaf-2.txt", table}});
  REQUIRE(found);
  CHECK(fabric_text(*found) ==
        "gpu-1 ens4f0np0\nleaf-2 tier 1\nspine-1 tier 2\n"
        "gpu-1/ens4f0np0 - leaf-2:Ethernet0 0\nleaf-2:Ethernet4 - spine-1:Ethernet12 0\n");
  CHECK(found->nodes[0].nics[0].id == "aa:bb:cc:00:00:01");
  CHECK(mistakes_of("sonic", "x\n") ==
        "f: error: no table with LocalPort and RemoteDevice (write it with: show lldp table)\n");
}

TEST_CASE("NetQ's graph keeps every cable of a link, with ports") {
  const std::string graph =
      R"([{"nodes": [{"compounded_nodes": [{"id": "leaf9", "name": "leaf9", "tier": 1}]}],
 "links": [
  {"id": "leaf9-*-gpu12", "size": 2, "compounded_links": [
   {"id": "a", "interfaces": [{"interface": "swp17s0", "node": "leaf9"},
                              {"interface": "ens4f0np0", "node": "gpu12"}]},
   {"id": "b", "interfaces": [{"interface": "swp17s1", "node": "leaf9"},
                              {"interface": "ens5f0np0", "node": "gpu12"}]}]},
  {"id": "leaf9-*-spine1", "size": 2, "compounded_links": [
   {"id": "c", "interfaces": [{"interface": "swp1", "node": "spine1"},
                              {"interface": "swp30", "node": "leaf9"}]},
   {"id": "d", "interfaces": [{"interface": "swp2", "node": "spine1"},
                              {"interface": "swp31", "node": "leaf9"}]}]}]}])";
  CHECK(detected(graph) == "netq");
  const auto found = read_as("netq", graph);
  REQUIRE(found);
  CHECK(fabric_text(*found) ==
        "gpu12 ens4f0np0 ens5f0np0\nleaf9 tier 1\nspine1 tier 2\n"
        "gpu12/ens4f0np0 - leaf9:swp17s0 0\n"
        "gpu12/ens5f0np0 - leaf9:swp17s1 0\n"
        "leaf9:swp30 - spine1:swp1 0\n"
        "leaf9:swp31 - spine1:swp2 0\n");
  CHECK(mistakes_of("netq", "[{}]") ==
        "f:1:2: error: no list 'links' (it is the answer of NetQ's fetch-topology)\n");
  CHECK(mistakes_of("netq", R"([{"links": [{"id": "a-*-b", "size": 0}]}])") ==
        "f:1:37: error: 'size' is no whole number from 1 to 4096\n");
}

TEST_CASE("UFM's ports give hosts, switches and rates") {
  const std::string ports =
      R"([{"description": "Computer IB Port", "system_name": "gpu-1", "dname": "HCA-1/1",
  "node_description": "gpu-1 mlx5_0", "peer_node_name": "leaf-1", "peer_port_dname": "3",
  "active_speed": "NDR", "active_width": "4x", "logical_state": "Active"},
 {"description": "Switch IB Port", "system_name": "leaf-1", "dname": "3",
  "peer_node_name": "gpu-1", "peer_port_dname": "HCA-1/1",
  "active_speed": "NDR", "active_width": "4x"},
 {"description": "Switch IB Port", "system_name": "leaf-1", "dname": "5",
  "peer_node_name": "spine-1", "peer_port_dname": "9",
  "active_speed": "NDR", "active_width": "2x"},
 {"description": "Switch IB Port", "system_name": "leaf-1", "dname": "6", "peer_node_name": "N/A"}
])";
  CHECK(detected(ports) == "ufm");
  const auto found = read_as("ufm", ports);
  REQUIRE(found);
  CHECK(fabric_text(*found) ==
        "gpu-1 HCA-1\nleaf-1 tier 1\nspine-1 tier 2\n"
        "gpu-1/HCA-1:1 - leaf-1:3 400\nleaf-1:5 - spine-1:9 200\n");
  CHECK(mistakes_of("ufm", "{}") ==
        "f:1:1: error: no list of ports (it is the answer of GET /ufmRest/resources/ports)\n");
  CHECK(mistakes_of("ufm", "[{}]") == "f:1:2: error: a port without 'system_name'\n");
}

TEST_CASE("Lingjun's hosts hang on paths of switches, for names of ASWs are reused") {
  const std::string csv =
      "ip,DSW,PSW,ASW\n10.0.0.10,G6,P10,S14\n10.0.0.2,G6,P10,S14\n10.0.0.3,G6,P11,S14\n";
  CHECK(detected(csv) == "lingjun");
  const auto found = read_as("lingjun", csv);
  REQUIRE(found);
  CHECK(tree_of(*found) == "G6/P10/S14: 10.0.0.2\nG6/P11/S14: 10.0.0.3\nG6/P10/S14: 10.0.0.10\n");
  CHECK(text_of(found->notes) ==
        "f: note: 1 of 1 names of ASW occur under several PSW; each place is taken as a switch of "
        "its own\n");
  CHECK(mistakes_of("lingjun", "ip,DSW,PSW,ASW\na,G,P,S\na,G,P,S\n") ==
        "f:3: error: host 'a' is told twice (first in line 2)\n");
}

TEST_CASE("a NIC on the leaf of another rail is told with the leaf where it belongs") {
  std::string links;
  // 4 hosts of 2 NICs on 2 leaves; gpu-3 has its cables swapped.
  for (int host = 0; host < 4; ++host)
    for (int nic = 0; nic < 2; ++nic)
      links += fmt::format(R"({}{{"interfaces": [{{"interface": "swp{}", "node": "leaf{}"}},)"
                           R"({{"interface": "eth{}", "node": "gpu-{}"}}]}})",
                           links.empty() ? "" : ",\n", host, host == 3 ? 1 - nic : nic, nic, host);
  const auto found = read_as("netq", "[{\"links\": [{\"compounded_links\": [\n" + links + "]}]}]");
  REQUIRE(found);
  CHECK(
      fabric_text(*found).starts_with("gpu-0 eth0@0 eth1@1\ngpu-1 eth0@0 eth1@1\n"
                                      "gpu-2 eth0@0 eth1@1\ngpu-3 eth0@1 eth1@0\n"
                                      "leaf0 tier 1 rail 0\nleaf1 tier 1 rail 1\n"));
  const std::string notes = text_of(found->notes);
  INFO(notes);
  CHECK(notes.find("rails found in the cabling: 2 over 2 leaves, 6 of 8 cables of nodes fit") !=
        std::string::npos);
  CHECK(notes.find("NICs on the leaf of another rail: 2 (gpu-3/eth0 is on leaf1") !=
        std::string::npos);
}

TEST_CASE("fabrics that nothing joins are told apart by their names and sizes") {
  std::string links;
  const auto add = [&](const std::string& leaf, int port, int host, int nic) {
    links += fmt::format(R"({}{{"interfaces": [{{"interface": "swp{}", "node": "{}"}},)"
                         R"({{"interface": "eth{}", "node": "gpu-{}"}}]}})",
                         links.empty() ? "" : ",", port, leaf, nic, host);
  };
  for (int host = 0; host < 4; ++host) {
    add("leaf1", 2 * host, host, 0);
    add("leaf1", 2 * host + 1, host, 1);
    add("storage-leaf", host, host, 2);
    if (host < 2) add("other", host, host, 3);
  }
  const auto found = read_as("netq", "[{\"links\": [{\"compounded_links\": [" + links + "]}]}]");
  REQUIRE(found);
  REQUIRE(found->switches.size() == 3);  // leaf1, other, storage-leaf
  CHECK(found->switches[0].role == FabricRole::compute);
  CHECK(found->switches[1].role == FabricRole::unknown);
  CHECK(found->switches[2].role == FabricRole::storage);
  CHECK(found->nodes[0].nics[2].role == FabricRole::storage);
  CHECK(text_of(found->notes)
            .find("3 fabrics that no cable joins: 1 unknown, 1 compute, 1 storage") !=
        std::string::npos);
}

}  // namespace
}  // namespace topology
