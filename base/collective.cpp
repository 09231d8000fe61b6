#include "base/collective.hpp"

#include "base/name_table.hpp"

namespace base {

std::string_view name_of(Collective op) { return name_in(collective_names, op); }

std::string_view name_of(CollectiveAlgorithm algorithm) {
  return name_in(collective_algorithm_names, algorithm);
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::none: return "";
    case Protocol::ll: return "LL";
    case Protocol::ll128: return "LL128";
    case Protocol::simple: return "Simple";
  }
  return "?";
}

double bus_factor(Collective op, int ranks) {
  if (ranks <= 1) return 0;
  const double others = static_cast<double>(ranks - 1) / ranks;
  switch (op) {
    case Collective::all_reduce: return 2 * others;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
    case Collective::gather:
    case Collective::scatter: return others;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_receive: return 1;
    case Collective::barrier: return 0;
  }
  return 1;
}

}  // namespace base
