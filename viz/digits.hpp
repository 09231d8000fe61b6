#pragma once

#include <string>

#include "base/units.hpp"

/// Figures as tables show them: three digits, trailing zeros kept, so that "1.20 s" stands well
/// beside "1.25 s".
namespace viz {

std::string three_digits(double value);

/// "1.20 s", "12.0 ms", "120 us".
std::string time_text(base::Seconds time);

/// "51.2 of 79.6 GiB": both in the unit of the second, so that they can be compared at a glance.
std::string used_of_capacity(base::Bytes used, base::Bytes capacity);

}  // namespace viz
