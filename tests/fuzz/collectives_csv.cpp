#include <cmath>

#include "calibrate/backend.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"

/// A table of measurements as a backend: whatever it says, prices are finite and never fall.
void fuzz_one(std::string_view text) {
  calibrate::BackendOptions options;
  options.name.text = "measured";
  options.table.text = "f.csv";
  options.table_text = text;
  const auto backend = calibrate::make_backend(options);
  if (!backend) return fuzz::check_refusal(backend.error());
  calibrate::GroupShape shape;
  shape.ranks = shape.ranks_per_node = 8;
  shape.scale_up_rate = base::BytesPerSecond::from_gbyte(370);
  for (const char* gpu : {"", "H100-SXM5-80GB"}) {
    shape.gpu = fuzz::shipped_registry()->find_gpu(gpu);
    base::Seconds before;
    for (double size = 0; size < 1e12; size = size * 1.5 + 1) {
      const calibrate::CollectiveCost cost = (*backend)->cost(
          calibrate::Collective::all_reduce, base::Bytes::from_double(size), shape);
      CHECK_INVARIANT(std::isfinite(cost.total.time.s()) && cost.total.time >= before);
      CHECK_INVARIANT(cost.latency >= base::Seconds() && cost.latency <= cost.total.time);
      CHECK_INVARIANT(std::isfinite(cost.total.spread) && cost.total.spread >= 0);
      before = cost.total.time;
    }
  }
}
