// Run by ibsim.sh, which simulates the fabric and says in FORESHARD_IBSIM where the outputs are.

#include <cstdlib>

#include "tests/support/catch.hpp"
#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

TEST_CASE("what the real InfiniBand tools print of a SuperPOD-like unit is read", "[.]") {
  const char* folder = std::getenv("FORESHARD_IBSIM");
  REQUIRE(folder != nullptr);
  for (const std::string format : {"ibnetdiscover", "iblinkinfo"}) {
    INFO(format);
    const auto text = base::read_file(std::string(folder) + "/" + format);
    REQUIRE(text);
    CHECK(detected(*text) == format);
    const auto found = read_as(format, *text);
    INFO((found ? "" : text_of(found.error())));
    REQUIRE(found);
    // 32 hosts x 8 NICs + 8 leaves x 4 spines x 8 cables.
    CHECK(found->sources.at(0).told == "32 nodes, 12 switches, 512 cables");
    CHECK(text_of(found->notes) ==
          "f: note: rails found in the cabling: 8 over 8 leaves, 256 of 256 cables of nodes fit\n");
    for (const FoundNode& node : found->nodes)
      for (int rail = 0; rail < 8; ++rail)
        CHECK(node.nics.at(static_cast<std::size_t>(rail)).rail == rail);
    for (const FoundSwitch& one : found->switches)
      CHECK(one.tier == (one.name.starts_with("leaf") ? 1 : 2));
    for (const FoundCable& cable : found->cables) CHECK(cable.rate.gbit() == Approx(4 * 50));
  }
}

}  // namespace
}  // namespace topology
