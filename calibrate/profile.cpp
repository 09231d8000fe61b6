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

}  // namespace calibrate
