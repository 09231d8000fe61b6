// What goes into a calibration comes out of it, whatever it is, and nothing else goes in.

#include <cmath>
#include <limits>

#include "calibrate/store/calibration_json.hpp"
#include "calibrate/store/summary.hpp"
#include "tests/calibrate/store/support.hpp"

namespace calibrate::store {

namespace {

TEST_CASE("every field of a run and its rows survives exactly") {
  const Folder folder;
  std::vector<RunRecords> written;
  for (unsigned seed = 1; seed <= 5; ++seed) written.push_back(RandomRecords(seed).records(40));
  {
    Store store = opened(folder / "a.db", Access::write);
    for (const RunRecords& records : written) CHECK(store.add(records));
  }
  const Store store = opened(folder / "a.db", Access::read);
  CHECK(store.all() == written);
  CHECK(store.records(store.runs()[2]) == written[2]);
}

TEST_CASE("a run that is written row by row is the same as one written at once") {
  const Folder folder;
  RandomRecords random(7);
  RunRecords records = random.records(10);
  records.overlaps.clear();
  const RunRecords others = random.records(10);  // each collective beside the kernel of its number
  for (const OverlapRecord& overlap : others.overlaps) {
    const std::size_t rows = records.collectives.size();
    records.collectives.push_back(others.collectives[overlap.collective]);
    records.kernels.push_back(others.kernels[overlap.kernel]);
    records.overlaps.push_back({rows, rows, overlap.collective_times, overlap.kernel_times});
  }
  Store store = opened(folder / "a.db", Access::write);
  Run run = records.run;
  run.state = RunState::running;
  run.ended = "";
  const Store::RunKey key = store.begin(run);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(store.add(key, records.collectives[i]));
    CHECK(store.add(key, records.kernels[i]));
  }
  for (const OverlapRecord& record : records.overlaps)
    CHECK(store.add(key, records.collectives[record.collective], records.kernels[record.kernel],
                    record));
  store.finish(key, records.run.state, records.run.ended);
  CHECK(store.records(key) == records);
}

TEST_CASE("a run of the same id, or with the same rows of the same source, is there already") {
  const Folder folder;
  RunRecords records = RandomRecords(3).records(3);
  records.run.source = "sweep.log";
  Store store = opened(folder / "a.db", Access::write);
  CHECK(store.add(records));
  CHECK_FALSE(store.add(records));

  RunRecords again = records;
  again.run.id[0] = again.run.id[0] == '0' ? '1' : '0';
  CHECK_FALSE(store.add(again));

  // Another file of the same name has other rows; what was measured here has no source.
  RunRecords other = again;
  other.collectives[0].times.mean *= 2;
  CHECK(store.add(other));
  CHECK(store.all() == std::vector<RunRecords>{records, other});
}

TEST_CASE("several runs come in together or not at all") {
  const Folder folder;
  const std::vector<RunRecords> runs{RandomRecords(1).records(2), RandomRecords(2).records(2)};
  Store store = opened(folder / "a.db", Access::write);
  CHECK(store.add(runs[0]));
  CHECK(store.add_all(runs) == 1);
  CHECK(store.add_all(runs) == 0);
  CHECK(store.all() == runs);
}

TEST_CASE("times that are no times are refused, and the run goes on") {
  const Folder folder;
  Store store = opened(folder / "a.db", Access::write);
  const RunRecords records = RandomRecords(5).records(1);
  const Store::RunKey key = store.begin(records.run);
  const double bad = GENERATE(-1e-9, std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN());
  CollectiveRecord collective = records.collectives[0];
  collective.times.p99 = bad;
  CHECK_FALSE(store.add(key, collective));
  collective = records.collectives[0];
  collective.times.samples.push_back(bad);
  CHECK_FALSE(store.add(key, collective));
  collective = records.collectives[0];
  collective.own_estimate = bad;
  CHECK_FALSE(store.add(key, collective));
  KernelRecord kernel = records.kernels[0];
  kernel.times.deviation = bad;
  CHECK_FALSE(store.add(key, kernel));
  CHECK(store.add(key, records.kernels[0]));
  CHECK(store.records(key).kernels.size() == 1);
  CHECK(store.records(key).collectives.empty());
}

TEST_CASE("a run that is not complete can be gone on with") {
  const Folder folder;
  Store store = opened(folder / "a.db", Access::write);
  Run run = RandomRecords(1).run();
  run.state = RunState::running;
  CHECK_FALSE(store.unfinished(run));
  const Store::RunKey key = store.begin(run);
  CHECK(store.unfinished(run) == key);
  Run other = run;
  other.command += " --more";
  CHECK_FALSE(store.unfinished(other));
  store.finish(key, RunState::interrupted, "2026-11-28T12:00:00Z");
  CHECK(store.unfinished(run) == key);
  store.finish(key, RunState::complete, "2026-11-28T12:00:00Z");
  CHECK_FALSE(store.unfinished(run));
}

TEST_CASE("a run that ended before it began is kept, and known") {
  const Folder folder;
  Store store = opened(folder / "a.db", Access::write);
  RunRecords records = RandomRecords(1).records(1);
  records.run.started = "2026-11-28T12:00:00Z";
  records.run.ended = "2026-11-28T11:59:59Z";
  CHECK(store.add(records));
  CHECK(store.all()[0] == records);
  CHECK(ended_before_start(store.all()[0].run));
  records.run.ended = "";
  CHECK_FALSE(ended_before_start(records.run));
}

TEST_CASE("a fit takes the place of one of the same kind and key") {
  const Folder folder;
  Store store = opened(folder / "a.db", Access::write);
  const FitRow first{"2026-11-28T12:00:00Z", "gemm", "cuBLASLt", "{}", 12, 0.03, {}, 1e9, 1e12};
  FitRow second = first;
  second.points = 24;
  second.held_out = 0.0421;
  FitRow other = first;
  other.key = "OpenBLAS";
  store.put(first);
  store.put(other);
  store.put(second);
  CHECK(store.fits() == std::vector<FitRow>{other, second});
}

TEST_CASE("groups have the range of their sizes, and count rows, dropped samples and wrong data") {
  RunRecords records;
  CollectiveRecord row;
  row.library = "NCCL";
  row.placement.ranks = 8;
  row.times.dropped = 2;
  for (const int bytes : {1024, 8, 64}) {
    row.bytes = base::Bytes::from_count(bytes);
    records.collectives.push_back(row);
  }
  records.collectives[1].wrong = 5;
  records.collectives[2].wrong = 0;
  KernelRecord kernel;
  kernel.kind = "gemm";
  kernel.kernel = base::Gemm{10, 20, 30};
  records.kernels.push_back(kernel);
  const auto groups = groups_of({records});
  REQUIRE(groups.size() == 2);
  CHECK(groups[0].what == "all_reduce");
  CHECK(groups[0].from == 8);
  CHECK(groups[0].to == 1024);
  CHECK(groups[0].rows == 3);
  CHECK(groups[0].dropped == 6);
  CHECK(groups[0].wrong == 1);
  CHECK(groups[1].in_flop);
  CHECK(groups[1].from == 2 * 10 * 20 * 30);
}

}  // namespace

}  // namespace calibrate::store
