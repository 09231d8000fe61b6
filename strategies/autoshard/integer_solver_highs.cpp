#include <interfaces/highs_c_api.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "base/check.hpp"
#include "strategies/autoshard/integer_solver.hpp"

namespace strategies::autoshard {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<HighsInt> as_highs(const std::vector<int>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

ProgrammeAnswer solve_programme(const Programme& programme, double cutoff, int nodes) {
  const std::unique_ptr<void, decltype(&Highs_destroy)> owner(Highs_create(), &Highs_destroy);
  void* highs = owner.get();
  Highs_setBoolOptionValue(highs, "output_flag", 0);
  Highs_setIntOptionValue(highs, "threads", 1);
  Highs_setDoubleOptionValue(highs, "mip_rel_gap", 1e-9);
  Highs_setDoubleOptionValue(highs, "mip_abs_gap", 0);
  // Good solutions are known already.
  Highs_setDoubleOptionValue(highs, "mip_heuristic_effort", 0);
  Highs_setIntOptionValue(highs, "mip_max_nodes", nodes);
  if (cutoff < infinity) Highs_setDoubleOptionValue(highs, "objective_bound", cutoff);
  const std::size_t columns = programme.costs.size();
  std::vector<double> upper(columns, infinity);
  std::copy(programme.upper.begin(), programme.upper.end(), upper.begin());
  std::vector<HighsInt> kinds(columns, kHighsVarTypeContinuous);
  std::fill_n(kinds.begin(), programme.upper.size(), kHighsVarTypeInteger);
  const std::vector<double> lower(columns, 0);
  const HighsInt passed = Highs_passMip(
      highs, static_cast<HighsInt>(columns), static_cast<HighsInt>(programme.row_low.size()),
      static_cast<HighsInt>(programme.rows.size()), kHighsMatrixFormatColwise,
      kHighsObjSenseMinimize, 0, programme.costs.data(), lower.data(), upper.data(),
      programme.row_low.data(), programme.row_high.data(), as_highs(programme.starts).data(),
      as_highs(programme.rows).data(), programme.values.data(), kinds.data());
  CHECK_INVARIANT(passed != kHighsStatusError);
  Highs_run(highs);
  const HighsInt status = Highs_getModelStatus(highs);
  if (status == kHighsModelStatusInfeasible || status == kHighsModelStatusObjectiveBound)
    return {false, {}, cutoff};
  ProgrammeAnswer answer;
  Highs_getDoubleInfoValue(highs, "mip_dual_bound", &answer.bound);
  HighsInt found = 0;
  Highs_getIntInfoValue(highs, "primal_solution_status", &found);
  if (found != kHighsSolutionStatusFeasible) return answer;
  // The bound on the objective only cuts the search short: solutions above it may be found.
  if (Highs_getObjectiveValue(highs) >= cutoff) {
    if (status == kHighsModelStatusOptimal) return {false, {}, cutoff};
    return answer;
  }
  answer.solution.resize(columns);
  Highs_getSolution(highs, answer.solution.data(), nullptr, nullptr, nullptr);
  return answer;
}

std::string integer_solver() { return std::string("HiGHS ") + Highs_version(); }

}  // namespace strategies::autoshard
