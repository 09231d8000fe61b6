#include <cmath>

#include "calibrate/import/nccl_log.hpp"
#include "tests/fuzz/fuzz.hpp"

/// Whatever a log says: mistakes and nothing else, or choices without times.
void fuzz_one(std::string_view text) {
  calibrate::ImportOptions options;
  options.device = "H100-SXM5-80GB";
  options.library_version = "2.28.3";
  for (const bool known : {false, true}) {
    if (known) {
      options.op = base::Collective::all_reduce;
      options.ranks = 16;
      options.nodes = 2;
    }
    const auto result = calibrate::import_nccl_log(text, "f", options);
    if (!result) {
      fuzz::check_refusal(result.error());
      continue;
    }
    fuzz::check(result->notes);
    CHECK_INVARIANT(result->runs.size() == 1 && !result->runs.front().collectives.empty());
    for (const calibrate::CollectiveRecord& record : result->runs.front().collectives) {
      CHECK_INVARIANT(record.times == calibrate::Times{} && record.line > 0);
      CHECK_INVARIANT(!record.algorithm.empty() && !record.protocol.empty());
      CHECK_INVARIANT(record.bytes.count() >= 0 && record.count >= 0);
      CHECK_INVARIANT(record.placement.ranks >= 1 &&
                      record.placement.nodes <= record.placement.ranks);
      const double estimate = record.own_estimate.value_or(0);
      CHECK_INVARIANT(std::isfinite(estimate) && estimate >= 0);
    }
  }
}
