#include "calibrate/nccl/channels.hpp"
#include "tests/calibrate/nccl_golden.hpp"
#include "tests/calibrate/support.hpp"

namespace calibrate::nccl {
namespace {

using Algorithm = CollectiveAlgorithm;

TEST_CASE("channels of a communicator are those of NCCL's logs") {
  const auto channels = [](const Communicator& c) {
    return channels_of(c.graphs, c.compute_capability, c.nodes, c.collnet);
  };
  for (const char name : std::string("ABCDEFGHI")) {
    INFO(name);
    CHECK(channels(golden(name)) == golden(name).channels);
  }
  // Four channels of 48 GB/s out of a Hopper node: 8, then 16 since they are few and fast.
  Communicator c = communicator(2, 4, 90, 4, 48, 0);
  CHECK(channels(c) == 16);
  c.nodes = 1;
  CHECK(channels(c) == 8);
  c.collnet = true;
  CHECK(channels(c) == 12);
  c.graphs.ring.channels = c.graphs.tree.channels = 32;
  CHECK(channels(c) == 64);  // not 96
  c = golden('A');
  c.graphs.tree.channels = 5;
  CHECK(channels(c) == 10);
  CHECK(nvls_channels_of(90, 4) == 16);
  CHECK(nvls_channels_of(100, 1) == 24);
  CHECK(nvls_channels_of(100, 2) == 32);
}

TEST_CASE("small sizes take fewer channels, then fewer threads") {
  const Communicator c = golden('A');  // 24 channels, 8 ranks
  // Simple: 24 * 512 * 64 B = 786,432 B feed all.
  CHECK(blocks_of(c, Algorithm::ring, Protocol::simple, 786432) == Blocks{24, 512});
  CHECK(blocks_of(c, Algorithm::ring, Protocol::simple, 786431) == Blocks{23, 512});
  // 32,768 B feed one of 512 threads; 1 KiB 16 of them: 512, 256, 128 halved as multiples of 128.
  CHECK(blocks_of(c, Algorithm::ring, Protocol::simple, 32768) == Blocks{1, 512});
  CHECK(blocks_of(c, Algorithm::ring, Protocol::simple, 1024) == Blocks{1, 64});
  // A ring in LL counts 8 B a thread for each rank: 512 * 64 B a channel; a tree 8 B.
  CHECK(blocks_of(c, Algorithm::ring, Protocol::ll, 65536) == Blocks{2, 512});
  CHECK(blocks_of(c, Algorithm::tree, Protocol::ll, 65536) == Blocks{16, 512});
  // LL128: 640 threads of 8 B, 5,120 B a channel.
  CHECK(blocks_of(c, Algorithm::ring, Protocol::ll128, 10240) == Blocks{2, 640});
  CHECK(blocks_of(c, Algorithm::ring, Protocol::ll128, 1) == Blocks{1, 320});
  CHECK(blocks_of(c, Algorithm::nvls, Protocol::simple, 1) == Blocks{16, 640});
  CHECK(blocks_of(c, Algorithm::pat, Protocol::simple, 1) == Blocks{24, 512});
  // A ring of 12 GB/s in all needs half the threads.
  CHECK(blocks_of(golden('I'), Algorithm::ring, Protocol::simple, 1e9) == Blocks{2, 256});
}

}  // namespace
}  // namespace calibrate::nccl
