#pragma once

#include <span>
#include <string_view>

#include "base/diagnostic.hpp"
#include "calibrate/store/database.hpp"

namespace calibrate::store {

/// SQL that leads from each version of the tables to the next, from none on.
std::span<const std::string_view> schema_steps();

/// Makes the tables of a new database, or brings those of an older version up to date when they may
/// be written. Somebody else's database, one of a newer version, and damaged pages are mistakes.
base::Result<void> bring_up_to_date(const Database& database, Access access,
                                    std::span<const std::string_view> steps = schema_steps());

}  // namespace calibrate::store
