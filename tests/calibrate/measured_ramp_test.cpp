#include "calibrate/nccl/measured_ramp.hpp"

#include "base/document.hpp"
#include "calibrate/backends/nccl.hpp"
#include "tests/calibrate/backend_support.hpp"

namespace calibrate::nccl {
namespace {

using base::Bytes;
using base::Seconds;

const std::string good = R"(ramps:
  - architecture: hopper
    operations: [all_reduce, all_gather]
    source: "a table"
    points: 10
    nodes: 1
    start: 2
    share: 0.8
    fill: 10
    fill_half: 5
    start_spread: 0.3
    wire_spread: 0.1
  - nic_kind: efa
    operations: [all_reduce]
    source: "another"
    points: 20
    nodes: 2
    start: 3
    share: 1
    fill: 0
    fill_half: 1
    start_spread: 0.2
    wire_spread: 0.2
)";

/// NCCL with the shipped fits, or without any.
std::unique_ptr<CollectiveBackend> nccl(bool fitted, const std::string& algorithms = {}) {
  auto made = make_nccl_backend(
      {.algorithms = algorithms, .hardware_folder = fitted ? hardware_folder : std::string()});
  REQUIRE(made);
  return std::move(*made);
}

TEST_CASE("a ramp adds a start, a share of the rate and pipelines that fill") {
  const auto ramps = read_ramps(good, "r.yaml");
  INFO((ramps ? "" : text_of(ramps.error())));
  REQUIRE(ramps);
  REQUIRE(ramps->all.size() == 2);
  const Ramp& ramp = ramps->all.front();
  // L = 10 us, W = 20 us: 2 x 10 + 20 / 0.8 + 10 x 10 x 20 / (20 + 5 x 10) = 20 + 25 + 28.571.
  const Seconds time = ramp.time(Seconds::from_us(30), Seconds::from_us(10), 5);
  CHECK(time.us() == Approx(73.571).epsilon(1e-4));
  // 20 of 73.571 at 0.3, the rest at 0.1: sqrt(0.08155^2 + 0.07282^2).
  CHECK(ramp.spread(Seconds::from_us(30), Seconds::from_us(10), 5) ==
        Approx(0.10933).epsilon(1e-3));
  // Nothing but the start: 2 x 10. Very large: 1e6 / 0.8 + 20 + 10 x 10.
  CHECK(ramp.time(Seconds::from_us(10), Seconds::from_us(10), 5).us() == Approx(20));
  CHECK(ramp.time(Seconds::from_us(1e6 + 10), Seconds::from_us(10), 5).us() ==
        Approx(1.25e6 + 120).epsilon(1e-6));
  // 51 us more for each of the 31 nodes that follow.
  Ramp hopping = ramp;
  hopping.hop = Seconds::from_us(51);
  CHECK(hopping.time(Seconds::from_us(30), Seconds::from_us(10), 32).us() ==
        Approx(73.571 + 31 * 51).epsilon(1e-4));
}

TEST_CASE("a ramp serves the place and the operations that were measured, and their kin") {
  const auto ramps = read_ramps(good, "r.yaml");
  REQUIRE(ramps);
  const Ramp* inside = &ramps->all[0];
  const Ramp* across = &ramps->all[1];
  const GroupShape dgx = shape_on("dgx-h100", 1, 8);
  CHECK(ramps->find(Collective::all_reduce, dgx) == inside);
  CHECK(covers(*inside, Collective::all_gather, dgx));
  // Reductions to shards are gatherings backwards; a barrier reduces one word.
  CHECK(ramps->find(Collective::reduce_scatter, dgx) == inside);
  CHECK_FALSE(covers(*inside, Collective::reduce_scatter, dgx));
  CHECK(ramps->find(Collective::barrier, dgx) == inside);
  CHECK(ramps->find(Collective::all_to_all, dgx) == nullptr);
  // Across nodes the NIC counts: nobody measured what a DGX has.
  CHECK(ramps->find(Collective::all_reduce, shape_on("dgx-h100", 2, 8)) == nullptr);
  CHECK(ramps->find(Collective::all_gather, shape_on("p5.48xlarge", 4, 8)) == across);
  CHECK(covers(*across, Collective::all_reduce, shape_on("p4d.24xlarge", 2, 8)));
  CHECK_FALSE(covers(*across, Collective::all_reduce, shape_on("p4d.24xlarge", 4, 8)));
  CHECK(ramps->find(Collective::all_reduce, shape_on("dgx-a100", 1, 8)) == nullptr);
  CHECK(ramps->find(Collective::all_reduce, shape_on("g6e.48xlarge", 1, 8)) == nullptr);  // PCIe
  GroupShape made_up = dgx;
  made_up.node = nullptr;
  CHECK(ramps->find(Collective::all_reduce, made_up) == nullptr);
}

TEST_CASE("mistakes in a file of ramps are told at their place") {
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"start: 2", "start: 0.5", "r.yaml:7:12: error: 'start' is 0.5, must be at least 1\n"},
      {"all_gather]", "all_gathr]", "r.yaml:3:17: error: unknown collective 'all_gathr'\n"},
      {"    fill: 10\n", "", "r.yaml:2:5: error: 'ramps.0.fill' is missing\n"},
      {"architecture: hopper", "nic_kind: efa\n    architecture: hopper",
       "r.yaml:3:19: error: a fit is for one 'architecture' or for one 'nic_kind'\n"},
      {"nic_kind: efa", "nic_kind: ifa",
       "r.yaml:13:15: error: 'nic_kind' is 'ifa', must be one of verbs, efa, slingshot, "
       "gpudirect-tcpx, gpudirect-tcpxo (did you mean 'efa'?)\n"},
  }));
  std::string text = good;
  const std::size_t at = text.find(row.from);
  REQUIRE(at != std::string::npos);
  const auto ramps =
      read_ramps(text.replace(at, std::string_view(row.from).size(), row.to), "r.yaml");
  REQUIRE_FALSE(ramps);
  CHECK(text_of(ramps.error()).starts_with(row.want));
}

