#include "sim/autoshard/profile_prices.hpp"

#include "calibrate/hardware_profile.hpp"
#include "sim/groups.hpp"
#include "tests/sim/small_step.hpp"

namespace sim::autoshard {
namespace {

using base::Bytes;
using base::Collective;
using calibrate::GroupShape;
using strategies::placement::Mesh;

std::shared_ptr<const topology::HardwareRegistry> hardware() {
  return std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
}

PlacedMesh in_order(std::vector<int> shape) {
  PlacedMesh placed{Mesh(std::move(shape)), {}};
  for (int rank = 0; rank < placed.mesh.size(); ++rank)
    placed.gpu_of_rank.push_back(static_cast<topology::GpuId>(rank));
  return placed;
}

TEST_CASE("groups are where their ranks are: nodes of 8 GPUs, meshes that do not fit them") {
  const auto registry = hardware();
  const topology::NodeType& type = *registry->find_node("dgx-h100");
  const topology::Cluster cluster = topology::uniform_cluster(type, 3, 8, registry);
  struct Seen {
    int ranks, nodes, ranks_per_node;
    bool operator==(const Seen&) const = default;
  };
  const auto seen = [&](std::vector<int> mesh, int dim) {
    std::vector<Seen> all;
    for (const GroupShape& shape : sibling_shapes(in_order(std::move(mesh)), {dim}, cluster))
      all.push_back({shape.ranks, shape.nodes, shape.ranks_per_node});
    return all;
  };
  // Ranks 0-11: 8 + 4; ranks 12-23: 4 + 8.
  CHECK(seen({2, 12}, 1) == std::vector<Seen>{{12, 2, 8}});
  // Ranks 0-5 in node 0, 6-11 in 0 and 1 (2 + 4), 12-17 in 1 and 2 (4 + 2), 18-23 in 2.
  CHECK(seen({4, 6}, 1) == std::vector<Seen>{{6, 1, 6}, {6, 2, 4}});
  // 0, 6, 12, 18 in nodes 0, 0, 1, 2; 2, 8, 14, 20 in 0, 1, 1, 2; ....
  CHECK(seen({4, 6}, 0) == std::vector<Seen>{{4, 3, 2}});
}

TEST_CASE("mesh dims on whole nodes, as AutoParallel has them") {
  const auto registry = hardware();
  const topology::Cluster cluster =
      topology::uniform_cluster(*registry->find_node("dgx-h100"), 4, 8, registry);
  struct Row {
    std::vector<int> mesh;
    int dim, ranks_per_node, nodes;
  };
  for (const Row& row : {Row{{2, 8}, 1, 8, 1},
                         {{2, 8}, 0, 1, 2},
                         {{2, 4, 4}, 2, 4, 1},
                         {{2, 4, 4}, 1, 2, 2},
                         {{2, 4, 4}, 0, 1, 2}}) {
    const auto shapes = sibling_shapes(in_order(row.mesh), {row.dim}, cluster);
    REQUIRE(shapes.size() == 1);
    CHECK(shapes.front().ranks_per_node == row.ranks_per_node);
    CHECK(shapes.front().nodes == row.nodes);
  }
}

TEST_CASE("messages between stages use the links between them, all at once") {
  const auto registry = hardware();
  topology::NodeType type = *registry->find_node("dgx-h100");
  type.nics = 4;  // for eight GPUs
  const topology::Cluster cluster = topology::uniform_cluster(type, 2, 8, registry);
  const auto profile = calibrate::make_hardware_profile(
      *registry->find_gpu(type.gpu), std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(profile);
  const auto stage = [&](int ranks, int first) {
    PlacedMesh placed = in_order({ranks});
    for (topology::GpuId& gpu : placed.gpu_of_rank) gpu += static_cast<topology::GpuId>(first);
    return placed;
  };
  const Bytes bytes = Bytes::from_mib(256);
  const auto message = [&](const PlacedMesh& one, const PlacedMesh& other) {
    return slowest(Collective::send_receive, bytes, pair_shapes(one, other, cluster), **profile)
        .s();
  };
  // Eight pairs across nodes, two to a NIC: no less than twice a message over a NIC of its own.
  const double across = message(stage(8, 0), stage(8, 8));
  CHECK(across >= 2 * bytes.as_double() / type.nic_rate.byte());
  CHECK(across <= 2.4 * bytes.as_double() / type.nic_rate.byte());
  // Four pairs in a node need none.
  CHECK(message(stage(4, 0), stage(4, 4)) < across / 4);
}

TEST_CASE("groups that run at once share NICs") {
  const auto registry = hardware();
  const topology::NodeType& wide = *registry->find_node("dgx-h100");  // a NIC for each GPU
  const base::BytesPerSecond nic = wide.nic_rate * wide.nic_efficiency;
  const topology::Cluster own = topology::uniform_cluster(wide, 2, 8, registry);
  const auto across = [](const topology::Cluster& cluster) {
    return sibling_shapes(in_order({2, 8}), {0}, cluster).at(0);
  };
  CHECK(across(own).network_rate.byte() == Approx(nic.byte()));
  // Two NICs for eight GPUs: four groups on each.
  topology::NodeType narrow = wide;
  narrow.nics = 2;
  const topology::Cluster shared = topology::uniform_cluster(narrow, 2, 8, registry);
  CHECK(across(shared).network_rate.byte() == Approx(nic.byte() / 4));
  CHECK(shape_of({0, 8}, shared).network_rate.byte() == Approx(nic.byte()));  // alone
  // One group of all has both to itself.
  const auto flat = sibling_shapes(in_order({2, 8}), {0, 1}, shared);
  CHECK(flat.at(0).network_rate.byte() == Approx(2 * nic.byte()));
  // Inside nodes nobody needs them.
  CHECK(sibling_shapes(in_order({2, 8}), {1}, shared).size() == 1);
}

TEST_CASE("no price beats the NICs when sibling groups run at once") {
  const auto registry = hardware();
  const topology::NodeType& type = *registry->find_node("dgx-h100");
  const auto profile = calibrate::make_hardware_profile(
      *registry->find_gpu(type.gpu), std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(profile);
  for (const int nodes : {2, 4}) {
    const topology::Cluster cluster = topology::uniform_cluster(type, nodes, 8, registry);
    for (const std::vector<int>& shape :
         {std::vector<int>{nodes, 8}, {nodes, 2, 4}, {2 * nodes, 4}}) {
      const PlacedMesh placed = in_order(shape);
      const ProfilePrices prices(**profile, cluster, placed);
      const int ranks = shape.front();
      const Bytes bytes = Bytes::from_gib(1);
      // Through the NICs of a node, over its 8 groups (or the 4 of 2 ranks each): each sends
      // bytes (nodes - 1) / nodes once for a gather, twice for an all-reduce, at the least.
      const int groups = placed.mesh.size() / ranks;
      const double volume = bytes.as_double() * (nodes - 1) / nodes * groups;
      const double rate = type.nic_rate.byte() * type.nics;
      CHECK(prices.collective(Collective::all_gather, bytes, {0}).s() >= volume / rate);
      CHECK(prices.collective(Collective::reduce_scatter, bytes, {0}).s() >= volume / rate);
      CHECK(prices.collective(Collective::all_reduce, bytes, {0}).s() >= 2 * volume / rate);
    }
  }
}

TEST_CASE("the slowest group is the price, and a group of one costs nothing") {
  const auto registry = hardware();
  const topology::NodeType& type = *registry->find_node("dgx-h100");
  const topology::Cluster cluster = topology::uniform_cluster(type, 3, 8, registry);
  const auto profile = calibrate::make_hardware_profile(
      *registry->find_gpu(type.gpu), std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(profile);
  const PlacedMesh placed = in_order({1, 4, 6});
  const ProfilePrices prices(**profile, cluster, placed);
  const Bytes bytes = Bytes::from_mib(64);
  double slowest = 0;
  for (const GroupShape& shape : sibling_shapes(placed, {2}, cluster))
    slowest = std::max(slowest,
                       (*profile)->collective(Collective::all_gather, bytes, shape).total.time.s());
  CHECK(prices.collective(Collective::all_gather, bytes, {2}).s() == slowest);
  CHECK(prices.collective(Collective::all_gather, bytes, {0}).s() == 0);
  const base::Kernel gemm = base::Gemm{.m = 4096, .n = 4096, .k = 4096};
  CHECK(prices.kernel(gemm) == (*profile)->kernel(gemm).time);
}

}  // namespace
}  // namespace sim::autoshard
