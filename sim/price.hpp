#pragma once

#include <string>

#include "base/map_reader.hpp"

namespace sim {

/// What a GPU costs its user.
struct Price {
  double gpu_hour = 0;   ///< of one GPU for an hour
  std::string currency;  ///< a word: "USD"
};

/// `price: {gpu_hour: 2.49, currency: USD}`. Calls `finish()`.
Price read_price(base::MapReader& reader);

/// `gpu_hour` of the map; a mistake when it is absent, negative or beyond belief.
double read_gpu_hour(base::MapReader& reader);

}  // namespace sim