TEST_CASE("a folder without fits leaves NCCL's predictions, a broken one is a mistake") {
  const auto none = load_ramps("/nonexistent");
  REQUIRE(none);
  CHECK(none->all.empty());
  const auto shipped = load_ramps(hardware_folder);
  INFO((shipped ? "" : text_of(shipped.error())));
  REQUIRE(shipped);
  CHECK(shipped->all.size() >= 8);
}

TEST_CASE("with fits a collective takes the fitted time, and its flows end at it") {
  const auto model = nccl(false);
  const auto fitted = nccl(true);
  const auto ramps = load_ramps(hardware_folder);
  REQUIRE(ramps);
  for (const GroupShape& shape :
       {shape_on("dgx-h100", 1, 8), shape_on("dgx-a100", 1, 2), shape_on("p5.48xlarge", 2, 8),
        shape_on("polaris", 8, 4), shape_on("a3-megagpu-8g", 2, 8)})
    for (const double bytes : {0.0, 8.0, 1e5, 1e7, 1e9}) {
      const CollectiveCost plain =
          model->cost(Collective::all_gather, Bytes::from_double(bytes), shape);
      const CollectiveCost cost =
          fitted->cost(Collective::all_gather, Bytes::from_double(bytes), shape);
      const Ramp* ramp = ramps->find(Collective::all_gather, shape);
      REQUIRE(ramp != nullptr);
      const Seconds least = model->cost(Collective::all_gather, {}, shape).total.time;
      CHECK(cost.total.time.us() == Approx(ramp->time(plain.total.time, least, shape.nodes).us()));
      CHECK(cost.total.time >= plain.total.time);
      CHECK(cost.total.evidence == Evidence::fitted);
      CHECK(cost.total.spread == Approx(ramp->spread(plain.total.time, least, shape.nodes)));
      CHECK(cost.algorithm == plain.algorithm);
      const double wire = bytes * bus_factor(Collective::all_gather, shape.ranks);
      CHECK(cost.total.time.s() == Approx(cost.latency.s() + wire / cost.bus_rate.byte()));
    }
}

TEST_CASE("prices say whether measurements cover them") {
  const auto fitted = nccl(true);
  const Bytes mib = Bytes::from_mib(1);
  const auto evidence = [&](Collective op, const GroupShape& shape) {
    return fitted->cost(op, mib, shape).total.evidence;
  };
  CHECK(evidence(Collective::reduce_scatter, shape_on("dgx-a100", 1, 8)) == Evidence::fitted);
  CHECK(evidence(Collective::broadcast, shape_on("dgx-a100", 1, 8)) == Evidence::model);
  CHECK(evidence(Collective::send_receive, shape_on("dgx-a100", 1, 2)) == Evidence::model);
  CHECK(evidence(Collective::all_reduce, shape_on("p5.48xlarge", 2, 8)) == Evidence::fitted);
  CHECK(evidence(Collective::all_reduce, shape_on("p5.48xlarge", 64, 8)) == Evidence::model);
  CHECK(evidence(Collective::all_reduce, shape_on("dgx-h100", 2, 8)) == Evidence::model);
  CHECK(evidence(Collective::all_reduce, shape_on("dgx-b200", 1, 8)) == Evidence::model);
  // The sweeps were NCCL's own choice.
  CHECK(nccl(true, "ring")
            ->cost(Collective::all_reduce, mib, shape_on("dgx-a100", 1, 8))
            .total.evidence == Evidence::model);
  for (const Collective op : {Collective::broadcast, Collective::all_reduce}) {
    const auto source = fitted->cost(op, mib, shape_on("dgx-a100", 1, 8)).total.source;
    CHECK(fitted->sources().at(static_cast<std::size_t>(source)).find("fitted") !=
          (op == Collective::broadcast ? 0 : std::string::npos));
  }
}

TEST_CASE("a share above one stops at what the links carry") {
  // A DGX-1's NVLinks carry 22.5 GB/s where the model says 20; those of a DGX-2 are said to carry
  // 20, so that 1 GiB among 16 takes 2 x 15/16 GiB / (150 x 0.8 GB/s) = 16.78 ms at least.
  const GroupShape dgx2 = shape_on("dgx-2", 1, 16);
  const Bytes gib = Bytes::from_gib(1);
  const double bound = 1073741824.0 * 1.875 / 120e9;
  CHECK(nccl(true)->cost(Collective::all_reduce, gib, dgx2).total.time.s() >= bound);
  const GroupShape dgx1 = shape_on("dgx-1v", 1, 8);
  CHECK(nccl(true)->cost(Collective::all_reduce, gib, dgx1).total.time <
        nccl(false)->cost(Collective::all_reduce, gib, dgx1).total.time);
}

}  // namespace
}  // namespace calibrate::nccl
