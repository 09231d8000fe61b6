#pragma once

#include <fmt/format.h>

#include <string>

#include "calibrate/store/database.hpp"

namespace calibrate::store {

/// The value of a name in a table of names; one that no version wrote is damage.
template <class Table>
auto stored_value(const Database& database, const Table& names, const std::string& name) {
  for (const auto& [known, value] : names)
    if (known == name) return value;
  database.damaged(fmt::format("nobody wrote the name '{}'", name));
}

}  // namespace calibrate::store
