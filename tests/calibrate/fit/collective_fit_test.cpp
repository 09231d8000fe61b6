// Fits of collectives by key, and how well they predict sizes that they did not see.

#include "calibrate/fit/collective_fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <tuple>

#include "base/csv.hpp"
#include "calibrate/validate_collectives.hpp"
#include "tests/support/published.hpp"

namespace calibrate::fit {
namespace {

CollectiveRecord record(double bytes, double us) {
  CollectiveRecord record;
  record.library = "NCCL";
  record.device = "H100-SXM5-80GB";
  record.placement = {.ranks = 8, .ranks_per_node = 8};
  record.bytes = base::Bytes::from_double(bytes);
  record.times.mean = us * 1e-6;
  return record;
}

TEST_CASE("records that differ in more than size are fitted apart; wrong data does not count") {
  RunRecords run;
  run.run.started = "2026-11-28T11:30:00Z";
  run.collectives = {record(1024, 20), record(1024, 22), record(1048576, 40)};
  run.collectives[0].library_version = "2.28.9";
  run.collectives[1].library_version = "2.27.7";
  run.collectives.push_back(record(1024, 5));
  run.collectives.back().wrong = 3;
  run.collectives.push_back(record(1024, 30));
  run.collectives.back().algorithm = "tree";
  run.collectives.push_back(record(1024, 50));
  run.collectives.back().placement.groups = 2;
  const CollectiveFits fits = fit_collectives(std::vector<RunRecords>{run});
  REQUIRE(fits.size() == 3);
  const auto& [key, fitted] = *fits.begin();
  CHECK(describe(key, "2.28.9") == "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9");
  CHECK(fitted.basis.versions() == "2.27.7/2.28.9");
  CHECK(fitted.basis.dates() == "2026-11-28");
  CHECK(fitted.basis.rows() == 3);
  CHECK(fitted.fit.sizes().points().size() == 2);
  CHECK(fitted.fit.sizes().at(1024).seconds == Approx(21e-6));
  CHECK(describe(std::next(fits.begin())->first, "") ==
        "all_reduce of 8 H100-SXM5-80GB on one node, 2 groups at once, NCCL");
  CHECK(describe(std::next(fits.begin(), 2)->first, "") ==
        "all_reduce of 8 H100-SXM5-80GB on one node, NCCL tree");
}

TEST_CASE("a cost is its estimate, split into latency and wire by the best bandwidth") {
  // 1.75 x 2^30 bytes in 4.8 ms are 391 GB/s; 1 KiB takes 4.6 ns of its 20 us at that rate.
  const CollectiveFit fit({{1024, {{20e-6}}}, {1073741824.0, {{4800e-6}}}},
                          base::Collective::all_reduce, 8);
  const double best = 1.75 * 1073741824 / 4800e-6;
  CHECK(fit.best_rate().byte() == Approx(best));
  const CollectiveCost small = fit.cost(base::Bytes::from_kib(1), fit.sizes().at(1024));
  CHECK(small.latency.s() == Approx(20e-6 - 1.75 * 1024 / best));
  CHECK((small.latency.s() + 1.75 * 1024 / small.bus_rate.byte()) == Approx(20e-6));
  const CollectiveFit barrier({{0, {{7e-6}}}}, base::Collective::barrier, 8);
  CHECK(barrier.cost({}, barrier.sizes().at(0)).latency.us() == Approx(7));
}

TEST_CASE("published sweeps: every second size predicts the others within 2 % in the median") {
  const std::string text = published("collectives.csv");
  if (text.empty()) return;
  const auto table = base::parse_csv(text, "collectives.csv");
  REQUIRE(table);
  base::Diagnostics problems;
  using Sweep = std::tuple<std::string, std::string, std::string, int, int>;
  std::map<Sweep, std::map<double, std::vector<Sample>>> sweeps;
  for (const base::Csv::Row& fields : table->rows) {
    const base::CsvRow row(*table, fields, problems);
    if (row.text("trust") == "low") continue;
    sweeps[{std::string(row.text("sweep")), std::string(row.text("collective")),
            std::string(row.text("gpu")), *row.whole("n_gpus"), *row.whole("n_nodes")}]
          [*row.number("size_bytes")]
              .push_back({*row.number("time_us") * 1e-6});
  }
  REQUIRE(problems.empty());
  std::vector<double> errors;
  int inside = 0;  // of 68 % intervals
  std::vector<std::string> wide;
  int told = 0;
  for (const auto& [sweep, sizes] : sweeps) {
    std::map<double, std::vector<Sample>> seen;
    std::map<double, double> others;
    for (const auto& [bytes, samples] : sizes) {
      std::vector<double> seconds;
      for (const Sample& sample : samples) seconds.push_back(sample.seconds);
      if (seen.size() > others.size())
        others[bytes] = median(seconds);
      else
        seen[bytes] = samples;
    }
    if (seen.size() < 2) continue;
    const SizeFit fit(seen);
    std::vector<double> of_sweep;
    for (const auto& [bytes, seconds] : others) {
      const Estimate estimate = fit.at(bytes);
      of_sweep.push_back(std::abs(estimate.seconds / seconds - 1));
      if (of_sweep.back() < estimate.spread) ++inside;
    }
    errors.insert(errors.end(), of_sweep.begin(), of_sweep.end());
    ++told;
    if (median(of_sweep) > 0.05)
      wide.push_back(fmt::format("{} {} on {} x {}: {} sizes, median {:.1f} %", std::get<0>(sweep),
                                 std::get<1>(sweep), std::get<3>(sweep), std::get<2>(sweep),
                                 of_sweep.size(), 100 * median(of_sweep)));
  }
  REQUIRE(errors.size() > 1000);
  const double share = inside / static_cast<double>(errors.size());
  INFO("of " << errors.size() << " sizes " << share << " lie within the spread; of " << told
             << " sweeps these are above 5 % in the median:\n"
             << fmt::format("{}", fmt::join(wide, "\n")));
  CHECK(median(errors) < 0.02);
  CHECK(share > 0.6);
}

}  // namespace
}  // namespace calibrate::fit
