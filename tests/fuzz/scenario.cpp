#include "sim/scenario.hpp"

#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/workplace.hpp"

void fuzz_one(std::string_view text) {
  static const fuzz::Workplace workplace;
  workplace.write(workplace.scenario(), text);
  const auto scenario = workplace.load();
  if (!scenario) return fuzz::check_refusal(scenario.error());
  fuzz::check(scenario->notes);
  CHECK_INVARIANT(scenario->plan.tensor >= 1 && scenario->plan.data >= 1);
  // What is down was checked: all GPUs reach each other.
  const topology::Router router(scenario->cluster, scenario->routing);
  std::vector<topology::Route> routes;
  const auto last = static_cast<topology::GpuId>(scenario->cluster.gpu_count() - 1);
  CHECK_INVARIANT(router.route(0, last, routes) && router.route(last, last / 2, routes));
}
