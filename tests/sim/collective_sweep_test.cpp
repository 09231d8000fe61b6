#include "sim/collective_sweep.hpp"

#include <cmath>
#include <map>

#include "base/csv.hpp"
#include "calibrate/validate_collectives.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/published.hpp"
#include "tests/topology/support.hpp"

namespace sim {
namespace {

using base::Bytes;
using base::Collective;

TEST_CASE("collectives played one after the other take their prices") {
  const auto cluster = topology::cluster_from("nodes: {type: dgx-h100, count: 1}\n");
  REQUIRE(cluster);
  const auto backend = calibrate::make_backend({});
  REQUIRE(backend);
  const std::vector<CollectiveCall> calls{{Collective::all_reduce, Bytes::from_mib(1)},
                                          {Collective::all_reduce, Bytes::from_gib(1)},
                                          {Collective::all_gather, Bytes::from_gib(1)},
                                          {Collective::all_to_all, Bytes::from_mib(64)}};
  const auto played = play_collectives(prices_of(**backend), *cluster, calls);
  REQUIRE(played.size() == calls.size());
  // Eight H100 on NVSwitches, NCCL 2.28's own estimates: 28.0 us (ring, LL), 3,972.6 us (NVLS) and
  // 2,642.0 us (ring, Simple).
  CHECK(played[0].time.us() == Approx(28.0).epsilon(1e-3).margin(0.05));
  CHECK(played[1].time.us() == Approx(3972.6).epsilon(1e-3));
  CHECK(played[2].time.us() == Approx(2642.0).epsilon(1e-3));
}

TEST_CASE("rings on a mesh use all of its links") {
  // Eight MI300X, 1 GiB: a member passes 7/8 GiB x 2 to others over seven links of 1/7 of its rate
  // each: as fast as its links together, and no slower than the price.
  const auto cluster = topology::cluster_from("nodes: {type: mi300x-8, count: 1}\n");
  REQUIRE(cluster);
  calibrate::BackendOptions options;
  options.name.text = "rccl";
  const auto backend = calibrate::make_backend(options);
  REQUIRE(backend);
  const topology::NodeType& type = *cluster->nodes().front().type;
  const double links = (type.scale_up_rate * type.scale_up_efficiency).byte();
  const CollectiveCall call{Collective::all_reduce, Bytes::from_gib(1)};
  const double played =
      play_collectives(prices_of(**backend), *cluster, {&call, 1}).front().time.s();
  CHECK(played >= 1.75 * 1073741824.0 / links * (1 - 1e-9));
  CHECK(played < 1.75 * 1073741824.0 / links * 1.5);
}

TEST_CASE("published sweeps are met in the median: 25 % below 1 MiB, 15 % from there, 8 % above") {
  const std::string text = published("collectives.csv");
  if (text.empty()) return;
  const auto table = base::parse_csv(text, "collectives.csv");
  REQUIRE(table);
  const auto rows = calibrate::read_collective_rows(*table);
  REQUIRE(rows);
  calibrate::BackendOptions options;
  options.hardware_folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";
  const auto backend = calibrate::make_backend(options);
  REQUIRE(backend);
  const base::Score score = calibrate::validate_collectives(
      *rows, *topology::shipped_registry(),
      [&](const calibrate::CollectiveSetting& setting,
          std::span<const calibrate::CollectiveRow* const> of) {
        std::vector<CollectiveCall> calls;
        for (const calibrate::CollectiveRow* row : of)
          calls.push_back(
              {*calibrate::operation_of(row->collective), Bytes::from_double(row->size_bytes)});
        const auto cluster = topology::uniform_cluster(
            setting.node, setting.nodes, setting.ranks_per_node, topology::shipped_registry());
        return play_collectives(prices_of(**backend), cluster, calls);
      });
  // The fits were made on these rows; on halves of the sweeps that they did not see they miss
  // by 26, 14 and 5 %.
  std::map<std::string, double> size_of;
  for (const calibrate::CollectiveRow& row : *rows) size_of[row.id] = row.size_bytes;
  constexpr double mib = 1048576;
  std::vector<const base::ScoredRow*> small;
  std::vector<const base::ScoredRow*> middle;
  std::vector<const base::ScoredRow*> large;
  for (const base::ScoredRow& row : score.results) {
    const double size = size_of.at(row.id);
    if (row.classes.at("trust") != "low")
      (size < mib ? small : size < 16 * mib ? middle : large).push_back(&row);
  }
  CHECK(large.size() > 1000);
  CHECK(base::figures_of(small).median_ape < 0.25);
  CHECK(base::figures_of(middle).median_ape < 0.15);
  CHECK(std::abs(base::figures_of(middle).bias) < 0.05);
  CHECK(base::figures_of(large).median_ape < 0.08);
  CHECK(std::abs(base::figures_of(large).bias) < 0.05);
}

}  // namespace
}  // namespace sim
