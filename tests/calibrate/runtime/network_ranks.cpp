// A rank of a job that tries a network: for those whose ranks are processes, under their launcher.
//
//   mpirun -n 3 network_ranks mpi
//
// Its exit status is 0 when nothing is wrong; what is wrong goes to stdout.

#include <fmt/format.h>

#include "calibrate/runtime/loader.hpp"
#include "tests/calibrate/runtime/network_check.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto network = calibrate::runtime::load_network(argv[1]);
  if (!network) {
    for (const base::Diagnostic& problem : network.error()) fmt::print("{}\n", problem.format());
    return 1;
  }
  const auto problems = calibrate::runtime::check_network(**network, nullptr, {0, 0, "", 0, 30});
  for (const std::string& problem : problems) fmt::print("{}\n", problem);
  return problems.empty() ? 0 : 1;
}
