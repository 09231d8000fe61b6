#pragma once

#include "base/diagnostic.hpp"
#include "calibrate/store/database.hpp"

namespace calibrate::store {

/// The version of the tables that this program writes.
int schema_version();

/// Makes the tables of a new database, or brings those of an older version up to date when they may
/// be written. Somebody else's database, one of a newer version, and damaged pages are mistakes.
base::Result<void> bring_up_to_date(const Database& database, Access access);

}  // namespace calibrate::store
