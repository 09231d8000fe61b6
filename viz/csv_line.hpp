#pragma once

#include <string>
#include <vector>

/// Tables for other programs; internal to the module.
namespace viz {

/// A row with its line end, fields quoted where they need it (RFC 4180).
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace viz
