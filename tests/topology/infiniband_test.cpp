// ibsim-rails.*: printed by ibnetdiscover, iblinkinfo and iblinkinfo -l 44.0 (infiniband-diags)
// on a fabric that ibsim 0.10 simulated: 6 hosts of 2 NICs in 2 units of 2 leaves, and 2 spines
// with 2 cables to each leaf, all 4x HDR; one cable of a spine and the NIC mlx5_1 of gpu-04
// unlinked. ibsim says of every port that it could be 12x wide.

#include "topology/import/infiniband.hpp"

#include "tests/support/catch.hpp"
#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

FoundCluster found_in(std::string_view format, const std::string& text) {
  const auto found = read_as(format, text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  return *found;
}

/// A channel adapter's record with one cable.
std::string adapter(const std::string& guid, const std::string& description,
                    const std::string& leaf, int port, const std::string& image = "") {
  return fmt::format(
      "{}caguid=0x{}\nCa\t1 \"H-{}\"\t\t# \"{}\"\n"
      "[1]({}) \t\"S-{}\"[{}]\t\t# lid 9 lmc 0 \"leaf\" lid 2 4xNDR\n\n",
      image.empty() ? "" : "sysimgguid=0x" + image + "\n", guid, guid, description, guid, leaf,
      port);
}

TEST_CASE("the topology of ibnetdiscover is read with parallel cables, tiers and rails") {
  const std::string text = fixture("ibsim-rails.ibnetdiscover");
  CHECK(detected(text) == "ibnetdiscover");
  const FoundCluster found = found_in("ibnetdiscover", text);
  // 12 NICs less one; 4 leaves x 2 spines x 2 cables less one.
  CHECK(found.sources.at(0).told == "6 nodes, 6 switches, 26 cables");
  const std::string fabric = fabric_text(found);
  CHECK(
      fabric.starts_with("gpu-00 mlx5_0@0 mlx5_1@1\n"
                         "gpu-01 mlx5_0@0 mlx5_1@1\n"
                         "gpu-02 mlx5_0@0 mlx5_1@1\n"
                         "gpu-03 mlx5_0@0 mlx5_1@1\n"
                         "gpu-04 mlx5_0@0\n"
                         "gpu-05 mlx5_0@0 mlx5_1@1\n"
                         "leaf-0-r0 tier 1 rail 0\n"
                         "leaf-0-r1 tier 1 rail 1\n"
                         "leaf-1-r0 tier 1 rail 0\n"
                         "leaf-1-r1 tier 1 rail 1\n"
                         "spine-0 tier 2\n"
                         "spine-1 tier 2\n"
                         "gpu-00/mlx5_0:1 - leaf-0-r0:1 200\n"));
  CHECK(fabric.find("leaf-0-r0:5 - spine-0:2 200\n"
                    "leaf-0-r0:6 - spine-1:1 200\n"
                    "leaf-0-r0:7 - spine-1:2 200\n") != std::string::npos);
  CHECK(found.nodes[0].nics[0].id == "0000000000100000");
  CHECK(found.nodes[0].nics[0].rate.gbit() == Approx(4 * 50));
  CHECK(found.nodes[0].nics[0].role == FabricRole::compute);
  CHECK(text_of(found.notes) ==
        "f: note: rails found in the cabling: 2 over 4 leaves, 11 of 11 cables of nodes fit\n");
}

TEST_CASE("iblinkinfo tells the same fabric, with and without -l, and what is slower than built") {
  const FoundCluster lines = found_in("iblinkinfo", fixture("ibsim-rails.iblinkinfo-l"));
  const FoundCluster headers = found_in("iblinkinfo", fixture("ibsim-rails.iblinkinfo"));
  CHECK(detected(fixture("ibsim-rails.iblinkinfo")) == "iblinkinfo");
  CHECK(fabric_text(lines) == fabric_text(headers));
  CHECK(lines.sources.at(0).told == "6 nodes, 6 switches, 26 cables");
  // 4 lanes of HDR, could be 12 of them.
  CHECK(fabric_text(lines).find(
            "leaf-0-r0:5 - spine-0:2 200 degraded: 4X 53.125 Gbps, could be 12X\n") !=
        std::string::npos);
  CHECK(lines.cables[0].built.gbit() == Approx(12 * 50));
  const FoundCluster topology = found_in("ibnetdiscover", fixture("ibsim-rails.ibnetdiscover"));
  REQUIRE(topology.cables.size() == lines.cables.size());
  for (std::size_t i = 0; i < lines.cables.size(); ++i) {
    CHECK(lines.cables[i].a == topology.cables[i].a);
    CHECK(lines.cables[i].b == topology.cables[i].b);
    CHECK(lines.cables[i].rate == topology.cables[i].rate);
  }
}

TEST_CASE("GUIDs are one whatever their padding, case and colons") {
  CHECK(ib_guid("0x1000F") == "000000000001000f");
  CHECK(ib_guid("000000000001000f") == "000000000001000f");
  CHECK(ib_guid("2c5e:ab03:00b8:7b40") == "2c5eab0300b87b40");
  CHECK_FALSE(ib_guid("0x0"));
  CHECK_FALSE(ib_guid("0x12345678901234567"));
  CHECK_FALSE(ib_guid("lid"));
}

TEST_CASE("widths and speeds give the rates of the vendors' names") {
  const auto rate = [](std::string_view width, std::string_view speed) {
    return (*ib_lane_rate(speed) * ib_lanes(width)).gbit();
  };
  CHECK(rate("4x", "SDR") == Approx(10));
  CHECK(rate("4x", "QDR") == Approx(40));
  CHECK(rate("4x", "FDR") == Approx(56));
  CHECK(rate("4X", "EDR") == Approx(100));
  CHECK(rate("2x", "HDR") == Approx(100));
  CHECK(rate("4x", "NDR") == Approx(400));
  CHECK(rate("4x", "XDR") == Approx(800));
  CHECK(rate("12x", "FDR10") == Approx(120));
  CHECK(ib_lane_rate(25.78125).gbit() == Approx(25));
  CHECK(ib_lane_rate(106.25).gbit() == Approx(100));
  CHECK(ib_lane_rate(42.0).gbit() == Approx(42));
  CHECK(ib_lanes("3x") == 0);
  CHECK_FALSE(ib_lane_rate("ZDR"));
}

TEST_CASE("descriptions tell hosts and NICs, or say that they do not") {
  const auto told = [](std::string_view description) {
    const IbDescription said = ib_adapter(description);
    return said.host + "/" + said.nic + (said.aggregation ? " aggregation" : "");
  };
  CHECK(told("dgx-04-c01 mlx5_5") == "dgx-04-c01/mlx5_5");
  CHECK(told("node7 HCA-6") == "node7/HCA-6");
  CHECK(told("gpu1.dc.example mlx5_0") == "gpu1.dc.example/mlx5_0");
  CHECK(told("gpu1") == "gpu1/");
  CHECK(told("MT4129 ConnectX7   Mellanox Technologies") == "/");
  CHECK(told("localhost mlx5_0") == "/");
  CHECK(told("Mellanox Technologies Aggregation Node") == "/ aggregation");
  CHECK(ib_switch("MF0;A09-P1-IBLEAF-04:MQM9701/U1").name == "A09-P1-IBLEAF-04");
  CHECK(ib_switch("MF0;A09-P1-IBLEAF-04:MQM9701/U1").model == "MQM9701");
  CHECK(ib_switch("MF0;core:CS8500/L03/U2").name == "core/L03/U2");
  CHECK(ib_switch("Quantum Mellanox Technologies").name == "Quantum Mellanox Technologies");
}

TEST_CASE("each trap of a real ibnetdiscover output is met and told") {
  const std::string text =
      "#\n# Topology file: generated on Tue Mar  5 10:12:13 2024\n#\n"
      "Chassis 1 (guid 0x2c90300a1b2c0)\n# Spine Nodes\n\n"
      "vendid=0x2c9\ndevid=0xd2f2\nsysimgguid=0xa1\nswitchguid=0xa1(a1)\t# Spine 1\n"
      // Ports of a leaf: an aggregation node, two parallel cables, a router, and hosts.
      "Switch\t65 \"S-00000000000000a1\"\t# \"MF0;row1-leaf:MQM9700/U1\" enhanced port 0 lid 2 lmc "
      "0\n"
      "[65]\t\"H-00000000000000f1\"[1](f1) \t# \"Mellanox Technologies Aggregation Node\" lid 9 "
      "4xNDR\n"
      "[1][ext 14]\t\"S-b1\"[1][ext 3]\t\t# \"MF0;row1-spine:MQM9700/U1\" lid 3 4xNDR\n"
      "[2]\t\"S-00000000000000b1\"[2]\t\t# \"MF0;row1-spine:MQM9700/U1\" lid 3 4xHDR s=4 w=2 v=5\n"
      "[3]\t\"R-00000000000000c1\"[1](c1) \t\t# \"gateway\" lid 4 4xEDR\n"
      "[4]\t\"H-00000000000000d1\"[2](d3) \t\t# \"gpu-a mlx5_0\" lid 5 4xNDR\n"
      "[5]\t\"H-00000000000000d2\"[1](d2) \t\t# \"MT4129 ConnectX7   Mellanox Technologies\" lid 6 "
      "4xNDR\n"
      "[6]\t\"H-00000000000000d4\"[1](d4) \t\t# \"caf\xE9-b mlx5_0\" lid 7 4xNDR\n"
      "ibwarn: [4711] get_port_info: timeout\n\n"
      "Rt\t2 \"R-00000000000000c1\"\t\t# \"gateway\"\n"
      "[1](c1) \t\"S-00000000000000a1\"[3]\t\t# lid 4 lmc 0 \"row1-leaf\" lid 2 4xEDR\n\n"
      // One adapter with two ports; the other one of its card has lost its description.
      "sysimgguid=0xd1\ncaguid=0xd1\nCa\t2 \"H-00000000000000d1\"\t\t# \"gpu-a mlx5_0\"\n"
      "[1](d2) \t\"S-00000000000000a1\"[7]\t\t# lid 5 lmc 0 \"row1-leaf\" lid 2 4xNDR\n"
      "[2](d3) \t\"S-00000000000000a1\"[4]\t\t# lid 5 lmc 0 \"row1-leaf\" lid 2 4xNDR\n\n" +
      adapter("e1", "MT4129 ConnectX7   Mellanox Technologies", "a1", 8, "d1");
  const FoundCluster found = found_in("ibnetdiscover", text);
  CHECK(fabric_text(found) ==
        "caf\\xE9-b mlx5_0\n"
        "gpu-a mlx5_0x2 00000000000000e1\n"
        "gateway tier 2\n"
        "row1-leaf MQM9700 tier 1\n"
        "row1-spine MQM9700 tier 2\n"
        "caf\\xE9-b/mlx5_0:1 - row1-leaf:6 400\n"
        "gpu-a/00000000000000e1:1 - row1-leaf:8 400\n"
        "gpu-a/mlx5_0:1 - row1-leaf:7 400\n"
        "gpu-a/mlx5_0:2 - row1-leaf:4 400\n"
        "gateway:1 - row1-leaf:3 100\n"
        "row1-leaf:1 - row1-spine:1 400\n"
        "row1-leaf:2 - row1-spine:2 200\n");
  CHECK(text_of(found.notes) ==
        "f:18:38: note: descriptions with bytes that are no text, written as \\xNN: 1 (caf\\xE9-b "
        "mlx5_0)\n"
        "f:19: warning: warnings of ibnetdiscover among its output, passed over: 1\n"
        "f:32: note: adapters that name no host, put to the host of the same card: 1 "
        "(00000000000000e1)\n"
        "f:15: note: routers, taken for switches: 1 (gateway)\n"
        "f:12: note: SHARP aggregation nodes, which are parts of switches, left out: 1 "
        "(00000000000000f1)\n"
        "f:17: warning: channel adapters whose host nobody tells, left out: 1 (00000000000000d2 "
        "'MT4129 ConnectX7   Mellanox Technologies') (rdma-ndd writes host names into node "
        "descriptions)\n");
}

TEST_CASE("two adapters joined by one cable are a fabric without a switch") {
  const FoundCluster found =
      found_in("ibnetdiscover",
               "caguid=0x1\nCa\t1 \"H-1\"\t# \"a mlx5_0\"\n"
               "[1](1) \t\"H-2\"[1] (2) \t# lid 1 lmc 0 \"b mlx5_0\" lid 2 4xNDR\n\n"
               "caguid=0x2\nCa\t1 \"H-2\"\t# \"b mlx5_0\"\n"
               "[1](2) \t\"H-1\"[1] (1) \t# lid 2 lmc 0 \"a mlx5_0\" lid 1 4xNDR\n");
  CHECK(fabric_text(found) == "a mlx5_0\nb mlx5_0\na/mlx5_0:1 - b/mlx5_0:1 400\n");
  CHECK(found.notes.empty());
}

TEST_CASE("ends of cables that contradict each other are told, and the first is taken") {
  const FoundCluster found = found_in(
      "ibnetdiscover", adapter("1", "a mlx5_0", "f", 1) + adapter("2", "b mlx5_0", "f", 1) +
                           adapter("3", "a mlx5_0", "f", 3) +
                           "switchguid=0xf(f)\nSwitch\t8 \"S-f\"\t# \"leaf\" base port 0 lid 2\n"
                           "[1]\t\"H-1\"[1](1)\t# \"a mlx5_0\" lid 9 4xHDR\n"
                           "[4]\t\"S-f\"[5]\t# \"leaf\" lid 2 4xHDR\n");
  CHECK(text_of(found.notes) ==
        "f:2: warning: NICs of the same host and name with different ids; the later go by their "
        "ids: 1 (a/mlx5_0) (do two machines have the same name?)\n"
        "f:7: warning: ports that are told to lead to two devices; the first is taken: 1 (leaf:1 "
        "to a/mlx5_0:1 and b/mlx5_0:1)\n"
        "f:15: warning: cables whose ends tell different rates; the lower is taken: 1 (leaf:1 - "
        "a/mlx5_0:1)\n"
        "f:16: note: cables from a device to itself, left out: 1 (leaf:4)\n");
  CHECK(fabric_text(found).find("a/mlx5_0:1 - leaf:1 200\n") != std::string::npos);
}

TEST_CASE("iblinkinfo tells ports that are down and links that are slower than built") {
  const std::string text =
      "0x00000000000000f0 \"MF0;leaf:MQM9700/U1\"   2    1[  ] ==( 4X        106.25 Gbps Active/  "
      "LinkUp)==>  0x00000000000000a0   5    1[  ] \"gpu-a mlx5_0\" ( )\n"
      "0x00000000000000f0 \"MF0;leaf:MQM9700/U1\"   2    2[  ] ==( 4X      53.125 Gbps Active/  "
      "LinkUp)==>  0x00000000000000b0   6    1[  ] \"gpu-b mlx5_0\" ( Could be 106.25 Gbps)\n"
      "0x00000000000000f0 \"MF0;leaf:MQM9700/U1\"   2    3[  ] ==(                Down/ Polling)"
      "==>             [  ] \"\" ( )\n"
      "0x00000000000000f0 \"MF0;leaf:MQM9700/U1\"   2    4[  ] ==( 4X      10.0 Gbps (FDR10) "
      "Active/  LinkUp)==>  0x00000000000000c0   7    9[14] \"spine \"one\"\" ( )\n"
      "0x00000000000000c1 \"gpu-c mlx5_0\"   0    1[  ] ==(                Down/ Polling)==>       "
      "      [  ] \"\" ( )\n";
  const FoundCluster found = found_in("iblinkinfo", text);
  CHECK(fabric_text(found) ==
        "gpu-a mlx5_0\ngpu-b mlx5_0\ngpu-c mlx5_0\n"
        "leaf MQM9700 tier 1\nspine \"one\" tier 2\n"
        "gpu-a/mlx5_0:1 - leaf:1 400\n"
        "gpu-b/mlx5_0:1 - leaf:2 200 degraded: 4X 53.125 Gbps, could be 106.25 Gbps\n"
        "leaf:4 - spine \"one\":9 40\n");
  CHECK(found.cables[1].built.gbit() == Approx(400));
  CHECK(found.nodes[1].nics[0].rate.gbit() == Approx(400));
  CHECK(text_of(found.notes) == "f:5: warning: NICs that are down: 1 (gpu-c/mlx5_0)\n");
}

TEST_CASE("mistakes in outputs of InfiniBand tools are told at their place") {
  struct Row {
    const char* format;
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"ibnetdiscover", "",
       "f: error: no switch and no channel adapter (write it with: ibnetdiscover)\n"},
      {"ibnetdiscover", "switchguid=0x1(1)\nSwitch\tx \"S-1\"\n",
       "f:2:8: error: no number of ports\n"},
      {"ibnetdiscover", "Switch\t8 \"S-leaf\"\n",
       "f:1:10: error: no id of a device (such as \"S-0002c90300a1b2c0\")\n"},
      {"ibnetdiscover", "[1]\t\"S-1\"[2]\n",
       "f:1:1: error: a port without a device above it (is a part of the file missing?)\n"},
      {"ibnetdiscover", "Switch\t8 \"S-1\"\n[1\t\"S-2\"[2]\n",
       "f:2:1: error: no port number in brackets\n"},
      {"ibnetdiscover", "Switch\t8 \"S-1\"\n[1]\t\"S-2\"[2\n",
       "f:2:10: error: no port number in brackets\n"},
      {"ibnetdiscover", "Switch\t8 \"S-1\"\nSW 1 2 0x3\n",
       "f:2:1: error: no line of an ibnetdiscover topology (write it with: ibnetdiscover, without "
       "-l, -p or --diff)\n"},
      {"iblinkinfo", "", "f: error: no link (write it with: iblinkinfo -l)\n"},
      {"iblinkinfo", "hello\n",
       "f:1:1: error: no line of iblinkinfo (write it with: iblinkinfo -l)\n"},
      {"iblinkinfo", "  1 2[ ] ==( 4X 2.5 Gbps Active/LinkUp)==> 1 3[ ] \"x\" ( )\n",
       "f:1:1: error: a port without a device above it (is a part of the file missing?)\n"},
      {"iblinkinfo", "0x1 \"a\" 1 2[ ] ==( 4X 2.5 Gbps)==> 0x2 1 3[ ] x\n",
       "f:1:47: error: no description of the far end in quotes\n"},
      {"iblinkinfo", "0x1 \"a\" 1 2[ ] ==> x\n",
       "f:1:1: error: no state of a link, such as ==( 4X 53.125 Gbps ...)==>\n"},
      {"iblinkinfo", "0x1 \"a\" 1 2 ==( 4X 2.5 Gbps)==> 0x2 1 3[ ] \"x\"\n",
       "f:1:1: error: no \"lid port[ ]\" in front of the link\n"},
  }));
  INFO(row.text);
  CHECK(mistakes_of(row.format, row.text) == row.want);
}

TEST_CASE("without -l iblinkinfo cannot tell devices of one name apart, and says so") {
  CHECK(mistakes_of("iblinkinfo",
                    "Switch: 0x1 Quantum:\n"
                    "  0 1[ ] ==( 4X 106.25 Gbps Active/LinkUp)==> 0 1[ ] \"Quantum\" ( )\n"
                    "Switch: 0x2 Quantum:\n"
                    "  0 1[ ] ==( 4X 106.25 Gbps Active/LinkUp)==> 0 1[ ] \"Quantum\" ( )\n") ==
        "f:2: error: 2 devices are called 'Quantum' (write it with: iblinkinfo -l, which tells "
        "GUIDs)\n"
        "f:4: error: 2 devices are called 'Quantum' (write it with: iblinkinfo -l, which tells "
        "GUIDs)\n");
}

}  // namespace
}  // namespace topology
