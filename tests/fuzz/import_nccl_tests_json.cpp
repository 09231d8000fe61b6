#include "calibrate/import/nccl_tests_json.hpp"
#include "tests/fuzz/import_check.hpp"

void fuzz_one(std::string_view text) {
  fuzz::check_import(calibrate::import_nccl_tests_json, text);
}
