#include <cmath>
#include <vector>

#include "base/csv.hpp"
#include "sim/trace/trace.hpp"
#include "tests/fuzz/fuzz.hpp"

/// Every format reads the same table, the ones with two tables twice.
void fuzz_one(std::string_view text) {
  const auto table = base::parse_csv(text, "f.csv");
  if (!table) return fuzz::check_refusal(table.error());
  for (const sim::trace::Format& format : sim::trace::formats()) {
    const std::vector<base::Csv> tables(format.tables, *table);
    const auto trace = format.read(tables);
    if (!trace) {
      fuzz::check_refusal(trace.error());
      continue;
    }
    fuzz::check(trace->notes);
    double last = 0;
    for (const sim::trace::Job& job : trace->jobs) {
      CHECK_INVARIANT(std::isfinite(job.arrival) && job.arrival >= last);
      CHECK_INVARIANT(std::isfinite(job.duration) && job.duration > 0 && job.gpus > 0);
      last = job.arrival;
    }
  }
}
