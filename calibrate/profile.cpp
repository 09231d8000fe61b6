#include "calibrate/profile.hpp"

namespace calibrate {

std::string_view name_of(Evidence evidence) {
  switch (evidence) {
    case Evidence::measured: return "measured";
    case Evidence::interpolated: return "interpolated";
    case Evidence::fitted: return "fitted";
    case Evidence::model: return "model";
  }
  return "?";
}

std::string_view name_of(Collective op) {
  switch (op) {
    case Collective::all_reduce: return "all_reduce";
    case Collective::all_gather: return "all_gather";
    case Collective::reduce_scatter: return "reduce_scatter";
    case Collective::all_to_all: return "all_to_all";
    case Collective::broadcast: return "broadcast";
    case Collective::reduce: return "reduce";
    case Collective::send_receive: return "send_receive";
  }
  return "?";
}

}  // namespace calibrate
