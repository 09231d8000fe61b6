// Names of switches are not unique in real clusters: Alibaba's Lingjun trace (2023) has 48 names of
// access switches, 29 of them under all three pod switches, 13 under two and 6 under one, which
// makes 119 switches with 2 to 8 hosts.

#include <set>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/cluster_of.hpp"
#include "topology/import/import.hpp"
#include "topology/survey.hpp"

namespace topology {

namespace {

/// A topo.csv of that shape.
std::string lingjun_like() {
  std::string csv = "ip,DSW,PSW,ASW\n";
  int host = 0;
  for (int name = 0; name < 48; ++name) {
    const int pods = name < 29 ? 3 : name < 42 ? 2 : 1;
    for (int pod = 0; pod < pods; ++pod)
      for (int i = 0; i < 2 + (name + pod) % 7; ++i, ++host)
        csv += fmt::format("10.0.{}.{},G1,P{},S{}\n", host / 256, host % 256, pod, name);
  }
  return csv;
}

}  // namespace

TEST_CASE("reused names of switches keep 119 domains apart") {
  static_assert(29 * 3 + 13 * 2 + 6 == 119);
  const ImportOptions options{.node_type = "dgx-h100"};
  const auto found = import_cluster({{"topo.csv", lingjun_like()}}, "",
                                    {.registry = *shipped_registry(), .options = options});
  REQUIRE(found.has_value());
  const Survey seen = survey(*found, nullptr);
  REQUIRE(seen.levels.size() == 4);  // all, DSW, PSW, ASW
  CHECK(seen.levels[2].domains == 3);
  CHECK(seen.levels[3].domains == 119);
  CHECK(seen.levels[3].nodes_min == 2);
  CHECK(seen.levels[3].nodes_max == 8);
  const auto spec = cluster_of(*found, *shipped_registry(), options);
  REQUIRE(spec.has_value());
  const auto cluster = build_cluster(*spec, shipped_registry());
  REQUIRE(cluster.has_value());
  int leaves = 0;
  for (DeviceId id = 0; id < cluster->device_count(); ++id)
    leaves += cluster->device(id).kind == DeviceKind::leaf ? 1 : 0;
  CHECK(leaves == 119);
}

}  // namespace topology
