#pragma once

#include <cmath>
#include <set>
#include <string>

#include "calibrate/import/import.hpp"
#include "calibrate/import/nccl_tests_json.hpp"
#include "calibrate/import/nccl_tests_output.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace fuzz {

inline void check_times(const calibrate::Times& times) {
  CHECK_INVARIANT(std::isfinite(times.mean) && times.mean > 0);
  for (const double value : {times.min, times.max, times.p50, times.p95, times.p99})
    CHECK_INVARIANT(std::isfinite(value) && value >= 0);
}

inline void check_records(const calibrate::RunRecords& run) {
  CHECK_INVARIANT(run.run.id.size() == 32 && !run.run.tool.empty());
  CHECK_INVARIANT(!run.collectives.empty() || !run.kernels.empty());
  for (const calibrate::CollectiveRecord& record : run.collectives) {
    check_times(record.times);
    CHECK_INVARIANT(record.line > 0 && !record.device.empty() && !record.library.empty());
    CHECK_INVARIANT(record.bytes.count() >= 0 && record.count >= 0);
    const calibrate::Placement& place = record.placement;
    CHECK_INVARIANT(place.ranks >= 1 && place.nodes >= 1 && place.nodes <= place.ranks);
    CHECK_INVARIANT(place.ranks_per_node >= 1 && place.stride >= 1 && place.groups >= 1);
    CHECK_INVARIANT(std::isfinite(record.bus_bandwidth()));
  }
  for (const calibrate::KernelRecord& record : run.kernels) {
    check_times(record.times);
    CHECK_INVARIANT(record.line > 0 && !record.device.empty());
    const double flop = base::flop_of(record.kernel).count();
    CHECK_INVARIANT(std::isfinite(flop) && flop >= 0);
    CHECK_INVARIANT(base::bytes_of(record.kernel).count() > 0);
  }
}

/// What is written of an import is read again, with as many records; fewer ranks than such a file
/// would list.
inline void check_written(const calibrate::RunRecords& run) {
  constexpr double ranks_max = 64;
  for (const calibrate::CollectiveRecord& record : run.collectives) {
    const calibrate::Placement& place = record.placement;
    if (static_cast<double>(place.ranks) * place.groups > ranks_max || place.stride > ranks_max ||
        record.times.mean < 1e-9 || record.times.mean > 1e9)
      return;
  }
  if (run.collectives.empty()) return;
  const auto again = calibrate::import_nccl_tests_json(calibrate::nccl_tests_json(run), "f", {});
  if (!again) return check_refusal(again.error());
  std::size_t records = 0;
  for (const calibrate::RunRecords& sweep : again->runs) records += sweep.collectives.size();
  CHECK_INVARIANT(records == run.collectives.size());
  CHECK_INVARIANT(!calibrate::nccl_tests_text(run).empty());
}

/// Whatever a file says: mistakes and nothing else, or records that make sense.
template <class Import>
void check_import(Import import, std::string_view text) {
  calibrate::ImportOptions options;
  options.device = "H100-SXM5-80GB";
  options.library_version = "2.28.3";
  for (const bool known : {false, true}) {
    const calibrate::ImportOptions given = known ? options : calibrate::ImportOptions{};
    const calibrate::ImportResult result = import(text, "f", given);
    if (!result) {
      check_refusal(result.error());
      continue;
    }
    check(result->notes);
    CHECK_INVARIANT(!base::has_errors(result->notes));
    std::set<std::string> ids;
    for (const calibrate::RunRecords& run : result->runs) {
      CHECK_INVARIANT(ids.insert(run.run.id).second);
      check_records(run);
      check_written(run);
    }
  }
}

}  // namespace fuzz
