#include <fmt/format.h>

#include "sim/schedule/schedule.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/golden.hpp"
#include "viz/viz.hpp"

namespace viz {
namespace {

using strategies::ScheduleKind;

TEST_CASE("every schedule on 4 stages with 8 micro-batches, drawn") {
  std::string all;
  for (const sim::schedule::Schedule& one : sim::schedule::schedules) {
    const int chunks = one.kind == ScheduleKind::interleaved ? 2 : 1;
    all += fmt::format("{}\n{}\n", strategies::name_of(one.kind),
                       schedule_text(sim::schedule::make_table(one.kind, {4, chunks, 8})));
  }
  check_golden("schedules.txt", all);
}

TEST_CASE("cells of three chunks and of two digits keep their columns") {
  // One column is as wide as "F10" or "F0.2"; S = 2, m = 11: 2 - 1 + 11 slots of 3 columns.
  const std::string plain =
      schedule_text(sim::schedule::make_table(ScheduleKind::one_f_one_b, {2, 1, 11}));
  CHECK(plain.substr(0, plain.find('\n')).size() == 5 + 36 * 3 + 3);
  const std::string chunked =
      schedule_text(sim::schedule::make_table(ScheduleKind::interleaved, {2, 3, 2}));
  CHECK(chunked.find("F0.0F1.0F0.1F1.1F0.2F1.2") != std::string::npos);
}

}  // namespace
}  // namespace viz
