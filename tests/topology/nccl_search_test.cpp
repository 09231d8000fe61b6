#include "topology/nccl_search.hpp"

#include "tests/support/catch.hpp"

namespace topology {
namespace {

NcclMachine h100(int nodes, int gpus = 8, int nics = 8, double nic_gbit = 400) {
  NcclMachine m;
  m.compute_capability = 90;
  m.gpus_per_node = gpus;
  m.nodes = nodes;
  m.nics = nics;
  m.nic_rate_mbit = nic_gbit * 1000;
  m.scale_up_gbyte = 450;
  m.pcie_gbyte = 48;
  m.multicast = true;
  return m;
}

NcclMachine a100(int nodes, int gpus = 8, int nics = 8, double nic_gbit = 200) {
  NcclMachine m = h100(nodes, gpus, nics, nic_gbit);
  m.compute_capability = 80;
  m.scale_up_gbyte = 300;
  m.pcie_gbyte = 24;
  m.multicast = false;
  return m;
}

NcclMachine b200(int nodes) {
  NcclMachine m = h100(nodes);
  m.compute_capability = 100;
  m.scale_up_gbyte = 900;
  return m;
}

struct Lanes {
  int channels;
  double intra;
  double inter;
  bool operator==(const Lanes&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Lanes& lanes) {
  return out << lanes.channels << " x " << lanes.intra << "/" << lanes.inter;
}
Lanes lanes(const NcclGraph& graph) {
  return {graph.channels, graph.speed_intra, graph.speed_inter};
}

TEST_CASE("the rule finds the graphs of known machines") {
  // From public logs: 12 x 30 on 8 H100, 12 x 20 on 8 A100.
  for (const auto find : {nccl_graphs, nccl_graphs_by_rule}) {
    CHECK(lanes(find(h100(1)).ring) == Lanes{12, 30, 30});
    CHECK(lanes(find(h100(1)).tree) == Lanes{12, 30, 30});
    CHECK(lanes(find(h100(1)).nvls) == Lanes{8, 40, 60});
    CHECK(lanes(find(a100(1)).ring) == Lanes{12, 20, 20});
    CHECK(lanes(find(a100(1)).tree) == Lanes{12, 20, 20});
    CHECK(lanes(find(a100(1)).nvls) == Lanes{0, 0, 0});
    CHECK(lanes(find(b200(1)).ring) == Lanes{16, 45, 45});
    CHECK(lanes(find(b200(1)).nvls) == Lanes{8, 80, 90});
    for (const int nodes : {2, 4, 128}) {
      CHECK(lanes(find(h100(nodes)).ring) == Lanes{8, 48, 48});
      CHECK(lanes(find(h100(nodes)).tree) == Lanes{8, 48, 48});
      CHECK(lanes(find(h100(nodes)).nvls) == Lanes{8, 40, 48});
      CHECK(lanes(find(a100(nodes)).ring) == Lanes{8, 24, 24});
      // Inside a node the chain has room for 7/8 * 8 * 30 = 210 of 240 GB/s.
      CHECK(lanes(find(a100(nodes)).tree) == Lanes{8, 30, 24});
    }
    const NcclGraphs single = find(a100(4, 1, 1, 100));
    CHECK(lanes(single.ring) == Lanes{1, 12, 12});
    CHECK(lanes(single.tree) == Lanes{1, 12, 12});
    CHECK(single.tree.pattern == NcclPattern::tree);
    CHECK(single.ring.type_intra == NcclPath::loc);
  }
}

TEST_CASE("other machines, by hand") {
  // Any part of a node with NVSwitches has all links of its GPUs: 6 x 60 = 360 of 370.8, split.
  CHECK(lanes(nccl_graphs(h100(1, 2)).ring) == Lanes{12, 30, 30});
  CHECK(nccl_graphs(h100(1, 2)).nvls.channels == 0);               // two GPUs gain nothing by NVLS
  CHECK(lanes(nccl_graphs(h100(1, 4)).nvls) == Lanes{4, 60, 60});  // 5 * 60 = 300 of 370.8
  // p4d: four NICs of 100 Gbit/s, 12 of 12.5 GB/s each. Trees inside up to twice that.
  CHECK(lanes(nccl_graphs(a100(2, 8, 4, 100)).ring) == Lanes{4, 12, 12});
  CHECK(lanes(nccl_graphs(a100(2, 8, 4, 100)).tree) == Lanes{4, 24, 12});
  // One H100 a node on a NIC of 400 Gbit/s: 48 GB/s, split in two.
  CHECK(lanes(nccl_graphs(h100(2, 1, 1)).ring) == Lanes{2, 24, 24});
  // Four A100 with four links to each other one: 12 * 20 = 240, in different orders.
  NcclMachine mesh = a100(1, 4);
  mesh.scale_up = ScaleUpKind::mesh;
  CHECK(lanes(nccl_graphs(mesh).ring) == Lanes{12, 20, 20});
  CHECK_FALSE(nccl_graphs(mesh).ring.same_channels);
  // Two of them: four links.
  mesh.gpus_per_node = 2;
  mesh.scale_up_gbyte = 100;
  CHECK(lanes(nccl_graphs(mesh).ring) == Lanes{4, 20, 20});
  // Three V100 of a hybrid cube mesh share two links: 40 GB/s, split.
  NcclMachine cube = a100(1, 3);
  cube.compute_capability = 70;
  cube.scale_up_gbyte = 50;
  CHECK(lanes(nccl_graphs(cube).ring) == Lanes{2, 20, 20});
  // Eight cards on PCIe 4.0, 24 GB/s of 31.5: 2 x 12 beats 1 x 20.
  NcclMachine pcie = a100(1);
  pcie.scale_up = ScaleUpKind::pcie;
  pcie.scale_up_gbyte = 31.5;
  pcie.scale_up_efficiency = 24 / 31.5;
  pcie.host_pcie = true;
  CHECK(lanes(nccl_graphs(pcie).ring) == Lanes{2, 12, 12});
  CHECK(nccl_graphs(pcie).ring.type_intra == NcclPath::phb);
  // MI300X: seven links of 64 GB/s, 70 % of them: 313.6 GB/s; 26 x 12 = 312 beats 10 x 30.
  NcclMachine amd = a100(1);
  amd.amd_gpu = true;
  amd.scale_up = ScaleUpKind::mesh;
  amd.scale_up_gbyte = 448;
  amd.scale_up_efficiency = 0.7;
  CHECK(lanes(nccl_graphs(amd).ring) == Lanes{26, 12, 12});
}

TEST_CASE("no graph asks more of links and NICs than they have") {
  for (const int capability : {70, 80, 90, 100})
    for (const int gpus : {1, 2, 3, 4, 8, 16, 72})
      for (const int nodes : {1, 2, 9})
        for (const double nic : {10., 25., 100., 200., 400., 800.})
          for (const double raw : {25., 150., 300., 450., 900.}) {
            if (gpus * nodes < 2) continue;
            NcclMachine m = h100(nodes, gpus, gpus, nic);
            m.compute_capability = capability;
            m.scale_up_gbyte = raw;
            m.multicast = capability >= 90;
            const NcclGraphs graphs = nccl_graphs_by_rule(m);
            INFO(capability << " " << gpus << " " << nodes << " " << nic << " " << raw);
            CHECK(graphs.ring.channels >= 1);
            CHECK(graphs.tree.channels == graphs.ring.channels);
            if (graphs.ring.speed_intra == 0.1) continue;  // the last resort
            const double total = graphs.ring.channels * graphs.ring.speed_inter;
            if (nodes > 1) CHECK(total <= gpus * std::min(nic / 8, 48.) * 1.0001);
            const double share = nodes == 1 ? 1 : (gpus - 1.0) / gpus;
            CHECK(graphs.ring.channels * graphs.ring.speed_intra * share <=
                  nccl_scale_up_speed(m) * 1.0001);
            CHECK(graphs.tree.channels * graphs.tree.speed_intra * (gpus - 1.0) / gpus <=
                  nccl_scale_up_speed(m) * 1.0001);
          }
}

}  // namespace
}  // namespace topology
