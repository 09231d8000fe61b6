// What holds for every backend, whoever wrote it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "calibrate/backends/registry.hpp"
#include "tests/calibrate/backend_support.hpp"

namespace calibrate {
namespace {

using base::Bytes;
using base::Seconds;

constexpr const char* table =
    "id,collective,gpu,n_gpus,n_nodes,size_bytes,time_us\n"
    "a,all_reduce,H100-SXM5-80GB,8,1,1024,20\n"
    "b,all_reduce,H100-SXM5-80GB,8,1,1048576,40\n"
    "c,all_reduce,H100-SXM5-80GB,8,1,1073741824,4800\n"
    "d,all_gather,H100-SXM5-80GB,16,2,1048576,90\n";

/// All that are built in, NCCL with fits too, and a plug-in.
std::vector<Backend> all_backends() {
  std::vector<Backend> all;
  for (const backends::Builtin& row : backends::builtins) {
    BackendOptions options = named(std::string(row.name));
    if (row.table) {
      options.table.text = "t.csv";
      options.table_text = table;
    }
    all.push_back(backend_of(options));
  }
  BackendOptions fitted = named("nccl");
  fitted.hardware_folder = hardware_folder;
  all.push_back(backend_of(fitted));
  const Environment library("FORESHARD_BACKEND_GOOD_LIB", FORESHARD_GOOD_PLUGIN);
  all.push_back(backend_of(named("good")));
  return all;
}

std::vector<GroupShape> all_groups() {
  std::vector<GroupShape> groups;
  for (const int ranks : {1, 2, 3, 8, 16})
    for (const int nodes : {1, 2, 3, 4, 16})
      if (ranks % nodes == 0 && ranks / nodes <= 8)
        groups.push_back(group_of(nodes, ranks / nodes));
  groups.push_back(group_of(1, 16));  // an NVLink domain of several trays
  // Where NCCL was measured; NICs that carry less than NCCL counts on are the simulator's business.
  for (const char* type : {"p5.48xlarge", "dgx-a100", "dgx-1v", "dgx-2"})
    groups.push_back(shape_on(type, 1, shipped_registry().find_node(type)->gpus));
  for (const int nodes : {2, 16}) groups.push_back(shape_on("p5.48xlarge", nodes, 8));
  return groups;
}

/// Backends whose parameters are assumed say so.
bool is_assumed(const CollectiveBackend& backend) {
  return backend.description().find("uncalibrated") != std::string::npos;
}

std::string text_of(const CollectiveBackend& backend, Collective op, const GroupShape& shape) {
  return fmt::format("{}: {} of {} ranks on {} nodes", backend.name(), base::name_of(op),
                     shape.ranks, shape.nodes);
}

/// Calls `check(backend, op, group)` for everything that is supported.
template <class Check>
void for_all(Check check) {
  for (const Backend& backend : all_backends())
    for (const auto& [name, op] : base::collective_names)
      for (const GroupShape& shape : all_groups()) {
        if (!backend->supports(op)) continue;
        INFO(text_of(*backend, op, shape));
        check(*backend, op, shape);
      }
}

/// Bytes that at least one node, or in one node one rank, has to send or to receive.
Seconds bandwidth_bound(Collective op, double bytes, const GroupShape& shape) {
  const double n = shape.ranks;
  const double k = shape.ranks_per_node;
  const double away = (n - k) / n;
  double least = 0;
  switch (op) {
    case Collective::all_reduce: least = shape.nodes > 1 ? 2 * away : 1; break;  // the switch adds
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::gather:
    case Collective::scatter: least = shape.nodes > 1 ? away : (n - 1) / n; break;
    case Collective::all_to_all: least = shape.nodes > 1 ? k * away : (n - 1) / n; break;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_receive: least = 1; break;
    case Collective::barrier: break;
  }
  return Seconds::from_s(least * bytes /
                         (shape.nodes > 1 ? shape.network_rate : shape.scale_up_rate).byte());
}

TEST_CASE("backends describe themselves") {
  std::set<std::string> names;
  for (const Backend& backend : all_backends()) {
    INFO(backend->name());
    CHECK_FALSE(backend->name().empty());
    CHECK_FALSE(backend->description().empty());
    CHECK_FALSE(backend->sources().empty());
    CHECK(backend->supports(Collective::all_reduce));
    names.insert(std::string(backend->name()));
    if (is_assumed(*backend)) CHECK_FALSE(backend->calibrated());
  }
  CHECK(names.size() == backends::builtins.size() + 1);
}

TEST_CASE("costs are finite, add up, and have a spread and a source") {
  for_all([](const CollectiveBackend& backend, Collective op, const GroupShape& shape) {
    for (const std::int64_t bytes : {0, 4, 1024, 1048576}) {
      const CollectiveCost cost = backend.cost(op, Bytes::from_count(bytes), shape);
      INFO(bytes << " bytes");
      CHECK(std::isfinite(cost.total.time.s()));
      CHECK(cost.total.time >= Seconds());
      CHECK(cost.latency >= Seconds());
      CHECK(cost.latency <= cost.total.time);
      const double wire = static_cast<double>(bytes) * bus_factor(op, shape.ranks);
      if (wire > 0 && cost.total.time > cost.latency)
        CHECK(cost.total.time.s() == Approx(cost.latency.s() + wire / cost.bus_rate.byte()));
      CHECK(cost.total.source >= 0);
      CHECK(static_cast<std::size_t>(cost.total.source) < backend.sources().size());
      if (shape.ranks == 1 || backend.name() == "zero")
        CHECK(cost.total.time == Seconds());
      else
        CHECK(cost.total.spread >= (is_assumed(backend) ? 0.4 : 0.02));
    }
  });
}

TEST_CASE("more bytes never cost less, and the same request has the same answer") {
  for_all([](const CollectiveBackend& backend, Collective op, const GroupShape& shape) {
    Seconds before;
    for (double size = 1; size < 1e11; size *= 1.23) {
      const Bytes bytes = Bytes::from_double(size);
      const Seconds time = backend.cost(op, bytes, shape).total.time;
      if (time < before) FAIL_CHECK("quicker at " << bytes.count() << " bytes than before");
      if (time != backend.cost(op, bytes, shape).total.time) FAIL_CHECK("another answer");
      before = time;
    }
  });
}

TEST_CASE("nothing beats the bandwidth of its links") {
  for_all([](const CollectiveBackend& backend, Collective op, const GroupShape& shape) {
    // A plug-in and a table of measurements answer for themselves.
    if (shape.ranks == 1 || backend.name() == "zero" || backend.name() == "good") return;
    for (const double size : {1e3, 1e6, 1e9, 1e12}) {
      INFO(size << " bytes");
      CHECK(backend.cost(op, Bytes::from_double(size), shape).total.time >=
            bandwidth_bound(op, size, shape) * (1 - 1e-9));
    }
  });
}

TEST_CASE("a collective moves in a way that can move it") {
  for_all([](const CollectiveBackend& backend, Collective op, const GroupShape& shape) {
    if (shape.ranks == 1) return;
    const CollectiveAlgorithm algorithm = backend.cost(op, Bytes::from_mib(1), shape).algorithm;
    const bool straight = op == Collective::all_to_all || op == Collective::send_receive;
    CHECK((algorithm == CollectiveAlgorithm::direct) >= straight);
  });
}

}  // namespace
}  // namespace calibrate
