#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

TEST_CASE("a tree of Slurm is read, leaves at the bottom whatever their depth") {
  const std::string text =
      "# two rows and an island\n"
      "SWITCHNAME=leaf1 nodes=n[0-3]\r\n"
      "SwitchName=leaf2 Nodes=n[4-7]  # half full\n"
      "SwitchName=sp0 Switches=leaf[1-2] LinkSpeed=400\n"
      "SwitchName=leaf-c \\\n"
      "  Nodes=n[8-11]\n"
      "SwitchName=root Switches=sp0,leaf-c\n"
      "SwitchName=island Nodes=x1\n";
  CHECK(detected(text) == "slurm-conf");
  const auto found = read_as("slurm-conf", text);
  REQUIRE(found);
  CHECK(found->levels ==
        std::vector<std::string>{"slurm level 2", "slurm level 1", "slurm level 0"});
  CHECK(tree_of(*found) ==
        "root/sp0/leaf1: n0 n1 n2 n3\n"
        "root/sp0/leaf2: n4 n5 n6 n7\n"
        "root/-/leaf-c: n8 n9 n10 n11\n"
        "-/-/island: x1\n");
  CHECK(found->nodes[8].where == base::SourceRef{"f", 6, 9});
  CHECK(found->notes.empty());
  CHECK(found->sources.front().told == "13 nodes, 6 switches");
}

TEST_CASE("what scontrol shows of a tree is read as the tree") {
  // Written by scontrol show topology of Slurm 22.05.8 for the tree above without its island.
  const auto found = read_as("slurm-conf", fixture("scontrol-22.05-tree.txt"));
  REQUIRE(found);
  CHECK(tree_of(*found) ==
        "root/sp0/leaf1: n0 n1 n2 n3\n"
        "root/sp0/leaf2: n4 n5 n6 n7\n"
        "root/-/leafc: n8 n9 n10 n11\n");
}

TEST_CASE("nodes below several leaves make these leaves one domain") {
  const auto found = read_as("slurm-conf",
                             "SwitchName=rail2 Nodes=n[0-1]\n"
                             "SwitchName=rail10 Nodes=n[0-1]\n"
                             "SwitchName=other Nodes=n2\n"
                             "SwitchName=s1 Switches=rail2,rail10,other\n"
                             "SwitchName=s2 Switches=rail2,rail10,other\n");
  REQUIRE(found);
  CHECK(tree_of(*found) == "s1/rail2: n0 n1\ns1/other: n2\n");
  CHECK(text_of(found->notes) ==
        "f:1:12: note: 2 switches share nodes or children and are taken as one: rail2, rail10\n"
        "f:4:12: note: 2 switches share nodes or children and are taken as one: s1, s2\n");
}

TEST_CASE("blocks of Slurm are domains and NVLink domains") {
  const auto found = read_as("slurm-conf",
                             "BlockName=b1 Nodes=n[1-18]\n"
                             "BlockName=b2 Nodes=n[19-34]\n"
                             "BlockSizes=16,32\n");
  REQUIRE(found);
  CHECK(found->nodes.size() == 34);
  CHECK(found->levels == std::vector<std::string>{"block"});
  CHECK(found->nodes[18].domains == std::vector<std::string>{"b2"});
  CHECK(found->nodes[18].accelerator_domain == "b2");
  CHECK(text_of(found->notes) ==
        "f:1:11: note: each block is taken as a switch, and as an NVLink domain where the nodes "
        "have one beyond themselves\n"
        "f:3:12: note: BlockSizes=16,32 is not used: it says how many blocks Slurm joins for a "
        "job, not how they are joined\n");
  CHECK(read_as("slurm-conf", "RingName=r Nodes=n[1-16]")->levels ==
        std::vector<std::string>{"ring"});
}

TEST_CASE("mistakes in a topology.conf are told at their place") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"SwitchName=a Nodes=leaf-[a-b]\n",
       "f:1:26: error: 'a-b' is no range of numbers (write for example [0-3,7])\n"
       "f:1:12: error: the switch 'a' has neither nodes nor switches\n"},
      {"SwitchName=a Switches=b Nodes=n1\nSwitchName=b Nodes=n2",
       "f:1:31: error: the switch 'a' has both nodes and switches (slurmctld takes only one of "
       "them: give the nodes a switch of their own)\n"},
      {"SwitchName=a Switches=b\n",
       "f:1:23: error: the switch 'b' is not declared (give it a line of its own)\n"},
      {"SwitchName=a Switches=b\nSwitchName=b Switches=a\nSwitchName=c Nodes=n1\n",
       "f:1:12: error: switches stand below themselves: 2 of them (a, b)\n"},
      {"SwitchName=a Switches=a\n",
       "f:1:12: error: switches stand below themselves: 1 of them (a)\n"},
      {"SwitchName=a Nodes=n1\nSwitchName=a Nodes=n2\n",
       "f:2:12: error: the switch 'a' is given twice\n"},
      {"SwitchName=a Node=n1\n",
       "f:1:14: error: unknown key 'Node' (did you mean 'nodes'?)\n"
       "f:1:12: error: the switch 'a' has neither nodes nor switches\n"},
      {"SwitchName=a Nodes=n1 Nodes=n2\n", "f:1:23: error: 'Nodes' is given twice in this line\n"},
      {"SwitchName=a Nodes=n1 oops\n", "f:1:23: error: 'oops' is no KEY=VALUE\n"},
      {"Nodes=n1\n",
       "f:1:7: error: this line names no switch and no block (it must have SwitchName=, "
       "BlockName=, RingName= or BlockSizes=)\n"},
      {"SwitchName=a Nodes=n1\nBlockName=b Nodes=n2\n",
       "f:2:11: error: switches and blocks in one file (slurmctld reads one kind, by its "
       "TopologyPlugin)\n"},
      {"BlockName=b Nodes=n2\nRingName=r Nodes=n3\n",
       "f:2:10: error: rings and blocks in one file (slurmctld reads one kind)\n"},
      {"BlockName=b Nodes=n1\nBlockName=c Nodes=n1\n",
       "f:2:19: error: the node 'n1' is in the blocks 'b' and 'c'\n"},
      {"BlockName=b\n", "f:1:11: error: 'b' has no Nodes=\n"},
      {"# nothing\n",
       "f: error: no switch and no block in it (see the manual page topology.conf(5))\n"},
      {"SwitchName=a Nodes=n\x01",
       "f:1:21: error: control character 0x01 (save the file as UTF-8 "
       "text)\n"},
  }));
  INFO(row.text);
  CHECK(mistakes_of("slurm-conf", row.text) == row.want);
}

TEST_CASE("a hundred thousand switches in a chain are refused") {
  std::string text = "SwitchName=s0 Nodes=n\n";
  for (int i = 1; i < 100'000; ++i) text += fmt::format("SwitchName=s{} Switches=s{}\n", i, i - 1);
  CHECK(mistakes_of("slurm-conf", text) ==
        "f:65:12: error: the switch 's64' has 64 tiers of switches below it, at most 63\n");
}

}  // namespace
}  // namespace topology
