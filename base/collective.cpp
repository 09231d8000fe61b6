#include "base/collective.hpp"

#include <algorithm>

namespace base {

namespace {

template <class E, std::size_t N>
std::string_view find_name(const std::array<std::pair<std::string_view, E>, N>& names, E value) {
  const auto found = std::find_if(names.begin(), names.end(),
                                  [&](const auto& row) { return row.second == value; });
  return found == names.end() ? "?" : found->first;
}

}  // namespace

std::string_view name_of(Collective op) { return find_name(collective_names, op); }

std::string_view name_of(CollectiveAlgorithm algorithm) {
  return find_name(collective_algorithm_names, algorithm);
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
