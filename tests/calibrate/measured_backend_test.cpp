// Prices from a table of measurements.

#include <cmath>

#include "tests/calibrate/backend_support.hpp"

namespace calibrate {
namespace {

using base::Bytes;

constexpr const char* header = "id,collective,gpu,n_gpus,n_nodes,size_bytes,time_us,trust\n";

BackendOptions table_of(const std::string& rows) {
  BackendOptions options = named("measured");
  options.table = {"t.csv", {"s.yaml", 4, 10}};
  options.table_text = header + rows;
  return options;
}

const std::string sweep =
    "a,all_reduce,H100-SXM5-80GB,8,1,1024,20,high\n"
    "b,all_reduce,H100-SXM5-80GB,8,1,1048576,40,\n"
    "c,all_reduce,H100-SXM5-80GB,8,1,1073741824,4800,\n";

CollectiveCost cost_of(const Backend& backend, std::int64_t bytes,
                       const GroupShape& shape = group_of(1, 8)) {
  return backend->cost(Collective::all_reduce, Bytes::from_count(bytes), shape);
}

TEST_CASE("a size of the table takes what was measured, one between them is interpolated") {
  const Backend backend = backend_of(table_of(sweep));
  CHECK(backend->description() == "measured collectives of t.csv (3 rows)");
  CHECK(backend->calibrated());
  const CollectiveCost exact = cost_of(backend, 1048576);
  CHECK(exact.total.time.us() == Approx(40));
  CHECK(exact.total.evidence == Evidence::measured);
  CHECK(exact.total.spread == Approx(0.05));
  // 32 KiB is 31 of the 1,023 KiB from 1 KiB to 1 MiB: 20 us + 20 us x 31 / 1023.
  const CollectiveCost between = cost_of(backend, 32768);
  CHECK(between.total.time.us() == Approx(20.6061));
  CHECK(between.total.evidence == Evidence::interpolated);
  CHECK(between.total.spread > exact.total.spread);
  // The best rate is that of 1 GiB: 1.75 x 2^30 bytes in 4.8 ms. 1 KiB takes 4.6 ns of its 20 us at
  // that rate, the rest is latency.
  const double best = 1.75 * 1073741824 / 4800e-6;
  CHECK(exact.latency.us() == Approx(20 - 1.75 * 1024 / best * 1e6));
  CHECK(cost_of(backend, 1073741824).bus_rate.byte() == Approx(best));
}

TEST_CASE("outside the sizes of the table latency and bandwidth go on, less sure") {
  const Backend backend = backend_of(table_of(sweep));
  const CollectiveCost small = cost_of(backend, 512);
  // The fit falls by next to nothing, 512 bytes at its 225 GB/s.
  CHECK(small.total.time.us() == Approx(20).epsilon(0.001));
  CHECK(small.total.evidence == Evidence::fitted);
  CHECK(small.total.spread == Approx(std::hypot(0.05, 0.1)));  // one halving
  CHECK(cost_of(backend, 0).total.time.us() == Approx(20).epsilon(0.001));
  CHECK(cost_of(backend, 0).total.evidence == Evidence::model);
  const CollectiveCost large = cost_of(backend, 4 * std::int64_t{1073741824});
  // Latency is paid once: a little less than 4 x 4800 us.
  CHECK(large.total.time.us() == Approx(4 * 4800).epsilon(0.01));
  CHECK(large.total.time.us() < 4 * 4800);
  CHECK(large.total.spread == Approx(std::hypot(0.05, 0.2)));  // two doublings
  CHECK(backend->sources().at(static_cast<std::size_t>(large.total.source)) ==
        "extrapolated beyond the sizes of t.csv");
  CHECK(cost_of(backend, 1000 * std::int64_t{1073741824}).total.spread ==
        Approx(std::hypot(0.05, 0.5)));
}

TEST_CASE("a group that the table lacks is NCCL's, and its source says so") {
  const Backend backend = backend_of(table_of(sweep));
  const Backend nccl = backend_of({});
  const auto fell_back = [&](const GroupShape& shape) {
    const CollectiveCost cost = cost_of(backend, 4096, shape);
    const std::string source = backend->sources().at(static_cast<std::size_t>(cost.total.source));
    const bool told = source.find("for groups that t.csv lacks") != std::string::npos;
    if (told) CHECK(cost.total.time == cost_of(nccl, 4096, shape).total.time);
    return told;
  };
  CHECK_FALSE(fell_back(group_of(1, 8)));
  CHECK(fell_back(group_of(1, 4)));
  CHECK(fell_back(group_of(2, 4)));
  GroupShape shape = group_of(1, 8);
  shape.gpu = &shipped_gpu("A100-SXM4-80GB");
  CHECK(fell_back(shape));
  shape.gpu = nullptr;  // the table knows one GPU only
  CHECK_FALSE(fell_back(shape));
  const std::string other = "d,all_reduce,A100-SXM4-80GB,8,1,1024,20,\n";
  CHECK(backend_of(table_of(sweep + other))
            ->cost(Collective::all_reduce, Bytes::from_kib(1), shape)
            .total.source == 2);
}

TEST_CASE("repeats give their median and spread; rows of low trust do not count") {
  const Backend backend =
      backend_of(table_of("a,all_reduce,H100-SXM5-80GB,8,1,1024,25,\n"
                          "b,all_reduce,H100-SXM5-80GB,8,1,1024,18,\n"
                          "c,all_reduce,H100-SXM5-80GB,8,1,1024,20,\n"
                          "d,all_reduce,H100-SXM5-80GB,8,1,1024,900,low\n"));
  const CollectiveCost cost = cost_of(backend, 1024);
  CHECK(cost.total.time.us() == Approx(20));
  // ((25 - 20) / 20)^2 + ((18 - 20) / 20)^2 = 0.0725, over 2.
  CHECK(cost.total.spread == Approx(std::sqrt(0.0725 / 2)));
  CHECK(backend->description() == "measured collectives of t.csv (3 rows)");
}

TEST_CASE("sizes that were measured in the wrong order share their mean") {
  const Backend backend =
      backend_of(table_of("a,all_reduce,H100-SXM5-80GB,8,1,1024,30,\n"
                          "b,all_reduce,H100-SXM5-80GB,8,1,2048,20,\n"
                          "c,all_reduce,H100-SXM5-80GB,8,1,4096,40,\n"));
  CHECK(cost_of(backend, 1024).total.time.us() == Approx(std::sqrt(600)));
  CHECK(cost_of(backend, 2048).total.time.us() == Approx(std::sqrt(600)));
  CHECK(cost_of(backend, 4096).total.time.us() == Approx(40));
}

TEST_CASE("nccl-tests' name of a message is understood") {
  const Backend backend = backend_of(table_of("a,send_recv,H100-SXM5-80GB,2,1,1024,9,\n"));
  CHECK(
      backend->cost(Collective::send_receive, Bytes::from_kib(1), group_of(1, 2)).total.time.us() ==
      Approx(9));
}

TEST_CASE("mistakes in the table are told at their lines") {
  CHECK(refusal_of(table_of("a,all_reduse,H100-SXM5-80GB,8,1,1024,20,\n"
                            "b,all_reduce,H100-SXM5-80GB,1,1,1024,20,\n"
                            "c,all_reduce,H100-SXM5-80GB,8,9,1024,20,\n"
                            "d,all_reduce,H100-SXM5-80GB,8,1,0,20,\n"
                            "e,all_reduce,H100-SXM5-80GB,8,1,1024,,\n")) ==
        "t.csv:2:1: error: unknown collective 'all_reduse' (did you mean 'all_reduce'?)\n"
        "t.csv:3:1: error: 1 ranks on 1 nodes are no group ('n_gpus' is at least 2 and at least "
        "'n_nodes')\n"
        "t.csv:4:1: error: 8 ranks on 9 nodes are no group ('n_gpus' is at least 2 and at least "
        "'n_nodes')\n"
        "t.csv:5:1: error: 'size_bytes' is 0, must be from 1 to 1e15\n"
        "t.csv:6:1: error: 'time_us' is 0, must be above 0.001 and below 1e12\n");
  CHECK(refusal_of(table_of("a,all_reduce,H100-SXM5-80GB,8,1,1024,20,low\n")) ==
        "t.csv: error: the table has no measurements (rows of low trust do not count)\n");
  BackendOptions options = table_of("");
  options.table_text = "id,size\n1,2\n";
  CHECK(refusal_of(options).find("t.csv:1:1: error: ") == 0);
}

}  // namespace
}  // namespace calibrate
