#include "calibrate/nccl/p2p.hpp"
#include "tests/calibrate/nccl_golden.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate::nccl {
namespace {

Paths eight_h100_paths(int nodes) {
  Paths paths;
  paths.ranks = 8 * nodes;
  paths.nodes = nodes;
  paths.ranks_per_node = 8;
  paths.gpu_gbyte = paths.pair_gbyte = 370.8;
  paths.link_gbyte = 20.6;
  paths.node_gbyte = 384;
  paths.nic_gbyte = 48;
  return paths;
}

TEST_CASE("channels for messages are those of NCCL's logs") {
  CHECK(p2p_channels(eight_h100_paths(1)) == 32);  // 2 * 18 links, at most 32
  Paths paths = eight_h100_paths(1);
  paths.pair_gbyte = 80;
  paths.link_gbyte = 20;  // four links between two A100 of a mesh
  CHECK(p2p_channels(paths) == 8);
  paths.ranks_per_node = 1;
  CHECK(p2p_channels(paths) == 2);
}

TEST_CASE("an all-to-all in a node, by hand") {
  const Communicator c = golden('A');
  const Paths paths = eight_h100_paths(1);
  // 1 MB: messages of 125 kB, below 32 * 16 KiB, so LL: 6.6 + 0.6 us, twice 7 * 125 kB / 370.8
  // GB/s.
  const P2pCost small = p2p_cost(c, paths, Collective::all_to_all, 1e6);
  CHECK(small.protocol == Protocol::ll);
  CHECK(small.latency_us == Approx(7.2));
  CHECK(small.time_us == Approx(7.2 + 2 * 2.3598).epsilon(1e-4));
  // 1 GB: 8.4 + 3.4 us, 875 MB / 370.8 GB/s = 2,359.8 us, and 32 * 512 KiB in the buffers: 45.2 us.
  const P2pCost large = p2p_cost(c, paths, Collective::all_to_all, 1e9);
  CHECK(large.protocol == Protocol::simple);
  CHECK(large.time_us == Approx(11.8 + 2359.8 + 45.246).epsilon(1e-4));
}

TEST_CASE("messages across nodes, by hand") {
  const Communicator c = golden('D');
  const Paths paths = eight_h100_paths(2);
  // 100 MB to one rank elsewhere over its NIC of 48 GB/s: 8.4 + 14 us, 2,083.3 us, and 32 * 128 KiB
  // in the buffers at the rate of the node's NICs, 10.9 us.
  CHECK(p2p_cost(c, paths, Collective::send_receive, 1e8).time_us ==
        Approx(22.4 + 2083.33 + 10.923).epsilon(1e-4));
  // Nothing to send: 8 messages for ranks elsewhere are posted, 3 us each.
  CHECK(p2p_cost(c, paths, Collective::all_to_all, 0).time_us == Approx(22.4 + 24));
  // 160 MB: of 16 parts 8 leave each of 8 GPUs, 640 MB over 384 GB/s.
  CHECK(p2p_cost(c, paths, Collective::all_to_all, 1.6e8).time_us ==
        Approx(22.4 + 1666.67 + 10.923).epsilon(1e-4));
  // A gather of them ends at one NIC: 80 MB over 48 GB/s.
  CHECK(p2p_cost(c, paths, Collective::gather, 1.6e8).time_us ==
        Approx(22.4 + 1666.67 + 10.923).epsilon(1e-4));
}

TEST_CASE("larger messages never take less time") {
  for (const int nodes : {1, 2, 16})
    for (const Collective op : {Collective::send_receive, Collective::all_to_all,
                                Collective::gather, Collective::scatter}) {
      double last = 0;
      for (double bytes = 0; bytes < 1e11; bytes = bytes * 1.03 + 1) {
        const double time = p2p_cost(golden('A'), eight_h100_paths(nodes), op, bytes).time_us;
        CHECK(time >= last);
        last = time;
      }
    }
}

}  // namespace
}  // namespace calibrate::nccl
