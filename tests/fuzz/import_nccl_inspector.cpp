#include "calibrate/import/nccl_inspector.hpp"
#include "tests/fuzz/import_check.hpp"

void fuzz_one(std::string_view text) { fuzz::check_import(calibrate::import_nccl_inspector, text); }
