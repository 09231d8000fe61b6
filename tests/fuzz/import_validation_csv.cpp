#include "calibrate/import/validation_csv.hpp"
#include "tests/fuzz/import_check.hpp"

void fuzz_one(std::string_view text) { fuzz::check_import(calibrate::import_validation_csv, text); }
