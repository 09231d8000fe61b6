// The benchmark itself, played in the simulator with the fit.

#include "cli/replay.hpp"

#include <cmath>

#include "tests/support/catch.hpp"

namespace cli {
namespace {

using calibrate::CollectiveRecord;
using calibrate::Placement;

std::shared_ptr<const topology::HardwareRegistry> registry() {
  static const auto known = std::make_shared<const topology::HardwareRegistry>(
      topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware")
          .value());
  return known;
}

/// 15 us + bus bytes / rate, at 8 bytes, 64, 512, … 1 GiB.
calibrate::RunRecords sweep(base::Collective op, const Placement& placement,
                            const std::string& device, double rate) {
  calibrate::RunRecords run;
  for (double bytes = 8; bytes <= 1073741824.0; bytes *= 8) {
    CollectiveRecord record;
    record.op = op;
    record.device = device;
    record.library = "Open MPI";
    record.placement = placement;
    record.bytes = base::Bytes::from_double(bytes);
    record.times.mean = 15e-6 + bytes * base::bus_factor(op, placement.ranks) / rate;
    run.collectives.push_back(record);
  }
  return run;
}

calibrate::Replay replayed(const calibrate::RunRecords& run) {
  return replay(calibrate::fit::fit_collectives({&run, 1}), registry());
}

TEST_CASE("on links that nobody shares a replay takes what the fit says") {
  const base::Collective op = GENERATE(
      base::Collective::all_reduce, base::Collective::all_gather, base::Collective::reduce_scatter,
      base::Collective::all_to_all, base::Collective::broadcast, base::Collective::reduce,
      base::Collective::gather, base::Collective::scatter, base::Collective::send_receive,
      base::Collective::barrier);
  const Placement placement = GENERATE(Placement{.ranks = 2, .ranks_per_node = 2},
                                       Placement{.ranks = 4, .ranks_per_node = 4},
                                       Placement{.ranks = 4, .nodes = 4, .ranks_per_node = 1},
                                       Placement{.ranks = 6, .nodes = 2, .ranks_per_node = 3});
  if (op == base::Collective::send_receive && placement.ranks != 2) return;
  INFO(base::name_of(op) << " of " << placement.ranks << " on " << placement.nodes);
  const calibrate::Replay result = replayed(sweep(op, placement, "some CPU", 4e9));
  REQUIRE(result.sweeps.size() == 1);
  CHECK(result.sweeps[0].machine == "made-up links");
  REQUIRE(result.sweeps[0].rows.size() == 10);
  for (const auto& row : result.sweeps[0].rows) {
    INFO(row.bytes << " bytes: " << row.measured_s << " and " << row.simulated_s);
    CHECK(std::abs(row.difference()) < 1e-3);
  }
}

TEST_CASE("a device of the registry is replayed on its node, whose links may be the limit") {
  const Placement eight{.ranks = 8, .ranks_per_node = 8};
  const auto believable =
      replayed(sweep(base::Collective::all_reduce, eight, "H100-SXM5-80GB", 300e9));
  REQUIRE(believable.sweeps.size() == 1);
  CHECK(believable.sweeps[0].machine != "made-up links");
  for (const auto& row : believable.sweeps[0].rows) CHECK(std::abs(row.difference()) < 1e-3);
  // What NVSwitches that reduce have on 8 H100, above the 450 GB/s of NVLink 4 that bound a ring.
  const auto in_switch =
      replayed(sweep(base::Collective::all_reduce, eight, "H100-SXM5-80GB", 480e9));
  for (const auto& row : in_switch.sweeps[0].rows) CHECK(std::abs(row.difference()) < 1e-3);
  // NVLink 4 has 450 GB/s: nothing can have had 4,000 of them.
  const auto not_so =
      replayed(sweep(base::Collective::all_reduce, eight, "H100-SXM5-80GB", 4000e9));
  CHECK(not_so.sweeps[0].rows.back().difference() > 5);
}

TEST_CASE("groups that cannot be laid out are left out, and said to be") {
  const auto uneven = replayed(
      sweep(base::Collective::all_reduce, {.ranks = 3, .nodes = 2, .ranks_per_node = 2}, "x", 1e9));
  CHECK(uneven.sweeps.empty());
  REQUIRE(uneven.left_out.size() == 1);
  CHECK(uneven.left_out[0].name == "all_reduce of 3 x on 2 nodes, Open MPI");
}

}  // namespace
}  // namespace cli
