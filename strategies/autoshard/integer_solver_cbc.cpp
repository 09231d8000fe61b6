#include <coin/Cbc_C_Interface.h>

#include <limits>
#include <memory>

#include "strategies/autoshard/integer_solver.hpp"

namespace strategies::autoshard {

ProgrammeAnswer solve_programme(const Programme& programme, double cutoff, int nodes) {
  const std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> owner(Cbc_newModel(),
                                                                     &Cbc_deleteModel);
  Cbc_Model* model = owner.get();
  const int columns = static_cast<int>(programme.costs.size());
  Cbc_loadProblem(model, columns, static_cast<int>(programme.row_low.size()),
                  programme.starts.data(), programme.rows.data(), programme.values.data(), nullptr,
                  nullptr, programme.costs.data(), programme.row_low.data(),
                  programme.row_high.data());
  for (int c = 0; c < static_cast<int>(programme.upper.size()); ++c) {
    Cbc_setColUpper(model, c, programme.upper[static_cast<std::size_t>(c)]);
    Cbc_setInteger(model, c);
  }
  Cbc_setParameter(model, "logLevel", "0");
  // Good solutions are known already: looking for them takes half of the time
  // (tests/benchmark/autoshard.cpp).
  Cbc_setParameter(model, "heuristics", "off");
  Cbc_setParameter(model, "ratioGap", "1e-9");
  Cbc_setParameter(model, "maxNodes", std::to_string(nodes).c_str());
  if (cutoff < std::numeric_limits<double>::infinity()) Cbc_setCutoff(model, cutoff);
  Cbc_solve(model);
  if (Cbc_isProvenInfeasible(model)) return {false, {}, cutoff};
  ProgrammeAnswer answer{true, {}, Cbc_getBestPossibleObjValue(model)};
  if (Cbc_numberSavedSolutions(model) == 0 && !Cbc_isProvenOptimal(model)) return answer;
  if (const double* solution = Cbc_getColSolution(model))
    answer.solution.assign(solution, solution + columns);
  return answer;
}

std::string integer_solver() { return std::string("CBC ") + Cbc_getVersion(); }

}  // namespace strategies::autoshard
