#pragma once

#include <optional>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/store/database.hpp"

/// Runs with their machines, devices and software.
namespace calibrate::store {

/// The key of its row. \pre no run of this id is there
std::int64_t insert_run(const Database& database, const Run& run);

/// \pre there is a row of this key
Run read_run(const Database& database, std::int64_t key);

}  // namespace calibrate::store
